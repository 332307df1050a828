/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking kms. Private keys and key-encryption keys (KEKs) never leave that process; a role asks
 * for an operation by the name of the key. What a role may ask for is in kms' tables
 * (src/roles/kms/table.c); the rest is ERR_DENIED and becomes an audit event. While the keyring
 * is sealed everything but keys_status(), keys_events() and keys_unseal() is ERR_UNAVAILABLE. The
 * messages are in docs/PROTOCOL.kms.
 *
 *     CLEANUP(secret_free_ptr) struct secret *key = NULL;
 *     struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
 *     TRY(keys_data_new(kms, "idp/users", &key, &wrapped, err));      keep `wrapped` on disk
 *     ...
 *     TRY(keys_data_open(kms, "idp/users", wrapped_on_disk, &key, err));       at the next start
 */
#ifndef DRUN_KEYS_KEYS_H
#define DRUN_KEYS_KEYS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"
#include "crypto/sign.h"
#include "crypto/x509.h"
#include "ipc/ipc.h"

enum {
    KEYS_NAME_SIZE = 64,       /* of a collection or a signing key, with its NUL */
    KEYS_DATA_LEN = 32,        /* a data key: AES-256 */
    KEYS_WRAPPED_MAX = 128,    /* a wrapped data key */
    KEYS_SIGN_MAX = 64 * 1024, /* bytes to sign in one message, all inputs together */
    KEYS_BATCH_MAX = 128,      /* inputs in one batch */
    KEYS_SANS_MAX = 32,
    KEYS_LIST_MAX = 64,
    KEYS_CERT_TTL_MIN_SEC = 60,
    KEYS_CERT_TTL_MAX_SEC = 7 * 24 * 3600,
    KEYS_PEM_MAX = 16 * 1024, /* a certificate chain */
    KEYS_EVENTS_MAX = 64,     /* events in one answer */
    KEYS_PASSPHRASE_MAX = 1024,
};

/* ------------------------------------------------------------------ data keys */

/*
 * A collection is "owner/name": "api/configmaps", "idp/users", "audit/log", "agent/blobs"; lower
 * case letters, digits, '-', '_', '.' and '/'. The wrapped form names the KEK's version and opens
 * for this collection of this instance alone: otherwise ERR_CORRUPT.
 */
int keys_data_new(struct ipc_client *kms, const char *collection, struct secret **out,
                  struct buf *wrapped, struct err *err) MUST_USE;
int keys_data_open(struct ipc_client *kms, const char *collection, struct span wrapped,
                   struct secret **out, struct err *err) MUST_USE;
/* The same data key under the newest KEK. Returns 1 when `out` has a new form, 0 when the old one
 * is under the newest KEK already (`out` then has a copy of it). */
int keys_data_rewrap(struct ipc_client *kms, const char *collection, struct span wrapped,
                     struct buf *out, struct err *err) MUST_USE;
/* The KEK's version in a wrapped key, without asking kms; 0 when it is none. */
uint32_t keys_wrapped_version(struct span wrapped);

/* ------------------------------------------------------------------ signatures */

/*
 * A signing key has a name ("oidc", "oidc-rs256", "oidc-eddsa", "audit") and several generations,
 * each with its own kid (sign_key_kid()): the next one, published before it signs; the current
 * one; and retired ones, which still verify until `until_sec`.
 */
enum keys_state { KEYS_NEXT, KEYS_CURRENT, KEYS_RETIRED };

struct keys_public {
    char name[KEYS_NAME_SIZE];
    char kid[SIGN_KID_SIZE];
    enum sign_alg alg;
    enum keys_state state;
    int64_t from_sec;  /* signs (or will sign) from here on */
    int64_t until_sec; /* retired: nothing it signed is valid later; otherwise 0 */
    uint8_t spki[SIGN_SPKI_MAX];
    size_t spki_len;
};

struct keys_public_list {
    struct keys_public *items;
    size_t count;
};

void keys_public_list_free(struct keys_public_list *list); /* for CLEANUP */

/* The current generation of one key. */
int keys_public(struct ipc_client *kms, const char *name, struct keys_public *out,
                struct err *err) MUST_USE;
/* Every generation of every key whose name starts with `prefix`: "oidc" gives what belongs into
 * the JWKS, "audit" what verifies checkpoints. */
int keys_list_public(struct ipc_client *kms, const char *prefix, struct keys_public_list *out,
                     struct err *err) MUST_USE;

/*
 * Appends the signature in JOSE's form (crypto/sign.h). A JWT names its key before it is signed:
 * give the `kid` that is in its header, and a rotation in between is ERR_GONE (ask keys_public()
 * and build it again). NULL signs with the current generation.
 */
int keys_sign(struct ipc_client *kms, const char *name, const char *kid, struct span data,
              struct buf *sig, struct err *err) MUST_USE;
/* Signs `count` inputs in one round trip: `sigs` gets count signatures of *out_sig_len bytes each.
 * Up to KEYS_BATCH_MAX inputs and KEYS_SIGN_MAX bytes; all are signed or none. */
