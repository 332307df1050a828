/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_GATEWAY_CONF_INTERNAL_H
#define DRUN_GATEWAY_CONF_INTERNAL_H

#include "gateway/conf.h"

int gateway_check_path(const char *path, const char *what, struct err *err) MUST_USE;
int gateway_check(const struct gateway_conf *conf, struct err *err) MUST_USE;

#endif
