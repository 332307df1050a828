/* SPDX-License-Identifier: Apache-2.0 */
/* What an owner of kinds tells and asks of api, whose are the namespaces (docs/PROTOCOL.owners). */
#include "codec/json.h"
#include "log/log.h"
#include "serve/serve_internal.h"
#include "wire/orders.h"

static int ask(struct role *role, uint16_t type, const json_t *message, struct buf *reply,
               struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(4096);

    codec_json_put(message, &body);
    TRY(buf_check(&body, "the message to api", err));
    return ipc_call(role_peer(role, ROLE_API), type, buf_span(&body), reply, NULL, err);
}

void serve_tell_emptied(struct role *role, const char *namespace, const char *uid,
                        const struct kube_left *left)
{
    CLEANUP_JSON json_t *message =
        json_pack("{s:s, s:s, s:I, s:s}", "namespace", namespace, "uid", uid, "held",
                  (json_int_t)left->held, "example", left->example);
    struct err err = ERR_INIT;

    /* Gone meanwhile, or an api that is being started again: it is told once more in a second. */
    if (ask(role, API_EMPTIED, message, NULL, &err) < 0 && err.code != ERR_NOT_FOUND &&
        err.code != ERR_CONFLICT && err.code != ERR_UNAVAILABLE)
        log_error("serve.emptied", &err);
}

int serve_ask_uid(struct role *role, const struct kube_kind *kind, const char *namespace,
                  const char *name, struct buf *uid, struct err *err)
{
    CLEANUP_JSON json_t *message = json_pack("{s:s, s:s, s:s, s:s}", "group", kind->group, "kind",
                                             kind->kind, "namespace", namespace, "name", name);

    return ask(role, API_OWNER, message, uid, err);
}

bool serve_ask_owner_is_gone(struct role *role, const struct kube_kind *kind, const char *namespace,
                             const char *name, const char *uid)
{
    CLEANUP(buf_free) struct buf found = BUF_INIT(256);
    struct err err = ERR_INIT;

    return serve_ask_uid(role, kind, namespace, name, &found, &err) == 0 &&
           strcmp(buf_text(&found), uid) != 0;
}
