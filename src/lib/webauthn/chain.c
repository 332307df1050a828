/* SPDX-License-Identifier: Apache-2.0 */
/* Attestation certificates. OpenSSL does the reading and the path; the rules are WebAuthn's. */
#include "base/mem.h"
#include "crypto/x509.h"
#include "webauthn/webauthn_internal.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { ROOTS_MAX = 1000 };

#define OID_FIDO_AAGUID "1.3.6.1.4.1.45724.1.1.4"
#define OID_APPLE_NONCE "1.2.840.113635.100.8.2"
#define OID_TCG_AIK     "2.23.133.8.3"

struct webauthn_roots {
    X509_STORE *store;
};

static void free_cert(X509 **cert)
{
    X509_free(*cert);
}

static void free_object(ASN1_OBJECT **object)
{
    ASN1_OBJECT_free(*object);
}

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

#define CLEANUP_CERT CLEANUP(free_cert)

static X509 *read_cert(struct span der)
{
    const uint8_t *end = der.p;
    X509 *cert =
        der.len == 0 || der.len > X509_DER_MAX ? NULL : d2i_X509(NULL, &end, (long)der.len);

    ERR_clear_error();
    if (cert != NULL && end == der.p + der.len)
        return cert;
    X509_free(cert);
    return NULL;
}

/* The octets of an extension; critical or not. */
static struct span extension(const X509 *cert, const char *oid)
{
    CLEANUP(free_object) ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = X509_get_ext_by_OBJ(cert, object, -1);

    if (at < 0)
        return span_of(NULL, 0);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(cert, at));
    return span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
}

/* ------------------------------------------------------------------ the leaf */

static bool subject_is(const X509 *cert, int nid, const char *wanted)
{
    char text[64];

    return X509_NAME_get_text_by_NID(X509_get_subject_name(cert), nid, text, sizeof(text)) > 0 &&
           (wanted == NULL || strcmp(text, wanted) == 0);
}

/* The extension, where there is one, is an octet string of the authenticator's model. */
static bool aaguid_fits(const X509 *cert, struct span aaguid)
{
    struct span value = extension(cert, OID_FIDO_AAGUID);

    if (value.p == NULL)
        return true;
    return value.len == 2 + WEBAUTHN_AAGUID_LEN && value.p[0] == V_ASN1_OCTET_STRING &&
           value.p[1] == WEBAUTHN_AAGUID_LEN &&
           span_eq(span_of(value.p + 2, WEBAUTHN_AAGUID_LEN), aaguid);
}

static bool is_for_aik(X509 *cert)
{
    CLEANUP(free_object) ASN1_OBJECT *wanted = OBJ_txt2obj(OID_TCG_AIK, 1);
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_ASN1_OBJECT_num(usage); i++)
        found |= OBJ_cmp(sk_ASN1_OBJECT_value(usage, i), wanted) == 0;
    EXTENDED_KEY_USAGE_free(usage);
    return found;
}

static bool fits(X509 *cert, enum chain_rule rule, struct span aaguid)
{
    bool ca = X509_check_ca(cert) != 0;

    if (X509_get_version(cert) != X509_VERSION_3)
        return false;
    switch (rule) {
    case CHAIN_PACKED:
        return !ca && subject_is(cert, NID_countryName, NULL) &&
               subject_is(cert, NID_organizationName, NULL) &&
               subject_is(cert, NID_commonName, NULL) &&
               subject_is(cert, NID_organizationalUnitName, "Authenticator Attestation") &&
               aaguid_fits(cert, aaguid);
    case CHAIN_AIK:
        return !ca && X509_NAME_entry_count(X509_get_subject_name(cert)) == 0 &&
               X509_get_ext_by_NID(cert, NID_subject_alt_name, -1) >= 0 && is_for_aik(cert) &&
               aaguid_fits(cert, aaguid);
    case CHAIN_ANY: break;
    }
    return true;
}

