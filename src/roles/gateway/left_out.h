/* SPDX-License-Identifier: Apache-2.0 */
/* Tells api which model services the gateway's workers leave out because they fail, so that their
 * routes' status says it. */
#ifndef DRUN_GATEWAY_ROLE_LEFT_OUT_H
#define DRUN_GATEWAY_ROLE_LEFT_OUT_H

#include "role/role.h"

struct left_out;

int left_out_new(struct role *role, struct left_out **out, struct err *err) MUST_USE;
void left_out_free(struct left_out *left_out);
/* api was started again, and knows nothing. */
void left_out_tell_anew(struct left_out *left_out);

#endif
