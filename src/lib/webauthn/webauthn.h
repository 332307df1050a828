/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relying party's half of WebAuthn (W3C Web Authentication Level 3): is what a browser sends
 * after navigator.credentials.create() or .get() what it must be? Bytes in, verdict out: no store,
 * no clock but for certificates, nothing random. Challenges, and that each is used once, are the
 * caller's.
 *
 * Registration (section 7.1) reads CBOR, by libcbor's streaming decoder and without building
 * anything: definite lengths, no tags, at most CBOR_DEPTH_MAX deep (CTAP2's canonical form). An
 * assertion (section 7.2) reads none but the extensions behind the counter: who signs in reaches
 * less code than who is in.
 *
 * Keys: ES256, EdDSA (Ed25519) and RS256.
 */
#ifndef DRUN_WEBAUTHN_WEBAUTHN_H
#define DRUN_WEBAUTHN_WEBAUTHN_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/sign.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WEBAUTHN_ID_MAX = 1023, /* bytes of a credential's id (section 4) */
    WEBAUTHN_CLIENT_DATA_MAX = 4096,
    WEBAUTHN_AUTH_DATA_MAX = 8 * 1024,
    WEBAUTHN_ATTESTATION_MAX = 64 * 1024,
    WEBAUTHN_AAGUID_LEN = 16,
    WEBAUTHN_HASH_LEN = 32,
};

/* COSE algorithm identifiers (RFC 9053, RFC 8812), in the order in which we like them. */
enum { WEBAUTHN_EDDSA = -8, WEBAUTHN_ES256 = -7, WEBAUTHN_RS256 = -257 };

/* What a ceremony must be about. */
struct webauthn_site {
    const char *rp_id;  /* "drun.example" */
    const char *origin; /* "https://drun.example:8443" */
};

struct webauthn_ceremony {
    const struct webauthn_site *site;
    struct span challenge;  /* as sent: base64url text */
    bool user_verification; /* a PIN or a finger is demanded; presence always is */
};

/* ------------------------------------------------------------------ registration */

/* How the key says what made it. */
enum webauthn_attestation {
    WEBAUTHN_ATTESTATION_NONE,    /* it does not */
    WEBAUTHN_ATTESTATION_SELF,    /* signed by the key itself: whole, from anywhere */
    WEBAUTHN_ATTESTATION_BASIC,   /* signed by a certificate that no root of ours vouches for */
    WEBAUTHN_ATTESTATION_TRUSTED, /* and one does */
};

const char *webauthn_attestation_name(enum webauthn_attestation attestation);

struct webauthn_roots;

struct webauthn_credential {
    struct span id; /* in the attestation object */
    uint8_t aaguid[WEBAUTHN_AAGUID_LEN];
    struct sign_key *key; /* the caller's to free */
    uint32_t sign_count;
    bool user_verified;
    bool backup_eligible; /* may be copied to other devices: a "synced" passkey */
    bool backed_up;
    const char *format; /* "packed"; a constant */
    enum webauthn_attestation attestation;
};

/* `client_data` is the JSON of AuthenticatorAttestationResponse, `attestation_object` its CBOR.
 * `roots` (may be NULL) are asked who vouches for the attestation. ERR_INVALID: malformed, says
 * where; ERR_DENIED: well formed and not acceptable, says why; ERR_UNSUPPORTED: an algorithm or a
 * format that we do not verify. */
int webauthn_register(const struct webauthn_ceremony *ceremony, const struct webauthn_roots *roots,
                      struct span client_data, struct span attestation_object,
                      struct webauthn_credential *out, struct err *err) MUST_USE;

/* Certificates that vouch for authenticators, PEM, one after the other; at least one. */
int webauthn_roots_new(struct span pem, struct webauthn_roots **out, struct err *err) MUST_USE;
void webauthn_roots_free(struct webauthn_roots *roots);

/* ------------------------------------------------------------------ assertion */

struct webauthn_response {
    struct span client_data, auth_data, signature;
};

struct webauthn_assertion {
    uint32_t sign_count;
    bool user_verified;
    bool backup_eligible;
    bool backed_up;
};

/* ERR_INVALID and ERR_DENIED as above; a signature that is not the key's is ERR_DENIED. The counter
 * is the caller's to judge (webauthn_count_is_good()). */
int webauthn_assert(const struct webauthn_ceremony *ceremony, const struct sign_key *key,
                    const struct webauthn_response *response, struct webauthn_assertion *out,
                    struct err *err) MUST_USE;

/* Section 6.1.1: a counter that does not grow shows a copied key. Authenticators that do not count
 * say 0 always. */
bool webauthn_count_is_good(uint32_t stored, uint32_t seen);

#endif
