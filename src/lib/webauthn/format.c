/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of attestation statements: section 8. */
#include "base/buf.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "crypto/x509.h"
#include "webauthn/webauthn_internal.h"

enum { SIGNED_MAX = WEBAUTHN_AUTH_DATA_MAX + 2048 };

const char *webauthn_attestation_name(enum webauthn_attestation attestation)
{
    switch (attestation) {
    case WEBAUTHN_ATTESTATION_SELF: return "self";
    case WEBAUTHN_ATTESTATION_BASIC: return "basic";
    case WEBAUTHN_ATTESTATION_TRUSTED: return "trusted";
    default: return "none";
    }
}

static int malformed(const char *format, struct err *err)
{
    return err_set(err, ERR_INVALID, "the attestation statement is none of the format %s", format);
}

/* What most formats sign: the authenticator data and the hash of the client data. */
static void put_signed(const struct attestation_facts *facts, struct buf *out)
{
    buf_put_span(out, facts->auth_data);
    buf_put(out, facts->client_hash, sizeof(facts->client_hash));
}

/* ------------------------------------------------------------------ the formats */

static int check_none(const struct statement *statement,
                      const struct attestation_facts *facts UNUSED, enum webauthn_attestation *out,
                      struct err *err)
{
    *out = WEBAUTHN_ATTESTATION_NONE;
    return statement->members == 0 ? 0 : malformed("none", err);
}

/* Section 8.2. */
static int check_packed(const struct statement *statement, const struct attestation_facts *facts,
                        enum webauthn_attestation *out, struct err *err)
{
    CLEANUP(buf_free) struct buf data = BUF_INIT(SIGNED_MAX);

    if (statement->sig.len == 0 || statement->alg == 0)
        return malformed("packed", err);
    put_signed(facts, &data);
    TRY(buf_check(&data, "the authenticator data", err));
    if (statement->cert_count == 0) {
        *out = WEBAUTHN_ATTESTATION_SELF;
        if (statement->alg != facts->alg)
            return err_set(err, ERR_DENIED,
                           "the attestation is of another algorithm than the key that made it");
        return sign_verify_asn1(facts->key, buf_span(&data), statement->sig, err);
    }
    *out = WEBAUTHN_ATTESTATION_BASIC;
    TRY(chain_check_leaf(statement->certs[0], CHAIN_PACKED, facts->parsed->aaguid, err));
    return chain_verify(statement->certs[0], statement->alg, buf_span(&data), statement->sig, err);
}

/* Section 8.6: what U2F keys signed. */
static int check_u2f(const struct statement *statement, const struct attestation_facts *facts,
                     enum webauthn_attestation *out, struct err *err)
{
    static const uint8_t no_aaguid[WEBAUTHN_AAGUID_LEN];
    CLEANUP(buf_free) struct buf data = BUF_INIT(SIGNED_MAX);
    uint8_t point[65];

    if (statement->sig.len == 0 || statement->cert_count != 1 ||
        !span_eq(facts->parsed->aaguid, span_of(no_aaguid, sizeof(no_aaguid))) ||
        !cose_point_of(facts->key, point))
        return malformed("fido-u2f", err);
    buf_put_u8(&data, 0);
    buf_put_span(&data, facts->parsed->rp_id_hash);
    buf_put(&data, facts->client_hash, sizeof(facts->client_hash));
    buf_put_span(&data, facts->parsed->credential_id);
    buf_put(&data, point, sizeof(point));
    TRY(buf_check(&data, "the registration", err));
    *out = WEBAUTHN_ATTESTATION_BASIC;
    return chain_verify(statement->certs[0], WEBAUTHN_ES256, buf_span(&data), statement->sig, err);
}

/* Section 8.8: the certificate is for the very key, and names the hash of what was asked. */
static int check_apple(const struct statement *statement, const struct attestation_facts *facts,
                       enum webauthn_attestation *out, struct err *err)
{
    CLEANUP(buf_free) struct buf data = BUF_INIT(SIGNED_MAX);
    CLEANUP(sign_key_free_ptr) struct sign_key *certified = NULL;
    uint8_t wanted[CRYPTO_HASH_LEN];
    uint8_t nonce[WEBAUTHN_HASH_LEN];
    char kids[2][SIGN_KID_SIZE];

    if (statement->cert_count == 0 || !chain_apple_nonce(statement->certs[0], nonce))
        return malformed("apple", err);
    put_signed(facts, &data);
    TRY(buf_check(&data, "the authenticator data", err));
    crypto_sha256(buf_span(&data), wanted);
    TRY(x509_public_key(statement->certs[0], &certified, err));
    sign_key_kid(certified, kids[0]);
    sign_key_kid(facts->key, kids[1]);
    if (!mem_equal_ct(nonce, wanted, sizeof(wanted)) || strcmp(kids[0], kids[1]) != 0)
        return err_set(err, ERR_DENIED, "the attestation is of another registration");
    *out = WEBAUTHN_ATTESTATION_BASIC;
    return 0;
}

static int check_tpm(const struct statement *statement, const struct attestation_facts *facts,
                     enum webauthn_attestation *out, struct err *err)
{
    *out = WEBAUTHN_ATTESTATION_BASIC;
    return tpm_check(statement, facts, err);
}

static const struct format {
    const char *name;
    int (*check)(const struct statement *statement, const struct attestation_facts *facts,
                 enum webauthn_attestation *out, struct err *err);
} formats[] = {
    {"none", check_none},   {"packed", check_packed}, {"fido-u2f", check_u2f},
    {"apple", check_apple}, {"tpm", check_tpm},
};

int statement_check(struct span format, const struct statement *statement,
                    const struct attestation_facts *facts, struct webauthn_credential *out,
                    struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (!span_eq_str(format, formats[i].name))
            continue;
        out->format = formats[i].name;
        if (formats[i].check(statement, facts, &out->attestation, err) < 0)
            return err_wrap(err, "the attestation (%s) does not hold", formats[i].name);
        /* Without a signature over it, as with Apple, the chain is all that there is. */
        if (out->attestation == WEBAUTHN_ATTESTATION_BASIC &&
            chain_is_trusted(facts->roots, statement))
            out->attestation = WEBAUTHN_ATTESTATION_TRUSTED;
        return 0;
    }
    return err_set(err, ERR_UNSUPPORTED,
                   "the attestation format is none of none, packed, fido-u2f, apple and tpm");
}
