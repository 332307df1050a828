/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes from where, as the workers count it (limit/sources.h). The keeper looks once a second:
 * a new ban and a flood that begins or ends become audit records, and the list of bans goes to the
 * agent, who has the kernel drop what comes from them.
 */
#ifndef DRUN_GATEWAY_WATCH_H
#define DRUN_GATEWAY_WATCH_H

#include "gateway/conf.h"
#include "role/role.h"
#include "role/settings.h"

struct watch;

/* The part of nginx.conf; `listen` is room for the address of listen-proxy, and all texts are the
 * settings'. */
void watch_configure(const struct settings *settings, char *listen, size_t size,
                     struct gateway_edge *out);
int watch_new(struct role *role, struct watch **out, struct err *err) MUST_USE;
void watch_free(struct watch *watch);
/* The agent was started again, and knows nothing. */
void watch_tell_anew(struct watch *watch);

#endif
