/* SPDX-License-Identifier: Apache-2.0 */
/* A person's own second factors: look, add, remove. Numbers are in sms_http.c. */
#include "idp/factors/actor.h"
#include "idp/factors/sms.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

static json_t *time_of(int64_t sec)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_sec(sec, text);
    return json_string(text);
}

/* {"since": …} of a member of the record, or null. */
static json_t *since_of(const struct factors *factors, const char *name)
{
    const json_t *member = json_object_get(factors->record, name);

    return member == NULL ? json_null()
                          : json_pack("{s:o}", "since", time_of(record_number(member, "since")));
}

/* The number as its owner knows it. */
static json_t *number_of(const struct factors *factors)
{
    const json_t *sms = json_object_get(factors->record, "sms");
    char mask[SMS_NUMBER_SIZE];

    if (sms == NULL)
        return json_null();
    sms_mask(codec_json_text(sms, "number", ""), mask);
    return json_pack("{s:s, s:o}", "number", mask, "since", time_of(record_number(sms, "since")));
}

static json_t *recovery_of(const struct factors *factors)
{
    if (json_object_get(factors->record, "recoverySince") == NULL)
        return json_null();
    return json_pack("{s:I, s:o}", "left", (json_int_t)factors_recovery_left(factors), "since",
                     time_of(record_number(factors->record, "recoverySince")));
}

