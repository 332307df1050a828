/* SPDX-License-Identifier: Apache-2.0 */
/* Of ID-1: what a client gets for somebody who is signed in; codes, access tokens, refresh tokens.
 */
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "probe.h"

#include <stdlib.h>

/* RFC 7636 appendix B. */
#define VERIFIER  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

/* A public client of the platform. */
struct client {
    const char *id;
    const char *scope;
    const char *redirect;
};

/* What the token endpoint gave. */
struct given {
    char *access;
    char *refresh;
};

static void given_free(struct given *given)
{
    free(given->access);
    free(given->refresh);
    *given = (struct given){0};
}

/* NULL when there is none. */
static char *get_code(struct probe *probe, struct visitor *visitor, const struct client *client)
{
    CLEANUP(buf_free) struct buf path = BUF_INIT(4096);

    buf_printf(&path,
               "/oauth2/authorize?response_type=code&client_id=%s&state=s&code_challenge=" CHALLENGE
               "&code_challenge_method=S256&scope=",
               client->id);
    enc_percent_put(client->scope, &path);
    buf_put_str(&path, "&redirect_uri=");
    enc_percent_put(client->redirect, &path);
    unsigned status = visitor_call(probe->proof, visitor, "GET", buf_text(&path), NULL, NULL);
    const char *code = visitor->location == NULL ? NULL : strstr(visitor->location, "code=");
    proof_expect(probe->proof, status == 302 && code != NULL,
                 "who is signed in gets an authorization code (%u)", status);
    return code == NULL ? NULL : mem_strndup(code + 5, strcspn(code + 5, "&"));
}

/* Its status; `out` (may be NULL) becomes the caller's. */
static unsigned ask_for_token(struct probe *probe, const struct buf *form, struct given *out)
{
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;
    unsigned status = 0;

    if (front_form(probe->proof->front, "/oauth2/token", buf_text(form), &status, &answer, &err) <
        0)
        proof_broken(probe->proof, &err);
    if (out == NULL)
        return status;
    given_free(out);
    out->access = mem_strdup(codec_json_text(answer, "access_token", ""));
    out->refresh = mem_strdup(codec_json_text(answer, "refresh_token", ""));
    return status;
}

/* `verifier` NULL: the request has none. */
static unsigned redeem(struct probe *probe, const struct client *client, const char *code,
                       const char *verifier, struct given *out)
{
    CLEANUP(buf_free_wiped) struct buf form = BUF_INIT(4096);

    buf_printf(&form,
               "grant_type=authorization_code&client_id=%s&code=%s%s%s&redirect_uri=", client->id,
               code, verifier == NULL ? "" : "&code_verifier=", verifier == NULL ? "" : verifier);
    enc_percent_put(client->redirect, &form);
    return ask_for_token(probe, &form, out);
}

static unsigned refresh(struct probe *probe, const struct client *client, const char *token,
                        struct given *out)
{
    CLEANUP(buf_free_wiped) struct buf form = BUF_INIT(4096);

    buf_printf(&form, "grant_type=refresh_token&client_id=%s&refresh_token=%s", client->id, token);
    return ask_for_token(probe, &form, out);
}

static bool is_accepted(struct probe *probe, const char *token)
{
    struct err err = ERR_INIT;
    unsigned status = 0;

    if (front_call(probe->proof->front, "GET", "/v1/models", token, NULL, &status, NULL, &err) < 0)
        proof_broken(probe->proof, &err);
    return status == 200;
}

/* ------------------------------------------------------------------ the attacks */

static void attack_replay(struct probe *probe, struct visitor *owner, const struct client *client)
{
    CLEANUP_FREE char *code = get_code(probe, owner, client);
    CLEANUP(given_free) struct given given = {0};

    if (code == NULL)
        return;
    unsigned status = redeem(probe, client, code, VERIFIER, &given);
    proof_expect(probe->proof, status == 200 && is_accepted(probe, given.access),
                 "a code is good for a token (%u)", status);
    status = redeem(probe, client, code, VERIFIER, NULL);
    proof_expect(probe->proof, status == 400, "the same code a second time is refused (%u)",
                 status);
    probe_expect_refusal(probe->proof, given.access, "what the replayed code gave");
}

/* Who stole a code has not the verifier, and cannot do as if there had been none (RFC 9700 section
 * 2.1.1). */
static void attack_verifier(struct probe *probe, struct visitor *owner, const struct client *client)
{
    static const struct {
        const char *verifier;
        const char *what;
    } tries[] = {{NULL, "a code without the verifier"},
                 {CHALLENGE, "a code with its challenge as verifier"}};

    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        CLEANUP_FREE char *code = get_code(probe, owner, client);
        if (code == NULL)
            return;
        unsigned status = redeem(probe, client, code, tries[i].verifier, NULL);
        proof_expect(probe->proof, status == 400, "%s is refused (%u)", tries[i].what, status);
    }
}

/* The one before the last is still good for a moment, since answers get lost; older ones were
 * stolen. */
static void attack_refresh(struct probe *probe, struct visitor *owner, const struct client *client)
{
    CLEANUP_FREE char *code = get_code(probe, owner, client);
    CLEANUP(given_free) struct given first = {0};
    CLEANUP(given_free) struct given second = {0};
    CLEANUP(given_free) struct given third = {0};

    if (code == NULL)
        return;
    bool turned = redeem(probe, client, code, VERIFIER, &first) == 200 &&
                  refresh(probe, client, first.refresh, &second) == 200 &&
                  refresh(probe, client, second.refresh, &third) == 200;
    if (!proof_expect(probe->proof, turned && is_accepted(probe, third.access),
                      "a refresh token is good for a token and the next refresh token"))
        return;
    unsigned status = refresh(probe, client, first.refresh, NULL);
    proof_expect(probe->proof, status == 400, "a refresh token that was used is refused (%u)",
                 status);
    status = refresh(probe, client, third.refresh, NULL);
    proof_expect(probe->proof, status == 400, "and with it all that came of it (%u)", status);
    probe_expect_refusal(probe->proof, third.access, "the last token of a stolen family");
}

static void attack_sign_out(struct probe *probe, struct visitor *owner, const struct client *client)
{
    CLEANUP_FREE char *code = get_code(probe, owner, client);
    CLEANUP(given_free) struct given given = {0};

    if (code == NULL || redeem(probe, client, code, VERIFIER, &given) != 200)
        return;
    probe_end_session(probe, owner);
    probe_expect_refusal(probe->proof, given.access, "a token of a session that was ended");
}

void prove_codes(struct proof *proof)
{
    struct probe probe = {.proof = proof};
    CLEANUP(visitor_free) struct visitor owner = {.front = proof->front};
    CLEANUP_JSON json_t *found = NULL;

    if (visitor_call(proof, &owner, "GET", "/.well-known/openid-configuration", NULL, &found) == 0)
        return;
    CLEANUP_FREE char *redirect = mem_printf("%s/callback", codec_json_text(found, "issuer", ""));
    struct client console = {"drun-console", "openid drun", redirect};
    struct client cli = {"drun-cli", "openid drun offline_access", "http://127.0.0.1/callback"};

    if (probe_sign_in(&probe, &owner)) {
        attack_replay(&probe, &owner, &console);
        attack_verifier(&probe, &owner, &console);
        attack_refresh(&probe, &owner, &cli);
        attack_sign_out(&probe, &owner, &console);
    }
    probe_drop(&probe);
}
