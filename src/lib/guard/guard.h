/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: what looks at prose. Prompts, tool output and answers are no form fields, so the rules
 * of a WAF do not fit them; detectors do that know what a secret, a card number or a hidden
 * character looks like, and prove it by a checksum where the format has one.
 *
 *     guard_start(guard, &policy, on_finding, ctx);
 *     while (next(&chunk))
 *         if (guard_feed(guard, chunk, false, &out) == GUARD_BLOCKED) ...
 *     guard_feed(guard, span_of("", 0), true, &out);
 *
 * `out` gets the text that may go on: masked where the policy says so, never later than
 * GUARD_WINDOW bytes behind what came in, at once where nothing can begin. How the text is cut into
 * chunks changes nothing, but for encoded payloads, whose first bytes may have gone on before they
 * are known.
 *
 * The text is UTF-8; what is not goes on as it is and is not looked at.
 */
#ifndef DRUN_GUARD_GUARD_H
#define DRUN_GUARD_GUARD_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    GUARD_WINDOW = 1024, /* bytes that may be held back */
    GUARD_DETECTORS_MAX = 48,
    GUARD_INNER_MAX = 8192, /* bytes of one encoded payload that are looked at */
    GUARD_DEPTH_MAX = 2,    /* encoded within encoded */
};

/* From the mildest to the strongest. */
enum guard_action { GUARD_OFF, GUARD_DETECT, GUARD_MASK, GUARD_BLOCK };
enum guard_group { GUARD_SECRET, GUARD_PERSONAL, GUARD_HIDDEN };
enum guard_verdict { GUARD_PASS, GUARD_BLOCKED };

/* ------------------------------------------------------------------ detectors and policies */

struct guard_detector {
    const char *name; /* "github-token" */
    const char *doc;
    enum guard_group group;
    enum guard_action usual; /* the action unless somebody decides otherwise */
};

size_t guard_detector_count(void);
const struct guard_detector *guard_detector(size_t number);
const char *guard_group_name(enum guard_group group);
const char *guard_action_name(enum guard_action action);

struct guard_policy {
    uint8_t action[GUARD_DETECTORS_MAX]; /* enum guard_action, by detector */
};

void guard_policy_usual(struct guard_policy *policy);
/* `what` is a detector, a group ("secret") or "all"; `action` "off", "detect", "mask", "block".
 * ERR_INVALID names what there is. */
int guard_policy_set(struct guard_policy *policy, const char *what, const char *action,
                     struct err *err) MUST_USE;

/* ------------------------------------------------------------------ looking */

/* The compiled patterns: once a process, read-only afterwards. */
struct guard_rules;
int guard_rules_new(struct guard_rules **out, struct err *err) MUST_USE;
void guard_rules_free(struct guard_rules *rules);

struct guard_finding {
    size_t detector;
    enum guard_action action;
    uint64_t offset; /* in bytes, in the text as it came */
    uint32_t len;
    bool encoded; /* it was inside an encoded payload, which is where offset and len are */
};
typedef void guard_finding_fn(void *ctx, const struct guard_finding *finding);

/* One text at a time; used again for the next. The rules must outlive it, and guards with the same
 * rules are used by one thread. */
struct guard;
struct guard *guard_new(const struct guard_rules *rules) MUST_USE;
void guard_free(struct guard *guard);
void guard_free_ptr(struct guard **guard);

/* The policy is copied. fn may be NULL. */
void guard_start(struct guard *guard, const struct guard_policy *policy, guard_finding_fn *fn,
                 void *ctx);
/* Appends to `out` what may go on. After GUARD_BLOCKED nothing more comes out of this text; what
 * stands before the reason is in `out`. */
enum guard_verdict guard_feed(struct guard *guard, struct span chunk, bool last, struct buf *out);
/* The rest takes too long: what is held back goes on. Of what is then found in it, only the part
 * that comes later is masked. */
void guard_release(struct guard *guard, struct buf *out);
/* Bytes that are held back now. */
size_t guard_held(const struct guard *guard);

#endif
