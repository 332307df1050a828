/* SPDX-License-Identifier: Apache-2.0 */
/* ID-3: second factors. */
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "otp/totp.h"
#include "probe.h"

#include <time.h>

struct owner {
    struct probe probe;
    uint8_t secret[TOTP_SECRET_LEN];
    char recovery[32];
    int64_t step; /* the newest that was used */
};

static json_t *code_of(const struct owner *owner, int64_t step)
{
    char code[TOTP_DIGITS + 1] = "";
    struct err err = ERR_INIT;

    if (totp_code(span_of(owner->secret, sizeof(owner->secret)), step, code, &err) < 0)
        proof_broken(owner->probe.proof, &err);
    return json_pack("{s:s, s:s}", "type", "totp", "code", code);
}

static json_t *credentials(const struct owner *owner)
{
    return json_pack("{s:s, s:s}", "username", owner->probe.user, "password", PROBE_PASSWORD);
}

/* A code that was not used yet, without waiting for the next: the platform takes those beside the
 * present one. */
static int64_t next_step(struct owner *owner)
{
    int64_t now;

    while ((now = clock_wall_sec() / TOTP_STEP_SEC) + TOTP_DRIFT <= owner->step)
        nanosleep(&(struct timespec){.tv_nsec = 200 * 1000000L}, NULL);
    owner->step = now - TOTP_DRIFT > owner->step ? now - TOTP_DRIFT : owner->step + 1;
    return owner->step;
}

static struct visitor with_password(struct owner *owner)
{
    struct visitor visitor = {.front = owner->probe.proof->front};

    probe_expect(&owner->probe, &visitor, "POST", "/session", credentials(owner), 200, NULL,
                 "after the password a second factor is asked for");
    return visitor;
}

static bool read_secret(struct owner *owner, const char *text)
{
    struct err err = ERR_INIT;

    return proof_expect(owner->probe.proof, totp_secret_parse(text, owner->secret, &err) == 0,
                        "the secret has %d bits", 8 * TOTP_SECRET_LEN);
}

static bool set_up_app(struct owner *owner, struct visitor *visitor)
{
    CLEANUP_JSON json_t *begun = NULL;
    CLEANUP_JSON json_t *confirmed = NULL;

    if (!probe_expect(&owner->probe, visitor, "POST", "/session/factors/totp", json_object(), 200,
                      &begun, "an authenticator app is set up") ||
        !read_secret(owner, codec_json_text(begun, "secret", "")) ||
        !probe_expect(&owner->probe, visitor, "POST", "/session/factors/totp/confirm",
                      code_of(owner, next_step(owner)), 200, &confirmed,
                      "its first code confirms it"))
        return false;
    const json_t *codes = json_object_get(confirmed, "recoveryCodes");
    const char *first = json_string_value(json_array_get(codes, 0));
    snprintf(owner->recovery, sizeof(owner->recovery), "%s", first == NULL ? "" : first);
    return proof_expect(owner->probe.proof, json_array_size(codes) == 10,
                        "%zu recovery codes are given", json_array_size(codes));
}

/* ------------------------------------------------------------------ the attacks */

static void attack_codes(struct owner *owner)
{
    CLEANUP(visitor_free) struct visitor half = with_password(owner);
    CLEANUP(visitor_free) struct visitor again = with_password(owner);
    CLEANUP(visitor_free) struct visitor thief = {.front = owner->probe.proof->front};
    CLEANUP_JSON json_t *shown = NULL;

    probe_expect(&owner->probe, &half, "GET", "/session", NULL, 401, NULL,
                 "a password alone opens no session");
    probe_expect(&owner->probe, &half, "POST", "/session/factor",
                 code_of(owner, clock_wall_sec() / TOTP_STEP_SEC - 20), 401, NULL,
                 "a code of ten minutes ago is refused");
    int64_t step = next_step(owner);
    probe_expect(&owner->probe, &thief, "POST", "/session/factor", code_of(owner, step), 410, NULL,
                 "a code without the password opens nothing");
    probe_expect(&owner->probe, &half, "POST", "/session/factor", code_of(owner, step), 204, NULL,
                 "the present code is accepted");
    probe_expect(&owner->probe, &half, "GET", "/session", NULL, 200, &shown,
                 "with both there is a session");
    const char *acr = codec_json_text(shown, "acr", "");
    proof_expect(owner->probe.proof, strcmp(acr, "urn:drun:mfa") == 0, "its level is %s", acr);
    probe_expect(&owner->probe, &again, "POST", "/session/factor", code_of(owner, step), 401, NULL,
                 "the same code a second time is refused");
}

static void attack_recovery(struct owner *owner)
{
    CLEANUP(visitor_free) struct visitor one = with_password(owner);
    CLEANUP(visitor_free) struct visitor two = with_password(owner);

    probe_expect(&owner->probe, &one, "POST", "/session/factor",
                 json_pack("{s:s, s:s}", "type", "recovery", "code", owner->recovery), 204, NULL,
                 "a recovery code stands in");
    probe_expect(&owner->probe, &two, "POST", "/session/factor",
                 json_pack("{s:s, s:s}", "type", "recovery", "code", owner->recovery), 401, NULL,
                 "a recovery code a second time is refused");
}

static void attack_passkeys(struct owner *owner)
{
    static const char nothing[] = "AAAAAAAAAAAAAAAAAAAAAA";
    CLEANUP(visitor_free) struct visitor visitor = {.front = owner->probe.proof->front};
    CLEANUP_JSON json_t *options = NULL;

    if (!probe_expect(&owner->probe, &visitor, "POST", "/session/passkey/options", json_object(),
                      200, &options, "a challenge for a passkey is given"))
        return;
    const json_t *allowed = codec_json_at(options, "publicKey", "allowCredentials", NULL);
    proof_expect(owner->probe.proof, json_is_array(allowed) && json_array_size(allowed) == 0,
                 "it names nobody's passkeys");
    probe_expect(&owner->probe, &visitor, "POST", "/session/factor",
                 json_pack("{s:s, s:{s:s, s:s, s:{s:s, s:s, s:s}}}", "type", "webauthn",
                           "credential", "id", nothing, "type", "public-key", "response",
                           "clientDataJSON", nothing, "authenticatorData", nothing, "signature",
                           nothing),
                 401, NULL, "an unknown passkey opens nothing");
}

void prove_id3(struct proof *proof)
{
    struct owner owner = {.probe.proof = proof};
    CLEANUP(visitor_free) struct visitor visitor = {.front = proof->front};

    if (probe_sign_in(&owner.probe, &visitor) && set_up_app(&owner, &visitor)) {
        attack_codes(&owner);
        attack_recovery(&owner);
        attack_passkeys(&owner);
        probe_end_session(&owner.probe, &visitor);
    }
    probe_drop(&owner.probe);
    mem_wipe(&owner, sizeof(owner));
}
