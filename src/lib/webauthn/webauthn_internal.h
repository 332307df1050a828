/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder, its tests and fuzz targets. */
#ifndef DRUN_WEBAUTHN_INTERNAL_H
#define DRUN_WEBAUTHN_INTERNAL_H

#include "webauthn/webauthn.h"

/* ------------------------------------------------------------------ cbor.c: a reader */

enum { CBOR_DEPTH_MAX = 4 };

enum cbor_kind {
    CBOR_UINT = 1,
    CBOR_NEGINT, /* -1 - number */
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY, /* number: items */
    CBOR_MAP,   /* number: pairs */
    CBOR_OTHER, /* true, false, null, undefined, floats */
};

struct cbor_item {
    enum cbor_kind kind;
    uint64_t number;
    struct span bytes; /* in the input */
};

/* Remembers the first failure, as struct cursor does. */
struct cbor_reader {
    struct span rest;
    bool failed;
};

struct cbor_reader cbor_reader_of(struct span bytes);
/* False, and the reader has failed, when there is no well-formed item of the kinds above. */
bool cbor_read(struct cbor_reader *reader, struct cbor_item *out);
/* The next item with all that is in it; the bytes that it takes. */
struct span cbor_read_whole(struct cbor_reader *reader);
/* The next item must be of the kind; 0 and empty otherwise. */
uint64_t cbor_read_count(struct cbor_reader *reader, enum cbor_kind kind);
struct span cbor_read_bytes(struct cbor_reader *reader, enum cbor_kind kind);
/* An integer that fits. */
int64_t cbor_read_int(struct cbor_reader *reader);

/* ------------------------------------------------------------------ cose.c: public keys */

/* A COSE_Key (RFC 9052 section 7) that must fill `bytes`. *alg is the COSE algorithm. */
int cose_key_parse(struct span bytes, struct sign_key **out, int64_t *alg,
                   struct err *err) MUST_USE;
/* The affine point of a P-256 key: 04 x y. False for other keys. */
bool cose_point_of(const struct sign_key *key, uint8_t out[65]);

/* ------------------------------------------------------------------ auth_data.c, client_data.c */

enum {
    AUTH_DATA_UP = 0x01, /* user present */
    AUTH_DATA_UV = 0x04, /* user verified */
    AUTH_DATA_BE = 0x08, /* backup eligible */
    AUTH_DATA_BS = 0x10, /* backed up */
    AUTH_DATA_AT = 0x40, /* attested credential data */
    AUTH_DATA_ED = 0x80, /* extensions */
};

struct auth_data {
    struct span rp_id_hash;
    uint8_t flags;
    uint32_t sign_count;
    struct span aaguid, credential_id, key; /* only with AT */
};

/* Section 6.1; every byte counts. */
int auth_data_parse(struct span bytes, struct auth_data *out, struct err *err) MUST_USE;
/* Steps that both ceremonies have: the RP, presence, verification, flags that agree. */
int auth_data_check(const struct auth_data *data, const struct webauthn_ceremony *ceremony,
                    struct err *err) MUST_USE;
/* `type` is "webauthn.create" or "webauthn.get". */
int client_data_check(struct span json, const char *type, const struct webauthn_ceremony *ceremony,
                      struct err *err) MUST_USE;

/* ------------------------------------------------------------------ attestation.c */

struct attestation {
    struct span format, statement, auth_data; /* the statement is a CBOR map */
};

int attestation_parse(struct span bytes, struct attestation *out, struct err *err) MUST_USE;

/* What a statement is checked against. */
struct attestation_facts {
    struct span auth_data; /* whole */
    const struct auth_data *parsed;
    uint8_t client_hash[WEBAUTHN_HASH_LEN];
    const struct sign_key *key;
    int64_t alg;
    const struct webauthn_roots *roots;
};

enum { STATEMENT_CERTS_MAX = 6 };

/* The members of a statement that some format has. */
struct statement {
    int64_t alg; /* 0: none */
    struct span sig, ver, cert_info, pub_area;
    struct span certs[STATEMENT_CERTS_MAX]; /* DER, the leaf first */
    size_t cert_count;
    size_t members;
};

int statement_parse(struct span cbor, struct statement *out, struct err *err) MUST_USE;
/* Section 8: who attests, by the format's own rules. */
int statement_check(struct span format, const struct statement *statement,
                    const struct attestation_facts *facts, struct webauthn_credential *out,
                    struct err *err) MUST_USE;
/* tpm.c: section 8.3. */
int tpm_check(const struct statement *statement, const struct attestation_facts *facts,
              struct err *err) MUST_USE;

/* ------------------------------------------------------------------ chain.c: certificates */

/* What a leaf must be like. */
enum chain_rule {
    CHAIN_PACKED = 1, /* section 8.2.1: OU "Authenticator Attestation", no CA, the AAGUID */
    CHAIN_ANY,
    CHAIN_AIK, /* section 8.3.1 */
};

int chain_check_leaf(struct span leaf_der, enum chain_rule rule, struct span aaguid,
                     struct err *err) MUST_USE;
/* The leaf's signature over data by a COSE algorithm. */
int chain_verify(struct span leaf_der, int64_t alg, struct span data, struct span sig,
                 struct err *err) MUST_USE;
/* Does a root vouch for the leaf, over the others? */
bool chain_is_trusted(const struct webauthn_roots *roots, const struct statement *statement);
/* Apple's extension 1.2.840.113635.100.8.2: the hash in the leaf; false when there is none. */
bool chain_apple_nonce(struct span leaf_der, uint8_t out[WEBAUTHN_HASH_LEN]);

#endif
