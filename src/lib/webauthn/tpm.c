/* SPDX-License-Identifier: Apache-2.0 */
/* TPM attestation (section 8.3): a TPM's own key certifies that the credential's is in the TPM. The
 * structures are TPM 2.0's, part 2; their numbers are big-endian. SHA-256 alone is taken. */
#include "base/buf.h"
#include "base/enc.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "webauthn/webauthn_internal.h"

enum {
    TPM_CERTIFY = 0x8017,
    TPM_RSA = 0x0001,
    TPM_ECC = 0x0023,
    TPM_SHA256 = 0x000b,
    TPM_NULL = 0x0010,
    TPM_P256 = 0x0003,
    CLOCK_LEN = 17,
    FIRMWARE_LEN = 8,
};

static unsigned number(struct cursor *in, size_t len)
{
    struct span bytes = cursor_bytes(in, len);
    unsigned value = 0;

    for (size_t i = 0; !in->failed && i < bytes.len; i++)
        value = value << 8 | bytes.p[i];
    return value;
}

static struct span sized(struct cursor *in)
{
    return cursor_bytes(in, number(in, 2));
}

/* ------------------------------------------------------------------ TPMT_PUBLIC */

static void put(struct span bytes, size_t width, char *out, size_t size)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(size - 1);
    CLEANUP(buf_free) struct buf wide = BUF_INIT(1024);

    for (size_t i = bytes.len; i < width; i++)
        buf_put_u8(&wide, 0);
    buf_put_span(&wide, bytes);
    enc_base64_put(ENC_BASE64URL, buf_span(&wide), &text);
    snprintf(out, size, "%s", text.overflowed ? "" : buf_text(&text));
}

/* A scheme other than none is followed by its hash. */
static void skip_scheme(struct cursor *in)
{
    if (number(in, 2) != TPM_NULL)
        (void)cursor_bytes(in, 2);
}

static void read_rsa(struct cursor *in, struct sign_jwk *jwk)
{
    skip_scheme(in);
    (void)cursor_bytes(in, 2);
    unsigned exponent = number(in, 4);
    memcpy(jwk->kty, "RSA", 4);
    in->failed |= exponent != 0 && exponent != 65537;
    memcpy(jwk->e, "AQAB", 5);
    put(sized(in), 0, jwk->n, sizeof(jwk->n));
}

static void read_ecc(struct cursor *in, struct sign_jwk *jwk)
{
    skip_scheme(in);
    in->failed |= number(in, 2) != TPM_P256;
    skip_scheme(in); /* of the key derivation */
    memcpy(jwk->kty, "EC", 3);
    memcpy(jwk->crv, "P-256", 6);
    put(sized(in), 32, jwk->x, sizeof(jwk->x));
    put(sized(in), 32, jwk->y, sizeof(jwk->y));
}

static int read_public(struct span bytes, struct sign_key **out, struct err *err)
{
    struct cursor in = cursor_of(bytes);
    struct sign_jwk jwk = {0};
    unsigned type = number(&in, 2);

    in.failed |= number(&in, 2) != TPM_SHA256;
    (void)cursor_bytes(&in, 4);              /* attributes */
    (void)sized(&in);                        /* policy */
    in.failed |= number(&in, 2) != TPM_NULL; /* no symmetric cipher: it is a key that signs */
    if (type == TPM_RSA)
        read_rsa(&in, &jwk);
    else if (type == TPM_ECC)
        read_ecc(&in, &jwk);
    else
        in.failed = true;
    TRY(cursor_done(&in, "the TPM's public area", err));
    return sign_key_from_jwk(&jwk, out, err);
}

/* ------------------------------------------------------------------ TPMS_ATTEST */

static int read_certificate(struct span bytes, struct span *extra, struct span *name,
                            struct err *err)
{
    static const uint8_t magic[] = {0xff, 'T', 'C', 'G'};
    struct cursor in = cursor_of(bytes);

    in.failed |= !span_eq(cursor_bytes(&in, sizeof(magic)), span_of(magic, sizeof(magic)));
    in.failed |= number(&in, 2) != TPM_CERTIFY;
    (void)sized(&in); /* who signs */
    *extra = sized(&in);
    (void)cursor_bytes(&in, CLOCK_LEN + FIRMWARE_LEN);
    *name = sized(&in);
    (void)sized(&in); /* the qualified name */
    return cursor_done(&in, "what the TPM signed", err);
}

/* The name of an object is its hash's number and its public area's hash. */
static bool is_name_of(struct span name, struct span pub_area)
{
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_sha256(pub_area, hash);
    return name.len == 2 + sizeof(hash) && name.p[0] == 0 && name.p[1] == TPM_SHA256 &&
           span_eq(span_of(name.p + 2, sizeof(hash)), span_of(hash, sizeof(hash)));
}

static bool is_hash_of(struct span extra, const struct attestation_facts *facts)
{
    struct span parts[] = {facts->auth_data,
                           span_of(facts->client_hash, sizeof(facts->client_hash))};
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_sha256_parts(parts, ARRAY_LEN(parts), hash);
    return span_eq(extra, span_of(hash, sizeof(hash)));
}

static bool same_key(const struct sign_key *a, const struct sign_key *b)
{
    char kids[2][SIGN_KID_SIZE];

    sign_key_kid(a, kids[0]);
    sign_key_kid(b, kids[1]);
    return strcmp(kids[0], kids[1]) == 0;
}

int tpm_check(const struct statement *statement, const struct attestation_facts *facts,
              struct err *err)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *in_tpm = NULL;
    struct span extra;
    struct span name;

    if (!span_eq_str(statement->ver, "2.0") || statement->cert_count == 0 ||
        statement->sig.len == 0)
        return err_set(err, ERR_INVALID, "the attestation statement is none of the format tpm");
    TRY(read_public(statement->pub_area, &in_tpm, err));
    TRY(read_certificate(statement->cert_info, &extra, &name, err));
    if (!same_key(in_tpm, facts->key) || !is_name_of(name, statement->pub_area) ||
        !is_hash_of(extra, facts))
        return err_set(err, ERR_DENIED, "the TPM certified another key or registration");
    TRY(chain_check_leaf(statement->certs[0], CHAIN_AIK, facts->parsed->aaguid, err));
    return chain_verify(statement->certs[0], statement->alg, statement->cert_info, statement->sig,
                        err);
}
