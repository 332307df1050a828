/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/dpop.h"

#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"

#include <stdlib.h>

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAUTHENTICATED, "the DPoP proof is refused: %s", why);
}

void dpop_hash_text(struct span data, char out[SIGN_KID_SIZE])
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(SIGN_KID_SIZE);
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_sha256(data, hash);
    enc_base64_put(ENC_BASE64URL, span_of(hash, sizeof(hash)), &text);
    snprintf(out, SIGN_KID_SIZE, "%s", buf_text(&text));
}

/* ------------------------------------------------------------------ htu */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next character of a path, its encoding undone; '\0' at its end. */
static char next_char(const char **at)
{
    const char *text = *at;

    if (text[0] == '\0' || text[0] == '?' || text[0] == '#')
        return '\0';
    int high = text[0] == '%' ? hex_of(text[1]) : -1;
    int low = high < 0 ? -1 : hex_of(text[2]);
    bool plain = low < 0 || (high == 0 && low == 0);
    *at += plain ? 1 : 3;
    return plain ? text[0] : (char)(high << 4 | low);
}

static bool path_fits(const char *url, const char *path)
{
    for (const char *wanted = path[0] == '\0' ? "/" : path;; wanted++) {
        char c = next_char(&url);
        if (c != *wanted)
            return false;
        if (c == '\0')
            return *wanted == '\0';
    }
}

bool dpop_url_fits(const char *url, const char *const *origins, const char *path)
{
    for (size_t i = 0; origins[i] != NULL; i++) {
        size_t len = strlen(origins[i]);
        if (strncasecmp(url, origins[i], len) != 0)
            continue;
        if (path_fits(url[len] == '\0' ? "/" : url + len, path))
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------ claims */

static int check_time(const json_t *claims, int64_t now, struct err *err)
{
    const json_t *issued = json_object_get(claims, "iat");
    double at = json_number_value(issued);

    if (!json_is_number(issued))
        return refuse(err, "it has no iat");
    if (at > (double)now + DPOP_WINDOW_SEC || at < (double)now - DPOP_WINDOW_SEC)
        return refuse(err, "its iat is not within a minute of now; is the clock right?");
    return 0;
}

static int check_token_hash(const json_t *claims, struct span access_token, struct err *err)
{
    const char *given = codec_json_text(claims, "ath", NULL);
    char wanted[SIGN_KID_SIZE];

    if (access_token.len == 0)
        return 0;
    dpop_hash_text(access_token, wanted);
    if (given == NULL || strcmp(given, wanted) != 0)
        return refuse(err, "its ath is not that of the access token");
    return 0;
}

static int check_claims(const struct dpop_expect *expect, const json_t *claims, struct err *err)
{
    const char *url = codec_json_text(claims, "htu", NULL);
    const char *jti = codec_json_text(claims, "jti", "");

    if (!json_is_object(claims))
        return refuse(err, "its claims are no object");
    if (strcmp(codec_json_text(claims, "htm", ""), expect->method) != 0)
        return refuse(err, "its htm is not the method of the request");
    if (url == NULL || !dpop_url_fits(url, expect->origins, expect->path))
        return refuse(err, "its htu is not the URL of the request");
    if (jti[0] == '\0' || strlen(jti) > DPOP_JTI_MAX)
        return refuse(err, "it needs a jti of at most 256 characters");
    TRY(check_time(claims, expect->now, err));
    return check_token_hash(claims, expect->access_token, err);
}

static int take_nonce(const json_t *claims, struct dpop_proof *out, struct err *err)
{
    const json_t *nonce = json_object_get(claims, "nonce");

    out->nonce[0] = '\0';
    if (nonce == NULL)
        return 0;
    if (!json_is_string(nonce) || json_string_length(nonce) > DPOP_NONCE_MAX)
        return refuse(err, "its nonce is none of this server");
    snprintf(out->nonce, sizeof(out->nonce), "%s", json_string_value(nonce));
    return 0;
}

int dpop_verify(const struct dpop_expect *expect, struct span text, struct dpop_proof *out,
                struct err *err)
{
    CLEANUP(jose_key_free_ptr) struct jose_key *key = NULL;
    CLEANUP(buf_free) struct buf payload = BUF_INIT(DPOP_PROOF_MAX);
    CLEANUP_JSON json_t *claims = NULL;

    if (text.len > DPOP_PROOF_MAX)
        return refuse(err, "it is too long");
    if (jose_jws_verify_own(text, "dpop+jwt", &key, &payload, err) < 0)
        return err_wrap(err, "the DPoP proof");
    if (codec_json_parse(buf_span(&payload), "claims", &claims, err) < 0)
        return refuse(err, "its claims are no JSON");
    TRY(check_claims(expect, claims, err));
    TRY(take_nonce(claims, out, err));
    jose_key_thumbprint(key, out->jkt);
    const char *jti = codec_json_text(claims, "jti", "");
    const struct span parts[] = {span_str(out->jkt), span_str("."), span_str(jti)};
    crypto_sha256_parts(parts, ARRAY_LEN(parts), out->id);
    return 0;
}
