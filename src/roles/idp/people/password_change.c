/* SPDX-License-Identifier: Apache-2.0 */
/* POST /session/sign-in/password {new}: the last step of a sign-in whose User has
 * passwordChangeRequired. The old password is no new one. */
#include "idp/factors/signin.h"

#include "base/mem.h"
#include "codec/json.h"

/* What waits for the hasher; in the request's arena. */
struct change {
    struct idp *idp;
    struct serve_request *request;
    struct signin signin;
    const char *password;
};

static void answer(struct change *change, const struct err *failed)
{
    if (failed != NULL)
        reply_err(change->request, failed);
    signin_free(&change->signin);
    serve_answered(change->request);
}

/* The wish is fulfilled; everything else about the User stays. */
static int clear_wish(struct idp *idp, const char *name, struct err *err)
{
    struct kube_server *kube = serve_kube(idp->serve);
    CLEANUP_JSON json_t *object = NULL;

    TRY(kube_object_get(kube, &kube_user, "", name, &object, err));
    json_object_del(json_object_get(object, "spec"), "passwordChangeRequired");
    return kube_object_put(kube, &kube_user, object, err);
}

static int finish(struct change *change, const char *phc, struct err *err)
{
    struct idp *idp = change->idp;
    CLEANUP(account_free) struct account account = {0};
    const struct account *who = &change->signin.account;

    TRY(account_load_same(idp, who->name, who->uid, &account, err));
    TRY(account_sign_out(idp, account.name, err));
    TRY(account_set_password(idp, account.name, account.uid, phc, err));
    TRY(clear_wish(idp, account.name, err));
    json_object_set_new(change->signin.record, "renewed", json_true());
    return signin_continue(idp, change->request, &change->signin, NULL, err);
}

static void on_hashed(void *ctx, const char *phc, const struct err *failed)
{
    struct change *change = ctx;
    struct err err = ERR_INIT;

    if (failed != NULL)
        answer(change, failed);
    else
        answer(change, finish(change, phc, &err) < 0 ? &err : NULL);
}

/* It must not be the old one. */
static void on_compared(void *ctx, const char *phc UNUSED, const struct err *failed)
{
    struct change *change = ctx;
    struct err err = ERR_INIT;

    if (failed == NULL)
        err_set(&err, ERR_INVALID, "that is the password you had; take another one");
    else if (password_hash(change->idp, change->request, change->password, on_hashed, change,
                           &err) == 0)
        return;
    answer(change, &err);
}

static int begin(struct change *change, struct err *err)
{
    const struct account *who = &change->signin.account;
    CLEANUP_FREE char *phc = NULL;

    TRY(password_check(change->idp, who->name, change->password, err));
    TRY(account_password(change->idp, who->name, who->uid, &phc, err));
    return hasher_verify(change->idp->hasher, phc, span_str(change->password), on_compared, change,
                         err);
}

void signin_password(struct idp *idp, struct serve_request *request)
{
    CLEANUP_JSON json_t *body = session_body(idp, request);
    struct change *change = arena_alloc(request->http->arena, sizeof(*change));
    struct err err = ERR_INIT;

    if (body == NULL)
        return;
    request->event.event = span_str("drun.auth.password");
    if (arena_check(request->http->arena, "the request", &err) < 0) {
        reply_err(request, &err);
        return;
    }
    *change = (struct change){.idp = idp, .request = request};
    change->password = arena_strdup(request->http->arena, codec_json_text(body, "new", ""));
    if (arena_check(request->http->arena, "the request", &err) == 0 &&
        signin_find(idp, request, &change->signin, &err) == 0) {
        if (!signin_is_at(&change->signin, "password"))
            err_set(&err, ERR_INVALID, "this sign-in does not ask for a new password");
        else if (begin(change, &err) == 0)
            serve_later(request);
    }
    if (request->later)
        return;
    reply_err(request, &err);
    signin_free(&change->signin);
}
