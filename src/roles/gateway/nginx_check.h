/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_ROLES_GATEWAY_NGINX_CHECK_H
#define DRUN_ROLES_GATEWAY_NGINX_CHECK_H

#include "base/attr.h"
#include "base/err.h"

/* Would nginx take its configuration (`nginx -t`)? ERR_UNAVAILABLE with nginx's own words when not.
 * The arguments are those of the start, without -t; descriptors that nginx must find open are not
 * close-on-exec. */
int nginx_check(const char *program, char *const argv[], char *const env[],
                struct err *err) MUST_USE;

#endif
