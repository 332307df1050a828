/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing here depends on input that was not checked before: a failure is one of memory. */
#include "crypto/x509_internal.h"

#include "base/mem.h"

#include <arpa/inet.h>

static void add(X509 *cert, int nid, void *value, bool critical)
{
    INVARIANT(X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_DEFAULT) == 1);
}

void x509_add_constraints(X509 *cert, bool ca)
{
    BASIC_CONSTRAINTS *value = BASIC_CONSTRAINTS_new();

    INVARIANT(value != NULL);
    value->ca = ca ? 0xff : 0; /* DER has one TRUE; OpenSSL writes what is here */
    if (ca) {
        value->pathlen = ASN1_INTEGER_new();
        INVARIANT(value->pathlen != NULL && ASN1_INTEGER_set(value->pathlen, 0) == 1);
    }
    add(cert, NID_basic_constraints, value, true);
    BASIC_CONSTRAINTS_free(value);
}

/* KU_* count from the left of the bit string (RFC 5280 section 4.2.1.3). */
void x509_add_usage(X509 *cert, int bits)
{
    ASN1_BIT_STRING *value = ASN1_BIT_STRING_new();

    INVARIANT(value != NULL);
    for (int i = 0; i < 8; i++)
        if ((bits & 0x80 >> i) != 0)
            INVARIANT(ASN1_BIT_STRING_set_bit(value, i, 1) == 1);
    add(cert, NID_key_usage, value, true);
    ASN1_BIT_STRING_free(value);
}

void x509_add_server_auth(X509 *cert)
{
    EXTENDED_KEY_USAGE *value = EXTENDED_KEY_USAGE_new();

    INVARIANT(value != NULL && sk_ASN1_OBJECT_push(value, OBJ_nid2obj(NID_server_auth)) > 0);
    add(cert, NID_ext_key_usage, value, false);
    EXTENDED_KEY_USAGE_free(value);
}

static ASN1_OCTET_STRING *key_id(X509 *cert)
{
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len;

    /* SHA-1 as a name, not as protection (RFC 5280 section 4.2.1.2, method 1). */
    INVARIANT(X509_pubkey_digest(cert, EVP_sha1(), hash, &len) == 1);
    INVARIANT(value != NULL && ASN1_OCTET_STRING_set(value, hash, (int)len) == 1);
    return value;
}

void x509_add_key_ids(X509 *cert, X509 *issuer)
{
    ASN1_OCTET_STRING *own = key_id(cert);
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();

    INVARIANT(authority != NULL);
    authority->keyid = key_id(issuer);
    add(cert, NID_subject_key_identifier, own, false);
    add(cert, NID_authority_key_identifier, authority, false);
    ASN1_OCTET_STRING_free(own);
    AUTHORITY_KEYID_free(authority);
}

static GENERAL_NAME *name_of(const struct x509_san *san)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text;

    INVARIANT(name != NULL);
    if (san->kind == X509_SAN_IP) {
        text = a2i_IPADDRESS(san->value);
        INVARIANT(text != NULL);
        GENERAL_NAME_set0_value(name, GEN_IPADD, text);
        return name;
    }
    text = ASN1_IA5STRING_new();
    INVARIANT(text != NULL && ASN1_STRING_set(text, san->value, -1) == 1);
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    return name;
}

void x509_add_sans(X509 *cert, const struct x509_san *sans, size_t count)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();

    INVARIANT(names != NULL);
    for (size_t i = 0; i < count; i++)
        INVARIANT(sk_GENERAL_NAME_push(names, name_of(&sans[i])) > 0);
    add(cert, NID_subject_alt_name, names, false);
    GENERAL_NAMES_free(names);
}
