/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords: signing in and changing one. A user who is not there, is disabled or has no password
 * yet gets the answer that a wrong password gets, after the same work.
 */
#include "idp/federation/federation.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

/* What waits for the hasher; in the request's arena. */
struct login {
    struct idp *idp;
    struct serve_request *request;
    const char *name;
    const char *uid;          /* NULL: whoever it is, not that */
    const char *new_password; /* of a change */
    const char *amr;          /* of the session in which it is made */
    struct throttle_try what;
    struct device device;
    struct signin signin; /* of a step-up */
};

static struct login *login_new(struct idp *idp, struct serve_request *request, const char *name)
{
    struct arena *arena = request->http->arena;
    struct login *login = arena_alloc(arena, sizeof(*login));
    struct err err = ERR_INIT;

    if (login != NULL)
        *login = (struct login){.idp = idp, .request = request, .name = arena_strdup(arena, name)};
    if (arena_check(arena, "the request", &err) == 0)
        return login;
    reply_err(request, &err);
    return NULL;
}

static void answer(struct login *login)
{
    signin_free(&login->signin);
    serve_answered(login->request);
}

/* A browser that the account knows has tries of its own. */
static void find_device(struct login *login)
{
    CLEANUP(account_free) struct account account = {0};
    struct err err = ERR_INIT;

    if (account_load(login->idp, login->name, &account, &err) < 0)
        return;
    device_find(login->idp, login->request, account.uid, &login->device);
    if (login->device.id[0] != '\0')
        login->what.device = login->device.id;
}

/* False when it was answered. */
static bool may_try(struct login *login)
{
    uint64_t now = clock_mono_ns() / 1000000000ULL;

    login->what = (struct throttle_try){.kind = THROTTLE_PASSWORD,
                                        .account = login->name,
                                        .address = serve_address(login->request)};
    find_device(login);
    uint32_t wait = throttle_wait(login->idp->throttle, &login->what, now);
    if (wait == 0) {
        throttle_begin(login->idp->throttle, &login->what, now);
        return true;
    }
    login->request->event.outcome = AUDIT_DENIED;
    reply_retry_after(login->request, wait);
    reply_problem(login->request, 429,
                  "too many wrong passwords; the next one is taken in %u seconds", wait);
    return false;
}

static void refuse(struct login *login)
{
    login->request->event.outcome = AUDIT_DENIED;
    reply_problem(login->request, 401, "the user name or the password is wrong");
}

/* ------------------------------------------------------------------ signing in */

/* The password was right: the session, or what is missing to it. */
static int go_on(struct login *login, const char *new_phc, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    CLEANUP(signin_free) struct signin signin = {0};

    TRY(account_load_same(login->idp, login->name, login->uid, &account, err));
    if (new_phc != NULL)
        TRY(account_set_password(login->idp, login->name, login->uid, new_phc, err));
    throttle_passed(login->idp->throttle, &login->what);
    signin_begin(&signin, &account, "pwd");
    return signin_continue(login->idp, login->request, &signin, NULL, err);
}

static void on_verified(void *ctx, const char *new_phc, const struct err *failed)
{
    struct login *login = ctx;
    struct err err = ERR_INIT;

    if (failed != NULL || login->uid == NULL) {
        refuse(login);
    } else if (go_on(login, new_phc, &err) < 0) {
        if (err.code == ERR_NOT_FOUND || err.code == ERR_DENIED)
            refuse(login);
        else
            reply_err(login->request, &err);
    }
    answer(login);
}

/* Starts the check against the stored password, or against none. */
static void verify(struct login *login, const char *password, hasher_fn *fn)
{
    CLEANUP(account_free) struct account account = {0};
    CLEANUP_FREE char *phc = NULL;
    struct err err = ERR_INIT;

    int found = account_load(login->idp, login->name, &account, &err);
    if (found == 0)
        found = account_password(login->idp, account.name, account.uid, &phc, &err);
    if (found < 0 && err.code != ERR_NOT_FOUND && err.code != ERR_DENIED) {
        reply_err(login->request, &err);
        return;
    }
    if (phc != NULL)
        login->uid = arena_strdup(login->request->http->arena, account.uid);
    err_clear(&err);
    if (hasher_verify(login->idp->hasher, phc, span_str(password), fn, login, &err) < 0)
        reply_err(login->request, &err);
    else
        serve_later(login->request);
}