/* GET /session/factors */
void factors_show(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *passkeys = NULL;
    struct mfa_rule rule;
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (actor_find(idp, request, &actor, &err) < 0 ||
        passkeys_list(idp, actor.account, &passkeys, &err) < 0 ||
        mfa_rule_of(idp, actor.account, &rule, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *body =
        json_pack("{s:o, s:O, s:o, s:o, s:{s:b, s:s, s:o}}", "totp",
                  since_of(&actor.factors, "totp"), "passkeys", passkeys, "sms",
                  number_of(&actor.factors), "recovery", recovery_of(&actor.factors), "policy",
                  "required", rule.required, "acr", auth_level_acr(rule.level), "methods",
                  factor_names(rule.allowed & (factors_there(idp) | FACTOR_RECOVERY)));
    reply_json(request, 200, body);
}

/* ------------------------------------------------------------------ TOTP */

/* POST /session/factors/totp {} */
void factors_totp_begin(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP(buf_free_wiped) struct buf uri = BUF_INIT(2048);
    char secret[64];
    struct err err = ERR_INIT;

    if (body == NULL || !actor_may_change(idp, request, "drun.auth.factor.begin", &actor))
        return;
    if (factors_begin_totp(idp, &actor.factors, secret, &uri, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *shown =
        json_pack("{s:s, s:s, s:s, s:i, s:i}", "secret", secret, "uri", buf_text(&uri), "algorithm",
                  "SHA1", "digits", 6, "period", 30);
    mem_wipe(secret, sizeof(secret));
    reply_json(request, 200, shown);
}

/* POST /session/factors/totp/confirm {code} */
void factors_totp_confirm(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP_JSON json_t *shown = json_object();
    struct err err = ERR_INIT;

    if (body == NULL || !actor_may_change(idp, request, "drun.auth.factor.add", &actor))
        return;
    request->event.action.name = span_str("totp");
    unsigned had = actor.factors.have;
    if (factors_confirm_totp(&actor.factors, codec_json_text(body, "code", ""), &err) < 0 ||
        factors_save(idp, &actor.factors, &err) < 0 ||
        actor_added(idp, request, &actor, had, "otp", shown, &err) < 0) {
        if (err.code == ERR_UNAUTHENTICATED)
            err.code = ERR_INVALID; /* the session is good, the code is not */
        reply_err(request, &err);
    }
}

/* DELETE /session/factors/totp */
void factors_totp_remove(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    struct err err = ERR_INIT;

    if (!actor_may_change(idp, request, "drun.auth.factor.remove", &actor))
        return;
    request->event.action.name = span_str("totp");
    if (!(actor.factors.have & FACTOR_TOTP)) {
        reply_problem(request, 404, "there is no authenticator app to be removed");
        return;
    }
    json_object_del(actor.factors.record, "totp");
    actor.factors.have &= ~(unsigned)FACTOR_TOTP;
    if (actor_removed(idp, &actor, &err) < 0)
        reply_err(request, &err);
    else
        reply_empty(request, 204);
}

/* ------------------------------------------------------------------ recovery codes */

/* POST /session/factors/recovery {} */
void factors_recovery_new(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP_JSON json_t *codes = NULL;
    struct err err = ERR_INIT;

    if (body == NULL || !actor_may_change(idp, request, "drun.auth.recovery.new", &actor))
        return;
    if (!(actor.factors.have & FACTOR_SECOND)) {
        reply_problem(request, 409, "recovery codes stand in for a second factor; add one first");
        return;
    }
    if (factors_make_recovery(&actor.factors, &codes, &err) < 0 ||
        factors_save(idp, &actor.factors, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *shown = json_pack("{s:O}", "recoveryCodes", codes);
    reply_json(request, 200, shown);
}

/* ------------------------------------------------------------------ passkeys */

/* The challenge of a registration is kept with the factors, one at a time. */
static int open_challenge(struct idp *idp, struct actor *actor, json_t **options, struct err *err)
{
    char challenge[IDP_SECRET_SIZE];

    TRY(idp_random(challenge, err));
    TRY(passkeys_create_options(idp, actor->account, challenge, options, err));
    json_object_set_new(actor->factors.record, "challenge",
                        json_pack("{s:s, s:I}", "text", challenge, "until",
                                  (json_int_t)(clock_wall_sec() + SIGNIN_SEC)));
    return factors_save(idp, &actor->factors, err);
}

/* POST /session/factors/passkeys/options {} */
void factors_passkey_options(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP_JSON json_t *options = NULL;
    struct err err = ERR_INIT;

    if (body == NULL || !actor_may_change(idp, request, "drun.auth.factor.begin", &actor))
        return;
    if (open_challenge(idp, &actor, &options, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *answer = json_pack("{s:O}", "publicKey", options);
    reply_json(request, 200, answer);
}

static int take_challenge(struct idp *idp, struct actor *actor, char out[IDP_SECRET_SIZE],
                          struct err *err)
{
    const json_t *challenge = json_object_get(actor->factors.record, "challenge");
    bool open = challenge != NULL && record_number(challenge, "until") > clock_wall_sec();

    snprintf(out, IDP_SECRET_SIZE, "%s", codec_json_text(challenge, "text", ""));
    json_object_del(actor->factors.record, "challenge");
    TRY(factors_save(idp, &actor->factors, err));
    return open ? 0 : err_set(err, ERR_GONE, "no registration is open; begin again");
}

static int add_passkey(struct idp *idp, struct actor *actor, const json_t *body, json_t **shown,
                       struct err *err)
{
    char challenge[IDP_SECRET_SIZE];

    TRY(take_challenge(idp, actor, challenge, err));
    TRY(passkey_register(idp, actor->account, challenge, codec_json_text(body, "name", "Passkey"),
                         json_object_get(body, "credential"), shown, err));
    actor->factors.have |= FACTOR_PASSKEY;
    return 0;
}

/* POST /session/factors/passkeys {name, credential} */
void factors_passkey_add(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP_JSON json_t *passkey = NULL;
    struct err err = ERR_INIT;

    if (body == NULL || !actor_may_change(idp, request, "drun.auth.factor.add", &actor))
        return;
    request->event.action.name = span_str("webauthn");
    unsigned had = actor.factors.have;
    if (add_passkey(idp, &actor, body, &passkey, &err) < 0) {
        if (err.code == ERR_UNAUTHENTICATED || err.code == ERR_UNSUPPORTED)
            err.code = ERR_INVALID;
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *shown = json_pack("{s:O}", "passkey", passkey);
    const char *amr = json_is_true(json_object_get(passkey, "synced")) ? "swk user" : "hwk user";
    if (actor_added(idp, request, &actor, had, amr, shown, &err) < 0)
        reply_err(request, &err);
}

/* POST /session/factors/passkeys/ID {name} */
void factors_passkey_rename(struct idp *idp, struct serve_request *request)
{
    const char *id = request->http->path + strlen("/session/factors/passkeys/");
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *body = session_body(idp, request);
    struct err err = ERR_INIT;

    if (body == NULL || !actor_may_change(idp, request, "drun.auth.factor.rename", &actor))
        return;
    if (passkey_rename(idp, actor.account, id, codec_json_text(body, "name", ""), &err) < 0)
        reply_err(request, &err);
    else
        reply_empty(request, 204);
}

static int remove_passkey(struct idp *idp, struct actor *actor, const char *id, struct err *err)
{
    size_t left = 0;

    TRY(passkey_drop(idp, actor->account, id, err));
    TRY(passkeys_count(idp, actor->account, &left, err));
    if (left == 0)
        actor->factors.have &= ~(unsigned)FACTOR_PASSKEY;
    return actor_removed(idp, actor, err);
}

/* DELETE /session/factors/passkeys/ID */
void factors_passkey_remove(struct idp *idp, struct serve_request *request)
{
    const char *id = request->http->path + strlen("/session/factors/passkeys/");
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    struct err err = ERR_INIT;

    if (!actor_may_change(idp, request, "drun.auth.factor.remove", &actor))
        return;
    request->event.action.name = span_str("webauthn");
    if (remove_passkey(idp, &actor, id, &err) < 0)
        reply_err(request, &err);
    else
        reply_empty(request, 204);
}
