/* SPDX-License-Identifier: Apache-2.0 */
/* Handing the exporter the keys of outside engines (wire/secrets.h). */
#ifndef DRUN_SECRETS_UPSTREAM_KEYS_H
#define DRUN_SECRETS_UPSTREAM_KEYS_H

#include "ipc/ipc.h"
#include "serve/serve.h"

struct upstream_keys;

extern const struct ipc_table secrets_table; /* its context is a struct upstream_keys */

struct upstream_keys *upstream_keys_new(struct role *role) MUST_USE;
void upstream_keys_free_ptr(struct upstream_keys **keys);
void upstream_keys_serve(struct upstream_keys *keys, struct serve *serve);
/* A Secret changed, and then: the change is durable. */
void upstream_keys_touch(struct upstream_keys *keys, const struct kube_change *change);
void upstream_keys_follow(struct upstream_keys *keys);

#endif
