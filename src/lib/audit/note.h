/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints (C2SP tlog-checkpoint) as signed notes (C2SP signed-note) with Ed25519:
 *
 *     origin                        the log's name, unique and without '+' or blanks
 *     1234                          size of the tree
 *     7yFb...=                      root hash, base64
 *                                   (an empty line)
 *     — origin 3fa9...=             base64 of 4 bytes of key id and 64 of signature
 *
 * Lines by signers that are not known, such as witnesses, are allowed.
 */
#ifndef DRUN_AUDIT_NOTE_H
#define DRUN_AUDIT_NOTE_H

#include "audit/tree.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum {
    NOTE_NAME_SIZE = 128, /* with its NUL */
    NOTE_MAX = 16 * 1024, /* bytes of one note */
    NOTE_PUBLIC_LEN = 32,
    NOTE_SIG_LEN = 64,
    NOTE_ID_LEN = 4,
    NOTE_SIGNERS_MAX = 16,
};

/* A public key that signs notes; a value. */
struct note_key {
    char name[NOTE_NAME_SIZE];
    uint8_t id[NOTE_ID_LEN];
    uint8_t public[NOTE_PUBLIC_LEN];
};

/* All keys that are trusted: of the log's generations, of witnesses. */
struct note_keys {
    struct note_key key[NOTE_SIGNERS_MAX];
    size_t count;
};

int note_key_init(struct note_key *key, const char *name, const uint8_t public[NOTE_PUBLIC_LEN],
                  struct err *err) MUST_USE;
/* "name+3fa91c22+base64": the form in which a verifier is published. */
void note_key_put(const struct note_key *key, struct buf *out);
int note_key_parse(struct span text, struct note_key *out, struct err *err) MUST_USE;
/* One key a line; or one PEM public key, which then is the key of `origin`. */
int note_keys_parse(struct span text, const char *origin, struct note_keys *out,
                    struct err *err) MUST_USE;

struct checkpoint {
    char origin[NOTE_NAME_SIZE];
    uint64_t size;
    struct tree_hash root;
};

/* The text that is signed: ends in a newline. */
void checkpoint_put(const struct checkpoint *checkpoint, struct buf *out);
/* Behind that text: the empty line and the first signature, or with `first` false another one. */
void note_put_signature(const struct note_key *key, const uint8_t sig[NOTE_SIG_LEN], bool first,
                        struct buf *out);

/* The text of a note that at least one of the keys signed. ERR_UNAUTHENTICATED when none did,
 * ERR_CORRUPT when one of them did not sign what it claims, ERR_INVALID when it is no note. */
int note_open(struct span note, const struct note_keys *keys, struct span *out_text,
              struct err *err) MUST_USE;
/* A signed checkpoint of `origin`. */
int checkpoint_open(struct span note, const struct note_keys *keys, const char *origin,
                    struct checkpoint *out, struct err *err) MUST_USE;

#endif
