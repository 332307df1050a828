/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proof: a function that attacks or measures the running platform and says what it saw. It begins
 * as proven; each expectation that is not met makes it failed, a mechanism that the host lacks
 * makes it degraded. Proofs run one after the other on a thread of their own, so they may block.
 *
 *     void prove_en1(struct proof *proof)
 *     {
 *         bool refused = !handshake(proof, TLS1_2_VERSION);
 *         proof_expect(proof, refused, "a TLS 1.2 handshake is refused");
 *     }
 */
#ifndef DRUN_POSTURE_PROOF_H
#define DRUN_POSTURE_PROOF_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "role/role.h"

enum proof_verdict { PROOF_ABSENT, PROOF_PROVEN, PROOF_DEGRADED, PROOF_FAILED };

const char *proof_verdict_name(enum proof_verdict verdict);

enum { PROOF_EVIDENCE_MAX = 16 * 1024 };

struct front;

struct proof {
    struct role *role;              /* for what never changes: its settings, its folders */
    struct role_line *const *lines; /* by role: the roles that proofs may call; else NULL */
    struct front *front;            /* the platform's front door, made when it is first used */
    enum proof_verdict verdict;
    struct buf evidence; /* lines */
};

/* The client of a role that proofs may call. Valid until the next call of this. */
struct ipc_client *proof_peer(struct proof *proof, enum role_id peer) MUST_USE;
/* One line of evidence, whatever it means. */
void proof_say(struct proof *proof, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A line that says what was expected and whether it was so. Returns `met`. */
bool proof_expect(struct proof *proof, bool met, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Something the proof needs went wrong: failed, with the error. */
void proof_broken(struct proof *proof, const struct err *err);
void proof_degrade(struct proof *proof, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Has the agent search everything on the disk, as it lies there, for the text, its base64 and its
 * hex, and expects that it is nowhere; `what` names it in the evidence. */
void proof_search_disk(struct proof *proof, const char *text, const char *what);

typedef void proof_fn(struct proof *proof);

/* A row of CONTROLS: with no function it is absent, whatever else may be true. */
struct control {
    const char *id;
    const char *title;
    const char *title_zh;
    const char *chapter;
    proof_fn *prove;
};

/* Of ID-1: what needs somebody who is signed in (prove_codes.c). */
void prove_codes(struct proof *proof);

/* Every control of the whitepaper, ending with a zeroed one. */
extern const struct control controls[];

proof_fn prove_id1, prove_id2, prove_id3, prove_id4, prove_en1, prove_en2, prove_en3, prove_ml1,
    prove_ml2, prove_ml3, prove_mo5, prove_nw2, prove_nw3, prove_pf3, prove_pf5;

#endif
