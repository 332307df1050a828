/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ID-3: second factors; and of ID-1 what needs somebody who is signed in. idp makes a user without
 * any right for it, and removes it afterwards; everything else goes through the front door.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "otp/totp.h"
#include "visitor.h"
#include "wire/proofs.h"

#include <stdlib.h>
#include <time.h>

static const char password[] = "posture: a password for one proof";

enum { REVOKED_WITHIN_MS = 100, POLL_US = 2000, POLL_MAX = 1000 };

struct probe {
    struct proof *proof;
    char user[64];
    uint8_t secret[TOTP_SECRET_LEN];
    char recovery[32];
    int64_t step; /* the newest that was used */
};

/* ------------------------------------------------------------------ steps */

static bool expect(struct probe *probe, struct visitor *visitor, const char *method,
                   const char *path, json_t *body, unsigned wanted, json_t **out, const char *what)
{
    CLEANUP_JSON json_t *sent = body;
    CLEANUP_JSON json_t *answer = NULL;
    unsigned status = visitor_call(probe->proof, visitor, method, path, sent, &answer);

    if (out != NULL)
        *out = json_incref(answer);
    return proof_expect(probe->proof, status == wanted, "%s (%s %s: %u)", what, method, path,
                        status);
}

static json_t *code_of(const struct probe *probe, int64_t step)
{
    char code[TOTP_DIGITS + 1] = "";
    struct err err = ERR_INIT;

    if (totp_code(span_of(probe->secret, sizeof(probe->secret)), step, code, &err) < 0)
        proof_broken(probe->proof, &err);
    return json_pack("{s:s, s:s}", "type", "totp", "code", code);
}

static json_t *credentials(const struct probe *probe)
{
    return json_pack("{s:s, s:s}", "username", probe->user, "password", password);
}

/* A code that was not used yet, without waiting for the next: the platform takes those beside the
 * present one. */
static int64_t next_step(struct probe *probe)
{
    int64_t now;

    while ((now = clock_wall_sec() / TOTP_STEP_SEC) + TOTP_DRIFT <= probe->step)
        nanosleep(&(struct timespec){.tv_nsec = 200 * 1000000L}, NULL);
    probe->step = now - TOTP_DRIFT > probe->step ? now - TOTP_DRIFT : probe->step + 1;
    return probe->step;
}

static struct visitor with_password(struct probe *probe)
{
    struct visitor visitor = {.front = probe->proof->front};

    expect(probe, &visitor, "POST", "/session", credentials(probe), 200, NULL,
           "after the password a second factor is asked for");
    return visitor;
}

/* ------------------------------------------------------------------ the account */

static int make_account(struct probe *probe, char token[128], struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf reply = BUF_INIT(4096);
    CLEANUP_JSON json_t *made = NULL;

    TRY(ipc_call(proof_peer(probe->proof, ROLE_IDP), IDP_PROBE_ACCOUNT, span_of(NULL, 0), &reply,
                 NULL, err));
    TRY(codec_json_parse(buf_span(&reply), "the account", &made, err));
    snprintf(probe->user, sizeof(probe->user), "%s", codec_json_text(made, "username", ""));
    snprintf(token, 128, "%s", codec_json_text(made, "token", ""));
    return 0;
}

static void drop_account(struct probe *probe)
{
    struct err err = ERR_INIT;

    if (ipc_call(proof_peer(probe->proof, ROLE_IDP), IDP_PROBE_DROP, span_of(NULL, 0),
                 &(struct buf)BUF_INIT(64), NULL, &err) < 0)
        proof_broken(probe->proof, &err);
}

static bool accept_link(struct probe *probe, struct visitor *visitor)
{
    char token[128];
    struct err err = ERR_INIT;

    if (make_account(probe, token, &err) < 0) {
        proof_broken(probe->proof, &err);
        return false;
    }
    return expect(probe, visitor, "POST", "/session/accept",
                  json_pack("{s:s, s:s}", "token", token, "password", password), 204, NULL,
                  "a one-time link sets a password") &&
           expect(probe, visitor, "POST", "/session/accept",
                  json_pack("{s:s, s:s}", "token", token, "password", password), 410, NULL,
                  "the link works once");
}

static bool read_secret(struct probe *probe, const char *text)
{
    struct err err = ERR_INIT;

    return proof_expect(probe->proof, totp_secret_parse(text, probe->secret, &err) == 0,
                        "the secret has %d bits", 8 * TOTP_SECRET_LEN);
}

