/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of service accounts end with the account and with its namespace: who gets the name next
 * must not meet the tenant before him. The accounts are api's; whoever has a token that may be
 * alive is looked up there every few seconds.
 */
#include "idp/programs/namespaces.h"

#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"

#define PREFIX "system:serviceaccount:"

enum { EVERY_MS = 5000, SLICE = 100 };

static int void_tokens(struct idp *idp, const char *subject, struct err *err)
{
    TRY(publish_void_user(idp->publish, subject, err));
    return record_delete(idp, NAMESPACE_TOKENS, subject, err);
}

int namespace_note_token(struct idp *idp, const char *namespace, const char *subject,
                         const char *uid, int64_t until, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("namespace=%s", namespace);
    CLEANUP_JSON json_t *before = NULL;

    if (record_get(idp, NAMESPACE_TOKENS, subject, &before, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
    }
    bool same = strcmp(codec_json_text(before, "uid", ""), uid) == 0;
    if (before != NULL && !same)
        TRY(void_tokens(idp, subject, err));
    if (same && record_number(before, "until") >= until)
        return 0;
    CLEANUP_JSON json_t *record = json_pack("{s:I, s:s}", "until", (json_int_t)until, "uid", uid);
    return record_put(idp, NAMESPACE_TOKENS, subject, record, term, err);
}

/* ------------------------------------------------------------------ the account's end */

static int check_one(void *ctx, const char *subject, const json_t *record, struct err *err)
{
    struct idp *idp = ctx;
    const char *colon = strchr(subject + strlen(PREFIX), ':');

    INVARIANT(strncmp(subject, PREFIX, strlen(PREFIX)) == 0 && colon != NULL);
    CLEANUP_FREE char *namespace =
        mem_strndup(subject + strlen(PREFIX), (size_t)(colon - subject) - strlen(PREFIX));
    if (!serve_ask_owner_is_gone(idp->role, &kube_service_account, namespace, colon + 1,
                                 codec_json_text(record, "uid", "")))
        return 0;
    return void_tokens(idp, subject, err);
}

static void on_check(void *ctx)
{
    struct idp *idp = ctx;
    struct err err = ERR_INIT;

    if (record_slice(idp, NAMESPACE_TOKENS, &idp->tokens_from, SLICE, check_one, idp, &err) < 0)
        log_error("idp.accounts", &err);
    err_clear(&err);
    if (bound_tokens_check(idp, &err) < 0)
        log_error("idp.bound", &err);
    publish_follow(idp->publish);
}

int namespaces_start(struct idp *idp, struct err *err)
{
    return loop_add_timer(role_loop(idp->role), EVERY_MS, EVERY_MS, on_check, idp, NULL, err);
}

/* ------------------------------------------------------------------ the namespace's */

struct voiding {
    struct idp *idp;
    size_t count;
};

static int void_one(void *ctx, const char *subject, const json_t *record UNUSED, struct err *err)
{
    struct voiding *voiding = ctx;

    voiding->count++;
    return void_tokens(voiding->idp, subject, err);
}

void namespace_emptied(void *ctx, const char *namespace, const char *uid,
                       const struct kube_left *left)
{
    CLEANUP_FREE char *term = mem_printf("namespace=%s", namespace);
    struct voiding voiding = {.idp = ctx};
    struct err err = ERR_INIT;

    if (record_each(voiding.idp, NAMESPACE_TOKENS, term, void_one, &voiding, &err) < 0)
        log_error("idp.namespace", &err);
    else if (voiding.count == 0)
        serve_tell_emptied(voiding.idp->role, namespace, uid, left);
}

bool idp_owner_is_gone(void *ctx, const struct kube_kind *kind, const char *namespace,
                       const char *name, const char *uid)
{
    struct idp *idp = ctx;

    return serve_ask_owner_is_gone(idp->role, kind, namespace, name, uid);
}
