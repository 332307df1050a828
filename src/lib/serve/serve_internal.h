/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#ifndef DRUN_SERVE_SERVE_INTERNAL_H
#define DRUN_SERVE_SERVE_INTERNAL_H

#include "serve/serve.h"

enum { SERVE_LISTENERS_MAX = 2 };

struct serve_listener {
    struct serve *serve;
    struct http_server *server;
    bool operator_socket;
};

struct serve {
    struct serve_config config;
    struct auth *auth;
    struct snapshot_reader *policy;
    struct kube_server *kube;
    struct serve_listener listeners[SERVE_LISTENERS_MAX];
    size_t listener_count;
    /* Records of this batch, in the compact form, so that they outlive what they were made of. */
    struct buf *records;
    size_t record_count;
    size_t record_room;
    struct serve_request *current; /* the request that kube is serving */
};

/* What was created; whoever may create need not say the name when he asks for the right. */
void serve_name_action(struct serve_request *request, const char *name);

/* Is it a write that must not be done with a stolen browser? */
bool serve_is_dangerous(const struct serve_request *request);

/* Serves the request by the kinds. */
void serve_by_kube(struct serve_request *request);
kube_authorize_fn serve_kube_authorize;
kube_rules_fn serve_kube_rules;
kube_namespace_fn serve_kube_namespace;

/* Makes the batch durable. */
int serve_flush(struct serve *serve, struct err *err) MUST_USE;

#endif