static bool set_up_app(struct probe *probe, struct visitor *visitor)
{
    CLEANUP_JSON json_t *begun = NULL;
    CLEANUP_JSON json_t *confirmed = NULL;

    if (!expect(probe, visitor, "POST", "/session/factors/totp", json_object(), 200, &begun,
                "an authenticator app is set up") ||
        !read_secret(probe, codec_json_text(begun, "secret", "")) ||
        !expect(probe, visitor, "POST", "/session/factors/totp/confirm",
                code_of(probe, next_step(probe)), 200, &confirmed, "its first code confirms it"))
        return false;
    const json_t *codes = json_object_get(confirmed, "recoveryCodes");
    const char *first = json_string_value(json_array_get(codes, 0));
    snprintf(probe->recovery, sizeof(probe->recovery), "%s", first == NULL ? "" : first);
    return proof_expect(probe->proof, json_array_size(codes) == 10, "%zu recovery codes are given",
                        json_array_size(codes));
}

/* ------------------------------------------------------------------ ID-3 */

static void attack_codes(struct probe *probe)
{
    CLEANUP(visitor_free) struct visitor half = with_password(probe);
    CLEANUP(visitor_free) struct visitor again = with_password(probe);
    CLEANUP(visitor_free) struct visitor thief = {.front = probe->proof->front};
    CLEANUP_JSON json_t *shown = NULL;

    expect(probe, &half, "GET", "/session", NULL, 401, NULL, "a password alone opens no session");
    expect(probe, &half, "POST", "/session/factor",
           code_of(probe, clock_wall_sec() / TOTP_STEP_SEC - 20), 401, NULL,
           "a code of ten minutes ago is refused");
    int64_t step = next_step(probe);
    expect(probe, &thief, "POST", "/session/factor", code_of(probe, step), 410, NULL,
           "a code without the password opens nothing");
    expect(probe, &half, "POST", "/session/factor", code_of(probe, step), 204, NULL,
           "the present code is accepted");
    expect(probe, &half, "GET", "/session", NULL, 200, &shown, "with both there is a session");
    const char *acr = codec_json_text(shown, "acr", "");
    proof_expect(probe->proof, strcmp(acr, "urn:drun:mfa") == 0, "its level is %s", acr);
    expect(probe, &again, "POST", "/session/factor", code_of(probe, step), 401, NULL,
           "the same code a second time is refused");
}

static void attack_recovery(struct probe *probe)
{
    CLEANUP(visitor_free) struct visitor one = with_password(probe);
    CLEANUP(visitor_free) struct visitor two = with_password(probe);

    expect(probe, &one, "POST", "/session/factor",
           json_pack("{s:s, s:s}", "type", "recovery", "code", probe->recovery), 204, NULL,
           "a recovery code stands in");
    expect(probe, &two, "POST", "/session/factor",
           json_pack("{s:s, s:s}", "type", "recovery", "code", probe->recovery), 401, NULL,
           "a recovery code a second time is refused");
}

static void attack_passkeys(struct probe *probe)
{
    static const char nothing[] = "AAAAAAAAAAAAAAAAAAAAAA";
    CLEANUP(visitor_free) struct visitor visitor = {.front = probe->proof->front};
    CLEANUP_JSON json_t *options = NULL;

    if (!expect(probe, &visitor, "POST", "/session/passkey/options", json_object(), 200, &options,
                "a challenge for a passkey is given"))
        return;
    const json_t *allowed = codec_json_at(options, "publicKey", "allowCredentials", NULL);
    proof_expect(probe->proof, json_is_array(allowed) && json_array_size(allowed) == 0,
                 "it names nobody's passkeys");
    expect(probe, &visitor, "POST", "/session/factor",
           json_pack("{s:s, s:{s:s, s:s, s:{s:s, s:s, s:s}}}", "type", "webauthn", "credential",
                     "id", nothing, "type", "public-key", "response", "clientDataJSON", nothing,
                     "authenticatorData", nothing, "signature", nothing),
           401, NULL, "an unknown passkey opens nothing");
}

/* Who takes the cookie has it no longer than its owner wants. */
static void attack_session(struct probe *probe, struct visitor *owner)
{
    CLEANUP(visitor_free) struct visitor thief = {0};

    visitor_copy(owner, &thief);
    expect(probe, &thief, "GET", "/session", NULL, 200, NULL, "a copied cookie is the session");
    expect(probe, owner, "DELETE", "/session", NULL, 204, NULL, "its owner signs out");
    expect(probe, &thief, "GET", "/session", NULL, 401, NULL,
           "the copy of a session that was ended opens nothing");
}

void prove_id3(struct proof *proof)
{
    struct probe probe = {.proof = proof};
    CLEANUP(visitor_free) struct visitor owner = {.front = proof->front};

    if (accept_link(&probe, &owner) && set_up_app(&probe, &owner)) {
        attack_codes(&probe);
        attack_recovery(&probe);
        attack_passkeys(&probe);
        attack_session(&probe, &owner);
    }
    drop_account(&probe);
    mem_wipe(&probe, sizeof(probe));
}

