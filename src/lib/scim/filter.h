/* SPDX-License-Identifier: Apache-2.0 */
/* A filter as a tree, in an arena. For this folder. */
#ifndef DRUN_SCIM_FILTER_H
#define DRUN_SCIM_FILTER_H

#include "scim/scim_internal.h"

enum filter_op {
    FILTER_AND,
    FILTER_OR,
    FILTER_NOT,
    FILTER_ELEMENT, /* attribute[filter]: some value matches `left` */
    FILTER_PR,
    FILTER_EQ,
    FILTER_NE,
    FILTER_CO,
    FILTER_SW,
    FILTER_EW,
    FILTER_GT,
    FILTER_GE,
    FILTER_LT,
    FILTER_LE,
};

enum filter_kind { FILTER_NULL, FILTER_TRUE, FILTER_FALSE, FILTER_NUMBER, FILTER_TEXT };

struct scim_filter {
    enum filter_op op;
    const struct scim_filter *left, *right;
    struct scim_path path;             /* of all but AND, OR, NOT; in brackets: attribute alone */
    const struct scim_attribute *leaf; /* what is compared */
    enum filter_kind kind;             /* and with what */
    double number;
    const char *text;
};

#endif
