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

static int check_revocations(const struct idp *idp, const json_t *claims, struct err *err)
{
    const char *subject = codec_json_text(claims, "sub", "");
    const char *name = codec_json_text(claims, "preferred_username", subject);

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

static int verify(struct idp *idp, const char *token, json_t **out, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *claims = NULL;

    TRY(jose_jws_verify(signer_keys(idp->signer), span_str(token), "at+jwt", &payload, err));
    TRY(codec_json_parse(buf_span(&payload), "claims", &claims, err));
    if (strcmp(codec_json_text(claims, "iss", ""), idp->url) != 0)
        return refuse(err, "its issuer is another one");
    TRY(check_times(claims, err));
    TRY(check_revocations(idp, claims, err));
    const char *name = codec_json_text(claims, "preferred_username", NULL);
    if (name != NULL) {
        CLEANUP(account_free) struct account account = {0};
        TRY(account_load_same(idp, name, codec_json_text(claims, "sub", ""), &account, err));
    }
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