/* ------------------------------------------------------------------ ID-1: codes and tokens */

static char *member(const json_t *object, const char *name)
{
    return mem_strdup(codec_json_text(object, name, ""));
}

/* Asks for a code as the console does; NULL when there is none. */
static char *get_code(struct probe *probe, struct visitor *visitor, const char *redirect)
{
    /* RFC 7636 appendix B. */
    static const char challenge[] = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    CLEANUP(buf_free) struct buf path = BUF_INIT(4096);

    buf_printf(&path,
               "/oauth2/authorize?response_type=code&client_id=drun-console&scope=openid%%20drun&"
               "state=s&code_challenge=%s&code_challenge_method=S256&redirect_uri=",
               challenge);
    enc_percent_put(redirect, &path);
    unsigned status = visitor_call(probe->proof, visitor, "GET", buf_text(&path), NULL, NULL);
    const char *code = visitor->location == NULL ? NULL : strstr(visitor->location, "code=");
    proof_expect(probe->proof, status == 302 && code != NULL,
                 "who is signed in gets an authorization code (%u)", status);
    return code == NULL ? NULL : mem_strndup(code + 5, strcspn(code + 5, "&"));
}

static unsigned redeem(struct probe *probe, const char *code, const char *redirect, char **token)
{
    CLEANUP(buf_free_wiped) struct buf form = BUF_INIT(4096);
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;
    unsigned status = 0;

    buf_printf(&form,
               "grant_type=authorization_code&client_id=drun-console&code=%s&code_verifier="
               "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&redirect_uri=",
               code);
    enc_percent_put(redirect, &form);
    if (front_form(probe->proof->front, "/oauth2/token", buf_text(&form), &status, &answer, &err) <
        0)
        proof_broken(probe->proof, &err);
    if (token != NULL)
        *token = member(answer, "access_token");
    return status;
}

static unsigned ask_with(struct probe *probe, const char *token)
{
    struct err err = ERR_INIT;
    unsigned status = 0;

    if (front_call(probe->proof->front, "GET", "/v1/models", token, NULL, &status, NULL, &err) < 0)
        proof_broken(probe->proof, &err);
    return status;
}

/* Milliseconds until the token is refused; -1 when it never is. */
static int64_t time_to_refusal(struct probe *probe, const char *token)
{
    uint64_t began = clock_mono_ns();

    for (int i = 0; i < POLL_MAX; i++) {
        if (ask_with(probe, token) == 401)
            return (int64_t)((clock_mono_ns() - began) / 1000000);
        nanosleep(&(struct timespec){.tv_nsec = POLL_US * 1000L}, NULL);
    }
    return -1;
}

static void attack_tokens(struct probe *probe, struct visitor *owner, const char *redirect)
{
    CLEANUP_FREE char *code = get_code(probe, owner, redirect);
    CLEANUP_FREE char *first = NULL;

    if (code == NULL)
        return;
    unsigned status = redeem(probe, code, redirect, &first);
    proof_expect(probe->proof, status == 200 && ask_with(probe, first) == 200,
                 "a code is good for a token (%u)", status);
    status = redeem(probe, code, redirect, NULL);
    proof_expect(probe->proof, status == 400, "the same code a second time is refused (%u)",
                 status);
    int64_t ms = time_to_refusal(probe, first);
    proof_expect(probe->proof, ms >= 0 && ms <= REVOKED_WITHIN_MS,
                 "what the replayed code gave is void after %lld ms (at most %d)", (long long)ms,
                 REVOKED_WITHIN_MS);
}

static void attack_sign_out(struct probe *probe, struct visitor *owner, const char *redirect)
{
    CLEANUP_FREE char *code = get_code(probe, owner, redirect);
    CLEANUP_FREE char *token = NULL;

    if (code == NULL || redeem(probe, code, redirect, &token) != 200)
        return;
    attack_session(probe, owner);
    int64_t ms = time_to_refusal(probe, token);
    proof_expect(probe->proof, ms >= 0 && ms <= REVOKED_WITHIN_MS,
                 "a token of a session that was ended is refused after %lld ms (at most %d)",
                 (long long)ms, REVOKED_WITHIN_MS);
}

void prove_sign_in(struct proof *proof)
{
    struct probe probe = {.proof = proof};
    CLEANUP(visitor_free) struct visitor owner = {.front = proof->front};
    CLEANUP_JSON json_t *found = NULL;

    if (visitor_call(proof, &owner, "GET", "/.well-known/openid-configuration", NULL, &found) == 0)
        return;
    CLEANUP_FREE char *redirect = mem_printf("%s/callback", codec_json_text(found, "issuer", ""));
    if (accept_link(&probe, &owner)) {
        attack_tokens(&probe, &owner, redirect);
        attack_sign_out(&probe, &owner, redirect);
    }
    drop_account(&probe);
}
