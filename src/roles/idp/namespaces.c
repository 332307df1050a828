/* SPDX-License-Identifier: Apache-2.0 */
/* A namespace that goes takes the tokens of its service accounts with it: who gets the name next
 * must not meet the tenant before him. */
#include "idp/idp_internal.h"

#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"

int namespace_note_token(struct idp *idp, const char *namespace, const char *subject, int64_t until,
                         struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("namespace=%s", namespace);
    CLEANUP_JSON json_t *before = NULL;

    if (record_get(idp, NAMESPACE_TOKENS, subject, &before, err) == 0 &&
        record_number(before, "until") >= until)
        return 0;
    if (before == NULL && err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    CLEANUP_JSON json_t *record = json_pack("{s:I}", "until", (json_int_t)until);
    return record_put(idp, NAMESPACE_TOKENS, subject, record, term, err);
}

struct voiding {
    struct idp *idp;
    size_t count;
};

static int void_one(void *ctx, const char *subject, const json_t *record UNUSED, struct err *err)
{
    struct voiding *voiding = ctx;

    TRY(publish_void_user(voiding->idp->publish, subject, err));
    voiding->count++;
    return record_delete(voiding->idp, NAMESPACE_TOKENS, subject, err);
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