int keys_sign_batch(struct ipc_client *kms, const char *name, const char *kid,
                    const struct span *inputs, size_t count, struct buf *sigs, size_t *out_sig_len,
                    struct err *err) MUST_USE;

/* The same from the loop, on a client that is attached to one (ipc_client_attach()): `fn` gets kms'
 * answer, which keys_get_signatures() reads. The inputs are copied. */
int keys_sign_later(struct ipc_client *kms, const char *name, const char *kid,
                    const struct span *inputs, size_t count, ipc_answer_fn *fn, void *ctx,
                    struct err *err) MUST_USE;
/* The signatures one behind the other, within the answer. */
int keys_get_signatures(struct span answer, size_t count, struct span *out, size_t *out_sig_len,
                        struct err *err) MUST_USE;

/* ------------------------------------------------------------------ certificates */

/* A server certificate of the internal CA for the key of the CSR (x509_csr_new()) and these names
 * (the CSR's own are ignored), with the CA's certificate behind it, PEM. */
int keys_certify(struct ipc_client *kms, struct span csr_der, const struct x509_san *sans,
                 size_t san_count, uint32_t ttl_sec, struct buf *chain_pem,
                 struct err *err) MUST_USE;
/* The CA's certificates that clients must trust now, newest first: one, or two while a rotation
 * overlaps. */
int keys_ca_pem(struct ipc_client *kms, struct buf *pem, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ state */

struct keys_status {
    bool sealed;
    bool memory_locked; /* secret memory cannot be swapped out */
    char provider[16];  /* "passphrase", "keyfile" */
    /* All below are 0 while sealed. */
    uint32_t kek_version;    /* the newest */
    uint32_t kek_count;      /* all that are kept to open */
    int64_t kek_created_sec; /* of the newest */
    uint64_t kek_wraps;      /* made with the newest, rounded up over restarts */
    uint32_t signing_count;  /* generations of all signing keys */
    int64_t ca_until_sec;    /* the CA's certificate is valid until then */
    /* Since kms started. */
    uint64_t data_opened; /* data keys made or opened */
    uint64_t signatures;
    uint64_t certificates;
    uint64_t denied;
    uint64_t events_lost; /* events that found the list full */
};

int keys_status(struct ipc_client *kms, struct keys_status *out, struct err *err) MUST_USE;

/* "kek", "ca" or the name of a signing key; at once, besides the schedule. The new generation of
 * a signing key is used when it has been published long enough (from_sec). */
int keys_rotate(struct ipc_client *kms, const char *what, struct err *err) MUST_USE;

/* The supervisor's, for an operator: the passphrase opens the keyring (ERR_DENIED when it is
 * wrong); sealing forgets every key until then. */
int keys_unseal(struct ipc_client *kms, const struct secret *passphrase, struct err *err) MUST_USE;
int keys_seal(struct ipc_client *kms, struct err *err) MUST_USE;
/* From now on the keyring opens with this material of this provider alone. */
int keys_reseal(struct ipc_client *kms, const char *provider, const struct secret *material,
                struct err *err) MUST_USE;
/* For a key that has leaked: the generation with this kid signs no more and is published no more;
 * if it was the current one, the next one (or a new one) signs at once. One of "audit" that has
 * signed stays published as retired: what it signed before must still verify. */
int keys_withdraw(struct ipc_client *kms, const char *kid, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ security events */

/*
 * kms calls nobody, so the audit role fetches what kms has to report. Equal events that were not
 * fetched yet are counted in one. `mark` starts zeroed; the next call with the mark acknowledges
 * what the last one returned: call again only when those are durable. Nothing is returned twice
 * unless the acknowledgement was lost. `count` may be less than there are: call until it is 0.
 */
enum keys_event_kind {
    KEYS_EVENT_DENIED = 1, /* a request that the tables do not allow */
    KEYS_EVENT_CORRUPT,    /* a wrapped key that does not open */
    KEYS_EVENT_ROTATED,
    KEYS_EVENT_CERTIFIED,
    KEYS_EVENT_UNSEALED,
    KEYS_EVENT_UNSEAL_FAILED,
    KEYS_EVENT_SEALED,
    KEYS_EVENT_FAILED, /* the keyring cannot be written */
    KEYS_EVENT_WITHDRAWN,
    KEYS_EVENT_RESEALED,
    KEYS_EVENT_KIND_COUNT
};

struct keys_event {
    enum keys_event_kind kind;
    unsigned peer;     /* enum role_id of who asked; KEYS_EVENT_NOBODY: kms itself */
    uint64_t first_ns; /* wall clock */
    uint64_t last_ns;  /* of the latest equal one */
    uint32_t times;    /* how often */
    char subject[160]; /* the message and what it named: "data_open idp/users" */
};

enum { KEYS_EVENT_NOBODY = 255 };

struct keys_mark {
    uint64_t boot; /* which run of kms */
    uint64_t seq;
};

const char *keys_event_name(enum keys_event_kind kind); /* "denied" … */
int keys_events(struct ipc_client *kms, struct keys_mark *mark,
                struct keys_event out[KEYS_EVENTS_MAX], size_t *out_count,
                struct err *err) MUST_USE;

#endif
