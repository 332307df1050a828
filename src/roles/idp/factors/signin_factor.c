/* SPDX-License-Identifier: Apache-2.0 */
/* The second step of a sign-in, and passkeys alone. */
#include "idp/factors/signin.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "wire/proofs.h"

#define USED           "challenges"
#define PASSKEY_COOKIE "__Host-drun-passkey"

enum { WINDOW_SEC = 300 };

/* ------------------------------------------------------------------ tries */

/* The user of proofs, who is made anew for each, gives wrong codes on purpose: those must keep out
 * neither the next proof nor people of the same network. */
static const char *own_place(const struct signin *signin, const struct device *device)
{
    if (strcmp(signin->account.name, IDP_PROBE_USER) == 0)
        return signin->account.uid;
    return device->id[0] != '\0' ? device->id : NULL;
}

/* False when it was answered. */
static bool may_try(struct idp *idp, struct serve_request *request, const struct signin *signin,
                    struct throttle_try *what, struct device *device)
{
    uint64_t now = clock_mono_ns() / 1000000000ULL;

    device_find(idp, request, signin->account.uid, device);
    *what = (struct throttle_try){.kind = THROTTLE_FACTOR,
                                  .account = signin->account.name,
                                  .address = serve_address(request),
                                  .device = own_place(signin, device)};
    uint32_t wait = throttle_wait(idp->throttle, what, now);
    if (wait == 0) {
        throttle_begin(idp->throttle, what, now);
        return true;
    }
    request->event.outcome = AUDIT_DENIED;
    reply_retry_after(request, wait);
    reply_problem(request, 429, "too many wrong codes; the next one is taken in %u seconds", wait);
    return false;
}

/* A wrong one counts; after some the password is asked for again. */
static void refuse(struct idp *idp, struct serve_request *request, struct signin *signin,
                   const char *why)
{
    int64_t tries = record_number(signin->record, "tries") + 1;
    struct err err = ERR_INIT;
    int kept;

    request->event.outcome = AUDIT_DENIED;
    json_object_set_new(signin->record, "tries", json_integer(tries));
    if (tries < SIGNIN_TRIES)
        kept = signin_save(idp, request, signin, &err);
    else
        kept = signin_drop(idp, request, signin, &err);
    if (kept < 0)
        reply_err(request, &err);
    else if (tries < SIGNIN_TRIES)
        reply_problem(request, 401, "%s", why);
    else
        reply_problem(request, 401, "%s; that was one too many, sign in again", why);
}

/* ------------------------------------------------------------------ the factors */

/* A challenge is gone with the first answer to it, right or wrong. */
static int take_passkey(struct idp *idp, struct signin *signin, const json_t *body,
                        char amr[AMR_SIZE], struct err *err)
{
    CLEANUP(passkey_free) struct passkey passkey = {0};
    CLEANUP_FREE char *challenge = mem_strdup(codec_json_text(signin->record, "challenge", ""));

    json_object_del(signin->record, "challenge");
    if (challenge[0] == '\0')
        return err_set(err, ERR_DENIED, "no challenge is open; ask for one first");
    return passkey_assert(idp, &signin->account, challenge, json_object_get(body, "credential"),
                          &passkey, amr, err);
}

static int take(struct idp *idp, struct signin *signin, enum factor factor, const json_t *body,
                char amr[AMR_SIZE], struct err *err)
{
    const char *code = codec_json_text(body, "code", "");
    CLEANUP(factors_free) struct factors factors = {0};

    if (factor == FACTOR_PASSKEY)
        return take_passkey(idp, signin, body, amr, err);
    if (factor == FACTOR_SMS) {
        amr_add(amr, "sms");
        return signin_take_code(idp, signin, code, err);
    }
    TRY(factors_load(idp, &signin->account, &factors, err));
    if (factor == FACTOR_TOTP) {
        TRY(factors_take_totp(&factors, code, err));
    } else {
        TRY(factors_take_recovery(&factors, code, err));
        json_object_set_new(signin->record, "recovered", json_true());
    }
    amr_add(amr, "otp");
    return factors_save(idp, &factors, err);
}

static bool is_refusal(const struct err *err)
{
    return err->code == ERR_UNAUTHENTICATED || err->code == ERR_DENIED || err->code == ERR_INVALID;
}