void session_login(struct idp *idp, struct serve_request *request)
{
    CLEANUP_JSON json_t *body = session_body(idp, request);

    if (body == NULL)
        return;
    const char *name = codec_json_text(body, "username", "");
    const char *password = codec_json_text(body, "password", "");
    struct login *login = login_new(idp, request, name);
    if (login == NULL)
        return;
    reply_event(request, AUDIT_LOGIN, AUDIT_SOURCE_PASSWORD, name, "");
    if (directory_takes(idp, request, name, password))
        return;
    if (name[0] == '\0' || strlen(name) > 253 || strlen(password) > HASHER_PASSWORD_MAX) {
        refuse(login);
        return;
    }
    if (may_try(login))
        verify(login, password, on_verified);
}

/* ------------------------------------------------------------------ again, for a step-up */

static void on_again(void *ctx, const char *new_phc UNUSED, const struct err *failed)
{
    struct login *login = ctx;
    struct err err = ERR_INIT;

    if (failed != NULL || login->uid == NULL) {
        login->request->event.outcome = AUDIT_DENIED;
        reply_problem(login->request, 401, "the password is wrong");
    } else {
        throttle_passed(login->idp->throttle, &login->what);
        signin_prove(&login->signin, "pwd");
        if (signin_continue(login->idp, login->request, &login->signin, NULL, &err) < 0)
            reply_err(login->request, &err);
    }
    answer(login);
}

void login_again(struct idp *idp, struct serve_request *request, const struct signin *signin,
                 const char *password)
{
    struct login *login = login_new(idp, request, signin->account.name);
    struct err err = ERR_INIT;

    if (login == NULL)
        return;
    if (strlen(password) > HASHER_PASSWORD_MAX) {
        reply_problem(request, 401, "the password is wrong");
        return;
    }
    if (!may_try(login))
        return;
    /* The caller's copy goes before the password is checked. */
    if (signin_find(idp, request, &login->signin, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    verify(login, password, on_again);
    if (!request->later)
        signin_free(&login->signin);
}

/* ------------------------------------------------------------------ changing it */

static int change(struct login *login, const char *phc, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};

    TRY(account_load_same(login->idp, login->name, login->uid, &account, err));
    TRY(account_set_password(login->idp, login->name, login->uid, phc, err));
    /* Who knew the old one has nothing any more; this browser goes on in a new session. */
    TRY(account_sign_out(login->idp, login->name, err));
    return session_open(login->idp, login->request, &account, login->amr, err);
}

static void on_hashed(void *ctx, const char *phc, const struct err *failed)
{
    struct login *login = ctx;
    struct err err = ERR_INIT;

    if (failed != NULL)
        reply_err(login->request, failed);
    else if (change(login, phc, &err) < 0)
        reply_err(login->request, &err);
    else
        reply_empty(login->request, 204);
    answer(login);
}

static void on_current_verified(void *ctx, const char *new_phc UNUSED, const struct err *failed)
{
    struct login *login = ctx;
    struct err err = ERR_INIT;

    if (failed != NULL || login->uid == NULL) {
        login->request->event.outcome = AUDIT_DENIED;
        reply_problem(login->request, 403, "the current password is wrong");
        answer(login);
        return;
    }
    throttle_passed(login->idp->throttle, &login->what);
    if (password_hash(login->idp, login->request, login->new_password, on_hashed, login, &err) <
        0) {
        reply_err(login->request, &err);
        answer(login);
    }
}

void session_password(struct idp *idp, struct serve_request *request)
{
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP(session_free) struct session session = {0};
    struct err err = ERR_INIT;

    if (body == NULL)
        return;
    if (session_find(idp, request, &session, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    reply_event(request, "drun.auth.password", AUDIT_SOURCE_SESSION, session.account.name,
                session.account.uid);
    struct login *login = login_new(idp, request, session.account.name);
    if (login == NULL)
        return;
    login->new_password = arena_strdup(request->http->arena, codec_json_text(body, "new", ""));
    login->amr = arena_strdup(request->http->arena, codec_json_text(session.record, "amr", "pwd"));
    if (arena_check(request->http->arena, "the request", &err) < 0 ||
        password_check(idp, login->name, login->new_password, &err) < 0)
        reply_err(request, &err);
    else if (may_try(login))
        verify(login, codec_json_text(body, "current", ""), on_current_verified);
}
