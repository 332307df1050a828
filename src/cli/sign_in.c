/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sign_in.h"

#include "base/buf.h"
#include "base/enc.h"
#include "base/mem.h"
#include "crypto/crypto.h"

#include <stdlib.h>

enum { RANDOM_LEN = 32, URL_MAX = 8192 };

static void encode(struct span bytes, char out[44])
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(64);

    enc_base64_put(ENC_BASE64URL, bytes, &text);
    snprintf(out, 44, "%s", buf_text(&text));
}

int sign_in_begin(struct sign_in *sign_in, struct err *err)
{
    uint8_t random[2][RANDOM_LEN];

    TRY(crypto_random(random, sizeof(random), err));
    encode(span_of(random[0], RANDOM_LEN), sign_in->verifier);
    encode(span_of(random[1], RANDOM_LEN), sign_in->state);
    sign_in_set_challenge(sign_in);
    return 0;
}

void sign_in_set_challenge(struct sign_in *sign_in)
{
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_sha256(span_str(sign_in->verifier), hash);
    encode(span_of(hash, sizeof(hash)), sign_in->challenge);
}

void sign_in_free(struct sign_in *sign_in)
{
    free(sign_in->authorize_url);
    free(sign_in->issuer);
    free(sign_in->redirect);
    free(sign_in->code);
    mem_wipe(sign_in->verifier, sizeof(sign_in->verifier));
}

char *sign_in_url(const struct sign_in *sign_in)
{
    struct buf url = BUF_INIT(URL_MAX);
    const char *const query[] = {"response_type",
                                 "code",
                                 "client_id",
                                 LOGIN_CLIENT_ID,
                                 "redirect_uri",
                                 sign_in->redirect,
                                 "scope",
                                 "openid profile groups drun offline_access",
                                 "state",
                                 sign_in->state,
                                 "code_challenge",
                                 sign_in->challenge,
                                 "code_challenge_method",
                                 "S256",
                                 sign_in->again ? "prompt" : NULL,
                                 "login",
                                 NULL};

    buf_printf(&url, "%s%c", sign_in->authorize_url,
               strchr(sign_in->authorize_url, '?') == NULL ? '?' : '&');
    login_put_form(query, &url);
    return buf_take(&url);
}

int sign_in_accept(struct sign_in *sign_in, const char *code, const char *state, const char *issuer,
                   const char *error, struct err *err)
{
    if (state == NULL || strcmp(state, sign_in->state) != 0)
        return err_set(err, ERR_DENIED, "the answer belongs to another sign-in");
    if (issuer != NULL && strcmp(issuer, sign_in->issuer) != 0)
        return err_set(err, ERR_DENIED, "the answer comes from another issuer, %s", issuer);
    if (error != NULL)
        return err_set(err, ERR_DENIED, "the platform refused the sign-in: %s", error);
    if (code == NULL || code[0] == '\0')
        return err_set(err, ERR_INVALID, "the answer has no code");
    free(sign_in->code);
    sign_in->code = mem_strdup(code);
    return 0;
}