static void run(struct idp *idp, struct serve_request *request, struct signin *signin,
                enum factor factor, const json_t *body)
{
    struct throttle_try what;
    struct device device;
    char amr[AMR_SIZE] = "";
    struct err err = ERR_INIT;

    if (!may_try(idp, request, signin, &what, &device))
        return;
    if (take(idp, signin, factor, body, amr, &err) < 0) {
        if (is_refusal(&err))
            refuse(idp, request, signin, err.msg);
        else
            reply_err(request, &err);
        return;
    }
    throttle_passed(idp->throttle, &what);
    signin_prove(signin, amr);
    /* A code from a sheet of paper says nothing about the browser. */
    if (factor != FACTOR_RECOVERY && json_is_true(json_object_get(body, "trust")))
        json_object_set_new(signin->record, "trust", json_true());
    if (signin_continue(idp, request, signin, NULL, &err) < 0)
        reply_err(request, &err);
}

/* ------------------------------------------------------------------ passkeys alone */

/* Without a user there is nothing to keep a challenge with that an outsider could not fill the
 * store with: it is computed from the cookie and the time. The used ones are kept instead. */
static void challenge_of(const struct idp *idp, const char *secret, int64_t window,
                         char out[IDP_SECRET_SIZE])
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(128);
    CLEANUP(buf_free) struct buf encoded = BUF_INIT(IDP_SECRET_SIZE);
    uint8_t mac[CRYPTO_HASH_LEN];

    buf_printf(&text, "passkey challenge %lld %s", (long long)window, secret);
    crypto_hmac_sha256(span_of(idp->pepper, sizeof(idp->pepper)), buf_span(&text), mac);
    enc_base64_put(ENC_BASE64URL, span_of(mac, sizeof(mac)), &encoded);
    snprintf(out, IDP_SECRET_SIZE, "%s", buf_text(&encoded));
}

