/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Key (RFC 9052 section 7, RFC 9053 section 7, RFC 8230 section 4) as one of our keys. */
#include "base/buf.h"
#include "base/enc.h"
#include "base/mem.h"
#include "webauthn/webauthn_internal.h"

enum { KTY_OKP = 1, KTY_EC2 = 2, KTY_RSA = 3, CRV_P256 = 1, CRV_ED25519 = 6, MEMBERS_MAX = 8 };

/* The labels: kty 1, alg 3; then by kty: crv or n -1, x or e -2, y -3. */
struct members {
    int64_t kty, alg, crv;
    struct span n, x_or_e, y;
    unsigned seen;
};

static void read_first_of_curve(struct cbor_reader *reader, struct members *out)
{
    struct cbor_reader ahead = *reader;
    struct cbor_item item;

    if (cbor_read(&ahead, &item) && item.kind == CBOR_BYTES)
        out->n = cbor_read_bytes(reader, CBOR_BYTES);
    else
        out->crv = cbor_read_int(reader);
}

static void read_member(struct cbor_reader *reader, struct members *out)
{
    int64_t label = cbor_read_int(reader);
    unsigned bit = 0;

    switch (label) {
    case 1: bit = 1, out->kty = cbor_read_int(reader); break;
    case 3: bit = 2, out->alg = cbor_read_int(reader); break;
    case -1: bit = 4, read_first_of_curve(reader, out); break;
    case -2: bit = 8, out->x_or_e = cbor_read_bytes(reader, CBOR_BYTES); break;
    case -3: bit = 16, out->y = cbor_read_bytes(reader, CBOR_BYTES); break;
    default: reader->failed = true; /* section 6.5.1.1: no other may be there */
    }
    reader->failed |= (out->seen & bit) != 0;
    out->seen |= bit;
}

static int read_members(struct span bytes, struct members *out, struct err *err)
{
    struct cbor_reader reader = cbor_reader_of(bytes);
    uint64_t count = cbor_read_count(&reader, CBOR_MAP);

    for (uint64_t i = 0; i < count && count <= MEMBERS_MAX && !reader.failed; i++)
        read_member(&reader, out);
    if (reader.failed || count > MEMBERS_MAX || reader.rest.len > 0)
        return err_set(err, ERR_INVALID, "the credential's public key is no COSE key");
    return 0;
}

/* A number or coordinate of a JWK. */
static bool put(struct span bytes, size_t len, char *out, size_t size)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(size - 1);

    enc_base64_put(ENC_BASE64URL, bytes, &text);
    if (bytes.len == 0 || (len > 0 && bytes.len != len) || text.overflowed)
        return false;
    memcpy(out, buf_text(&text), text.len + 1);
    return true;
}

static bool put_jwk(const struct members *from, struct sign_jwk *jwk)
{
    if (from->kty == KTY_EC2 && from->alg == WEBAUTHN_ES256 && from->crv == CRV_P256) {
        memcpy(jwk->kty, "EC", 3);
        memcpy(jwk->crv, "P-256", 6);
        return put(from->x_or_e, 32, jwk->x, sizeof(jwk->x)) &&
               put(from->y, 32, jwk->y, sizeof(jwk->y));
    }
    if (from->kty == KTY_OKP && from->alg == WEBAUTHN_EDDSA && from->crv == CRV_ED25519) {
        memcpy(jwk->kty, "OKP", 4);
        memcpy(jwk->crv, "Ed25519", 8);
        return from->y.p == NULL && put(from->x_or_e, 32, jwk->x, sizeof(jwk->x));
    }
    if (from->kty == KTY_RSA && from->alg == WEBAUTHN_RS256) {
        memcpy(jwk->kty, "RSA", 4);
        return from->y.p == NULL && put(from->n, 0, jwk->n, sizeof(jwk->n)) &&
               put(from->x_or_e, 0, jwk->e, sizeof(jwk->e));
    }
    return false;
}

int cose_key_parse(struct span bytes, struct sign_key **out, int64_t *alg, struct err *err)
{
    struct members members = {0};
    struct sign_jwk jwk = {0};

    TRY(read_members(bytes, &members, err));
    if (!put_jwk(&members, &jwk))
        return err_set(err, ERR_UNSUPPORTED,
                       "the credential's public key is none of ES256, EdDSA and RS256 "
                       "(COSE algorithm %lld)",
                       (long long)members.alg);
    *alg = members.alg;
    return sign_key_from_jwk(&jwk, out, err);
}

bool cose_point_of(const struct sign_key *key, uint8_t out[65])
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct err err = ERR_INIT;

    if (sign_key_alg(key) != SIGN_ES256 || sign_key_to_spki(key, &spki, &err) < 0 || spki.len < 65)
        return false;
    memcpy(out, spki.data + spki.len - 65, 65);
    return true;
}
