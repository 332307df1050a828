/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder. */
#ifndef DRUN_SCIM_SCIM_INTERNAL_H
#define DRUN_SCIM_SCIM_INTERNAL_H

#include "scim/scim.h"

/* Names are compared without regard to case (RFC 7643 section 2.1). */
const struct scim_attribute *scim_attribute_find(const struct scim_attribute *table,
                                                 struct span name);
/* id, externalId, meta and schemas; in every resource (RFC 7643 section 3.1). */
extern const struct scim_attribute scim_common[];

/* The sub-attribute that stands for a value of many: "value"; NULL for a simple attribute. */
const struct scim_attribute *scim_default_sub(const struct scim_attribute *attribute);

/* One value of the attribute as the schema writes it; *out is new. `what` is for the error. */
int scim_read_value(const struct scim_attribute *attribute, const json_t *value, json_t **out,
                    const char **type, struct err *err) MUST_USE;
/* The same for one element of an attribute with many. */
int scim_read_element(const struct scim_attribute *attribute, const json_t *value, json_t **out,
                      const char **type, struct err *err) MUST_USE;

/* Where the members of the path's schema are in the resource: itself, or the extension's object;
 * NULL when it has none. */
json_t *scim_holder(const struct scim_path *path, const json_t *resource);

/* A filter within brackets, over the sub-attributes of an attribute. Reads up to the "]", which is
 * left. */
struct scim_cursor {
    const char *all;
    const char *p;
    const char *end;
};
int scim_filter_parse_inner(const struct scim_attribute *attribute, struct scim_cursor *cursor,
                            struct arena *arena, const struct scim_filter **out,
                            struct err *err) MUST_USE;
bool scim_filter_matches_element(const struct scim_filter *filter,
                                 const struct scim_attribute *attribute, const json_t *element);
/* Sets in `element` what a filter of eq and "and" demands, so that the element matches it; false
 * when the filter has anything else. */
bool scim_filter_fulfil(const struct scim_filter *filter, json_t *element);

/* An attribute path without brackets; leaves the cursor behind it. */
int scim_path_parse_plain(const struct scim_resource *resource, struct scim_cursor *cursor,
                          struct scim_path *out, struct err *err) MUST_USE;
int scim_cursor_fail(const struct scim_cursor *cursor, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Texts in the order and the sameness of the attribute. */
int scim_text_compare(const struct scim_attribute *attribute, const char *a, const char *b);

extern const char scim_invalid_filter[], scim_invalid_path[], scim_invalid_syntax[],
    scim_invalid_value[], scim_not_mutable[], scim_no_target[];

#endif