/* POST /session/passkey/options */
void signin_passkey_options(struct idp *idp, struct serve_request *request)
{
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP_JSON json_t *options = NULL;
    char secret[IDP_SECRET_SIZE];
    char challenge[IDP_SECRET_SIZE];
    struct err err = ERR_INIT;

    if (body == NULL)
        return;
    request->event.event = span_str("");
    if (idp_random(secret, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    challenge_of(idp, secret, clock_wall_sec() / WINDOW_SEC, challenge);
    cookie_put(request, PASSKEY_COOKIE, secret, 2 * WINDOW_SEC);
    mem_wipe(secret, sizeof(secret));
    if (passkeys_get_options(idp, NULL, challenge, &options, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *answer = json_pack("{s:O}", "publicKey", options);
    reply_json(request, 200, answer);
}

static int check_unused(struct idp *idp, const char *challenge, struct err *err)
{
    CLEANUP_JSON json_t *used = NULL;

    if (record_get(idp, USED, challenge, &used, err) == 0)
        return err_set(err, ERR_DENIED, "this challenge was answered before");
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    return 0;
}

static int note_used(struct idp *idp, const char *challenge, struct err *err)
{
    CLEANUP_JSON json_t *used =
        json_pack("{s:I}", "until", (json_int_t)(clock_wall_sec() + 3 * WINDOW_SEC));

    return record_put(idp, USED, challenge, used, NULL, err);
}

static int assert_alone(struct idp *idp, const char *secret, const json_t *credential,
                        struct passkey *out, char amr[AMR_SIZE], struct err *err)
{
    int64_t window = clock_wall_sec() / WINDOW_SEC;
    char challenge[IDP_SECRET_SIZE];
    int result = -1;

    for (int64_t back = 0; result < 0 && back < 2; back++) {
        err_clear(err);
        challenge_of(idp, secret, window - back, challenge);
        result = passkey_assert(idp, NULL, challenge, credential, out, amr, err);
    }
    TRY(result);
    TRY(check_unused(idp, challenge, err));
    return note_used(idp, challenge, err);
}

static int sign_in_alone(struct idp *idp, struct serve_request *request, const char *secret,
                         const json_t *credential, struct err *err)
{
    CLEANUP(passkey_free) struct passkey passkey = {0};
    CLEANUP(account_free) struct account account = {0};
    CLEANUP(signin_free) struct signin signin = {0};
    char amr[AMR_SIZE] = "";
    struct mfa_rule rule;

    TRY(assert_alone(idp, secret, credential, &passkey, amr, err));
    TRY(account_load_same(idp, codec_json_text(passkey.record, "user", ""),
                          codec_json_text(passkey.record, "uid", ""), &account, err));
    TRY(mfa_rule_of(idp, &account, &rule, err));
    if (!(rule.allowed & FACTOR_PASSKEY))
        return err_set(err, ERR_DENIED, "%s may not use passkeys", account.name);
    cookie_drop(request, PASSKEY_COOKIE);
    signin_begin(&signin, &account, amr);
    return signin_continue(idp, request, &signin, NULL, err);
}

static void passkey_alone(struct idp *idp, struct serve_request *request, const char *secret,
                          const json_t *body)
{
    struct err err = ERR_INIT;

    if (sign_in_alone(idp, request, secret, json_object_get(body, "credential"), &err) == 0)
        return;
    if (!is_refusal(&err) && err.code != ERR_NOT_FOUND) {
        reply_err(request, &err);
        return;
    }
    request->event.outcome = AUDIT_DENIED;
    request->event.reason = serve_keep(request, err.msg);
    /* Whether the account is gone or the key is not known here is for nobody to see. */
    reply_problem(request, 401, "%s",
                  err.code == ERR_INVALID ? err.msg : "this passkey does not open an account here");
}

/* ------------------------------------------------------------------ requests */

/* POST /session/factor {type, code | credential | password, trust} */
void signin_factor(struct idp *idp, struct serve_request *request)
{
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP(signin_free) struct signin signin = {0};
    char secret[IDP_SECRET_SIZE];
    unsigned offers = 0;
    struct err err = ERR_INIT;

    if (body == NULL)
        return;
    request->event.event = span_str("drun.auth.factor");
    enum factor factor = factor_by_name(codec_json_text(body, "type", ""));
    request->event.action.name = span_str(factor_name(factor));
    if (factor == FACTOR_PASSKEY && cookie_get(request, PASSKEY_COOKIE, secret)) {
        passkey_alone(idp, request, secret, body);
        return;
    }
    if (signin_find(idp, request, &signin, &err) < 0 ||
        signin_offers(idp, request, &signin, &offers, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    reply_event(request, "drun.auth.factor", AUDIT_SOURCE_PASSWORD, signin.account.name,
                signin.account.uid);
    if ((factor & offers) == 0)
        reply_problem(request, 422, "this sign-in does not ask for a factor of that type");
    else if (factor == FACTOR_PASSWORD)
        login_again(idp, request, &signin, codec_json_text(body, "password", ""));
    else
        run(idp, request, &signin, factor, body);
}

/* POST /session/factor/options {type} */
void signin_factor_options(struct idp *idp, struct serve_request *request)
{
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP(signin_free) struct signin signin = {0};
    CLEANUP_JSON json_t *options = NULL;
    char challenge[IDP_SECRET_SIZE];
    unsigned offers = 0;
    struct err err = ERR_INIT;

    if (body == NULL)
        return;
    request->event.event = span_str("");
    if (signin_find(idp, request, &signin, &err) < 0 ||
        signin_offers(idp, request, &signin, &offers, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    enum factor factor = factor_by_name(codec_json_text(body, "type", ""));
    if ((offers & factor & FACTOR_SMS) != 0) {
        reply_event(request, "drun.auth.sms", AUDIT_SOURCE_PASSWORD, signin.account.name,
                    signin.account.uid);
        signin_send_code(idp, request, &signin);
        return;
    }
    if ((offers & factor & FACTOR_PASSKEY) == 0) {
        reply_problem(request, 422, "this sign-in does not ask for a factor of that type");
        return;
    }
    /* A left-over of another way to sign in would take the answer. */
    cookie_drop(request, PASSKEY_COOKIE);
    if (idp_random(challenge, &err) < 0 ||
        passkeys_get_options(idp, &signin.account, challenge, &options, &err) < 0 ||
        json_object_set_new(signin.record, "challenge", json_string(challenge)) < 0 ||
        signin_save(idp, request, &signin, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *answer = json_pack("{s:O}", "publicKey", options);
    reply_json(request, 200, answer);
}
