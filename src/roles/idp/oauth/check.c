/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens that come back to who issued them. lib/auth takes those for the platform alone. */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "jose/jose.h"

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAUTHENTICATED, "the token is refused: %s", why);
}

static int check_times(const json_t *claims, struct err *err)
{
    int64_t now = clock_wall_sec();

    if (record_number(claims, "exp") <= now)
        return refuse(err, "it has expired");
    if (record_number(claims, "iat") > now + AUTH_SKEW_SEC)
        return refuse(err, "it was issued in the future");
    return 0;
}

static int check_revocations(const struct idp *idp, const json_t *claims, const char *name,
                             struct err *err)
{
    if (publish_is_revoked(idp->publish, PUBLISH_TOKEN, codec_json_text(claims, "jti", "")))
        return refuse(err, "it was revoked");
    if (publish_is_revoked(idp->publish, PUBLISH_SESSION, codec_json_text(claims, "sid", "")))
        return refuse(err, "its session has ended");
    if (record_number(claims, "iat") < publish_void_before(idp->publish, name))
        return refuse(err, "it was issued before its user signed out");
    return 0;
}

/* A token for the platform: lib/auth remembers the signatures that it has verified, and knows
 * revocations and disabled users by the snapshot. */
static bool auth_knows(struct idp *idp, const char *token)
{
    CLEANUP_FREE char *header = mem_printf("Bearer %s", token);
    struct auth_input input = {
        .authorization = span_str(header), .now = clock_wall_sec(), .only_looking = true};
    struct auth_principal principal;
    struct err err = ERR_INIT;
    bool known = auth_check(idp->auth, &input, &principal, &err) == 0;

    mem_wipe(header, strlen(header));
    return known && principal.source != AUTH_API_KEY && principal.expires_at > input.now;
}

/* The subjects of programs have a colon; uids and pairwise subjects have none. */
static bool is_of_user(const json_t *claims)
{
    return strchr(codec_json_text(claims, "sub", ":"), ':') == NULL;
}

int check_account(struct idp *idp, const json_t *claims, struct account *out, struct err *err)
{
    const char *subject = codec_json_text(claims, "sub", "");
    const char *name = codec_json_text(claims, "preferred_username", NULL);
    CLEANUP_JSON json_t *pairwise = NULL;

    if (name != NULL)
        return account_load_same(idp, name, subject, out, err);
    TRY(subject_find(idp, subject, &pairwise, err));
    return account_load_same(idp, codec_json_text(pairwise, "user", ""),
                             codec_json_text(pairwise, "uid", ""), out, err);
}

static int verify(struct idp *idp, const char *token, json_t **out, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *claims = NULL;
    CLEANUP(account_free) struct account account = {0};

    TRY(jose_jws_verify(signer_keys(idp->signer), span_str(token), "at+jwt", &payload, err));
    TRY(codec_json_parse(buf_span(&payload), "claims", &claims, err));
    if (strcmp(codec_json_text(claims, "iss", ""), idp->url) != 0)
        return refuse(err, "its issuer is another one");
    TRY(check_times(claims, err));
    if (is_of_user(claims))
        TRY(check_account(idp, claims, &account, err));
    TRY(check_revocations(idp, claims,
                          account.name == NULL ? codec_json_text(claims, "sub", "") : account.name,
                          err));
    *out = json_incref(claims);
    return 0;
}

int check_access_token(struct idp *idp, const char *token, json_t **out, struct err *err)
{
    if (strncmp(token, "eyJ", 3) != 0)
        return refuse(err, "it is no JWT");
    if (auth_knows(idp, token))
        return jose_jwt_peek(span_str(token), out, err);
    return verify(idp, token, out, err);
}
