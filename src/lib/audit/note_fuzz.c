/* SPDX-License-Identifier: Apache-2.0 */
/* The input as a note, as a list of keys, as a proof, and as a text that the right key has signed.
 */
#include "audit/report.h"

#include "base/mem.h"
#include "crypto/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sign_key *signer;
static struct note_keys keys;

static void init(void)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct err err = ERR_INIT;

    if (signer != NULL)
        return;
    INVARIANT(secret_heap_init(&err) == 0);
    INVARIANT(sign_key_generate(SIGN_EDDSA, &signer, &err) == 0);
    INVARIANT(sign_key_to_spki(signer, &spki, &err) == 0);
    INVARIANT(note_key_init(&keys.key[0], "drun/audit/test", spki.data + spki.len - NOTE_PUBLIC_LEN,
                            &err) == 0);
    keys.count = 1;
}

static void signed_text(struct span text)
{
    CLEANUP(buf_free) struct buf note = BUF_INIT(2 * NOTE_MAX);
    CLEANUP(buf_free) struct buf sig = BUF_INIT(NOTE_SIG_LEN);
    CLEANUP(buf_free) struct buf again = BUF_INIT(NOTE_MAX);
    struct checkpoint checkpoint;
    struct err err = ERR_INIT;

    if (text.len > NOTE_MAX / 2)
        return;
    INVARIANT(sign_data(signer, text, &sig, &err) == 0);
    buf_put_span(&note, text);
    note_put_signature(&keys.key[0], sig.data, true, &note);
    if (checkpoint_open(buf_span(&note), &keys, "drun/audit/test", &checkpoint, &err) < 0)
        return;
    checkpoint_put(&checkpoint, &again);
    INVARIANT(text.len >= again.len && memcmp(text.p, again.data, again.len) == 0);
}

static void proof(struct span text)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(AUDIT_PROOF_MAX + NOTE_MAX);
    struct audit_proof parsed;
    struct err err = ERR_INIT;

    if (text.len > NOTE_MAX || audit_proof_parse(text, &parsed, &err) < 0)
        return;
    INVARIANT(audit_proof_verify(&parsed, &keys, "drun/audit/test", &err) < 0);
    audit_proof_put(&parsed, &again);
    INVARIANT(again.overflowed || span_eq(buf_span(&again), text));
}

static void key_list(struct span text)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(NOTE_MAX);
    struct note_keys parsed;
    struct note_key key;
    struct err err = ERR_INIT;

    (void)!note_keys_parse(text, "drun/audit/test", &parsed, &err);
    if (note_key_parse(text, &key, &err) < 0)
        return;
    note_key_put(&key, &again);
    INVARIANT(note_key_parse(buf_span(&again), &key, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text;
    struct err err = ERR_INIT;

    init();
    INVARIANT(note_open(span_of(data, size), &keys, &text, &err) < 0);
    signed_text(span_of(data, size));
    key_list(span_of(data, size));
    proof(span_of(data, size));
    return 0;
}
