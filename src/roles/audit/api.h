/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the log over HTTP, in the manner of the Kubernetes API:
 *
 *     GET /apis/audit.drun.io/v1                                     what there is
 *     GET /apis/audit.drun.io/v1/auditevents                         newest first, filtered, paged
 *     GET /apis/audit.drun.io/v1/auditevents?watch=true              goes on, a JSON line each
 *     GET /apis/audit.drun.io/v1/namespaces/NS/auditevents           those of one namespace
 *     GET /apis/audit.drun.io/v1/auditevents/INDEX                   one, with its proof
 *     GET /apis/audit.drun.io/v1/checkpoints/latest                  signed note, text
 *     GET /apis/audit.drun.io/v1/checkpoints/consistency?from=A&to=B a proof, text
 *     GET /apis/audit.drun.io/v1/publickey                           of all generations, text
 *
 * Query arguments of a list: limit, continue, resourceVersion (watch: the index to begin at), order
 * (newest, oldest), actor, event ("drun.auth.*"), role, outcome, since, until (RFC 3339).
 */
#ifndef DRUN_ROLES_AUDIT_API_H
#define DRUN_ROLES_AUDIT_API_H

#include "http/http.h"
#include "service.h"

struct audit_api;

/* What a request wants; names are "" when there are none. */
struct audit_api_action {
    const char *verb;     /* "list", "watch", "get" */
    const char *resource; /* "auditevents", "checkpoints", "publickey" */
    const char *namespace;
    const char *name;
};

struct audit_api_config {
    struct audit_service *service;
    /* Authenticates the caller and decides, group audit.drun.io. False: it has filled in the
     * answer. `request_ctx` is what audit_api_handle() was given. */
    bool (*allow)(void *request_ctx, const struct http_request *request,
                  const struct audit_api_action *action, struct http_answer *answer);
};

struct audit_api *audit_api_new(const struct audit_api_config *config) MUST_USE;
/* Ends the watches; before http_server_free(), which cannot stop while some sleep. */
void audit_api_free(struct audit_api *api);
/* True when the path is one of its own; then it has answered. */
bool audit_api_handle(struct audit_api *api, void *request_ctx, const struct http_request *request,
                      struct http_answer *answer) MUST_USE;
/* A loop_fn for audit_service_config.appended: gives new records to those who watch. */
void audit_api_appended(void *api);

#endif