int chain_check_leaf(struct span leaf_der, enum chain_rule rule, struct span aaguid,
                     struct err *err)
{
    CLEANUP_CERT X509 *cert = read_cert(leaf_der);

    if (cert == NULL)
        return err_set(err, ERR_INVALID, "the attestation certificate cannot be read");
    bool good = fits(cert, rule, aaguid);
    ERR_clear_error();
    if (!good)
        return err_set(err, ERR_DENIED, "the certificate is none for attestation");
    return 0;
}

int chain_verify(struct span leaf_der, int64_t alg, struct span data, struct span sig,
                 struct err *err)
{
    static const struct {
        int64_t cose;
        enum sign_alg alg;
    } algs[] = {
        {WEBAUTHN_ES256, SIGN_ES256}, {WEBAUTHN_EDDSA, SIGN_EDDSA}, {WEBAUTHN_RS256, SIGN_RS256}};
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;

    TRY(x509_public_key(leaf_der, &key, err));
    for (size_t i = 0; i < ARRAY_LEN(algs); i++)
        if (algs[i].cose == alg && algs[i].alg == sign_key_alg(key))
            return sign_verify_asn1(key, data, sig, err);
    return err_set(err, ERR_UNSUPPORTED,
                   "the certificate's key does not sign by the algorithm %lld", (long long)alg);
}

/* SEQUENCE { [1] { OCTET STRING of 32 bytes } } */
bool chain_apple_nonce(struct span leaf_der, uint8_t out[WEBAUTHN_HASH_LEN])
{
    static const uint8_t head[] = {0x30, 0x24, 0xa1, 0x22, 0x04, 0x20};
    CLEANUP_CERT X509 *cert = read_cert(leaf_der);
    struct span value = cert == NULL ? span_of(NULL, 0) : extension(cert, OID_APPLE_NONCE);

    if (value.len != sizeof(head) + WEBAUTHN_HASH_LEN || memcmp(value.p, head, sizeof(head)) != 0)
        return false;
    memcpy(out, value.p + sizeof(head), WEBAUTHN_HASH_LEN);
    return true;
}

/* ------------------------------------------------------------------ roots */

void webauthn_roots_free(struct webauthn_roots *roots)
{
    if (roots == NULL)
        return;
    X509_STORE_free(roots->store);
    free(roots);
}

int webauthn_roots_new(struct span pem, struct webauthn_roots **out, struct err *err)
{
    CLEANUP(free_bio) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    struct webauthn_roots *roots = mem_new(sizeof(*roots));
    int count = 0;

    *out = roots;
    roots->store = X509_STORE_new();
    INVARIANT(bio != NULL && roots->store != NULL);
    for (X509 *cert; (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL; count++) {
        bool kept = count < ROOTS_MAX && X509_STORE_add_cert(roots->store, cert) == 1;
        X509_free(cert);
        if (!kept)
            return err_set(err, ERR_INVALID, "certificate %d cannot be taken", count + 1);
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (count == 0 || !at_end)
        return err_set(err, ERR_INVALID, "no certificate can be read behind the first %d", count);
    return 0;
}

bool chain_is_trusted(const struct webauthn_roots *roots, const struct statement *statement)
{
    CLEANUP_CERT X509 *leaf = statement->cert_count == 0 ? NULL : read_cert(statement->certs[0]);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();

    INVARIANT(ctx != NULL && others != NULL);
    for (size_t i = 1; i < statement->cert_count; i++) {
        X509 *cert = read_cert(statement->certs[i]);
        if (cert != NULL)
            INVARIANT(sk_X509_push(others, cert) > 0);
    }
    bool trusted = false;
    if (roots != NULL && leaf != NULL &&
        X509_STORE_CTX_init(ctx, roots->store, leaf, others) == 1) {
        /* A root may be an intermediate, or the authenticator's own certificate. */
        X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);
        trusted = X509_verify_cert(ctx) == 1;
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(others, X509_free);
    ERR_clear_error();
    return trusted;
}
