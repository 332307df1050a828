/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: the log's segments and the keys that seal them; I sign
 * through kms. Who may speak to me: roles that append (table.c), and auditors over HTTP on my
 * socket, behind the gateway, with their own credentials.
 */
#include "audit_role.h"

#include "api.h"
#include "base/fd.h"
#include "base/mem.h"
#include "kms_keys.h"
#include "log/log.h"
#include "serve/serve.h"
#include "table.h"

#include <fcntl.h>

enum { RETENTION_SEC = 365 * 24 * 3600, PUBLIC_KEYS_MAX = 16 * 1024, HOUR_MS = 3600 * 1000 };

/* The log, and nothing else that it could write. */
static const struct role_promises promises = {.promises = LOCKDOWN_FILES,
                                              .data_access = LOCKDOWN_PATH_WRITE};

struct audit_role {
    struct role *role;
    struct kms_keys keys;
    struct audit_service *service;
    struct audit_api *api;
    struct serve *serve;
};

static bool on_allow(void *ctx, const struct http_request *http UNUSED,
                     const struct audit_api_action *action, struct http_answer *answer UNUSED)
{
    struct serve_request *request = ctx;
    const struct serve_action ask = {.verb = action->verb,
                                     .group = "audit.drun.io",
                                     .resource = action->resource,
                                     .subresource = "",
                                     .namespace = action->namespace,
                                     .name = action->name};

    return serve_authenticate(request) == 0 && serve_authorize(request, &ask);
}

static bool on_route(void *ctx, struct serve_request *request)
{
    struct audit_role *role = ctx;

    return audit_api_handle(role->api, request, request->http, request->answer);
}

/* Reading the log is recorded like everything else. */
static int record(void *ctx, const struct audit_event *events, size_t count, struct err *err)
{
    struct audit_role *role = ctx;

    return audit_service_record(role->service, events, count, err);
}

static void on_appended(void *ctx)
{
    struct audit_role *role = ctx;

    if (role->api != NULL)
        audit_api_appended(role->api);
}

static const char *peer_name(unsigned peer)
{
    return role_name((enum role_id)peer);
}

/* What verifies the log, for auditors on this machine and for the posture role: one verifier key a
 * line, of every generation. */
static int publish_keys(struct role *role, struct kms_keys *keys, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(PUBLIC_KEYS_MAX);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(role), err);
    struct note_keys list = {0};

    TRY(dir_fd);
    TRY(kms_keys_signers(keys, &list, err));
    for (size_t i = 0; i < list.count; i++) {
        note_key_put(&list.key[i], &text);
        buf_put_u8(&text, '\n');
    }
    return fd_replace_file(dir_fd, "public.keys", 0644, buf_span(&text), false, err);
}

static void on_hour(void *ctx)
{
    struct audit_role *role = ctx;
    struct err err = ERR_INIT;

    if (publish_keys(role->role, &role->keys, &err) < 0)
        log_error("audit.keys", &err);
}

static int start(struct role *role, const char *origin, struct audit_role *out, struct err *err)
{
    out->role = role;
    out->keys = (struct kms_keys){.kms = role_peer(role, ROLE_KMS), .origin = origin};
    struct audit_service_config service = {
        .loop = role_loop(role),
        .dir = role_data_dir(role),
        .log = {.origin = origin, .keys = kms_keys_functions(&out->keys)},
        .load_signers = kms_keys_signers,
        .kms = role_peer(role, ROLE_KMS),
        .peer_name = peer_name,
        .retention_sec = RETENTION_SEC,
        .appended = on_appended,
        .appended_ctx = out,
    };
    TRY(audit_service_new(&service, &out->service, err));
    struct audit_api_config api = {.service = out->service, .allow = on_allow};
    out->api = audit_api_new(&api);
    struct serve_config serve = {.role = role, .route = on_route, .record = record, .ctx = out};
    TRY(serve_new(&serve, &out->serve, err));
    return loop_add_timer(role_loop(role), 0, HOUR_MS, on_hour, out, NULL, err);
}

int audit_main(struct role *role, struct err *err)
{
    CLEANUP_FREE char *origin = mem_printf("drun/audit/%s", role_instance(role));
    struct audit_role audit = {0};
    int result = role_lock_down(role, &promises, err);

    if (result == 0)
        result = start(role, origin, &audit, err);
    if (result == 0)
        result = role_serve(role, &audit_table, audit.service, err);
    if (result == 0)
        result = role_run(role, err);
    /* First: the server cannot stop while watches sleep. */
    audit_api_free(audit.api);
    serve_free(audit.serve);
    audit_service_free(audit.service);
    return result;
}
