/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says how the text is cut: the findings must be the same as of the whole. */
#include "guard/guard.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 2048, SEEN_MAX = 4096 };

struct seen {
    struct guard_finding findings[SEEN_MAX];
    size_t count;
    bool encoded;
};

static void note(void *ctx, const struct guard_finding *finding)
{
    struct seen *seen = ctx;

    seen->encoded |= finding->encoded;
    if (seen->count < SEEN_MAX)
        seen->findings[seen->count++] = *finding;
}

static void feed(struct guard *guard, struct span text, size_t step, struct seen *seen,
                 struct buf *out)
{
    struct guard_policy policy;
    struct err err = ERR_INIT;
    size_t at = 0;

    guard_policy_usual(&policy);
    INVARIANT(guard_policy_set(&policy, "personal", "mask", &err) == 0);
    seen->count = 0;
    seen->encoded = false;
    guard_start(guard, &policy, note, seen);
    for (; text.len - at > step; at += step) {
        INVARIANT(guard_feed(guard, span_of(text.p + at, step), false, out) == GUARD_PASS);
        INVARIANT(guard_held(guard) <= GUARD_WINDOW);
    }
    INVARIANT(guard_feed(guard, span_of(text.p + at, text.len - at), true, out) == GUARD_PASS);
    INVARIANT(guard_held(guard) == 0);
}

static bool same(const struct seen *a, const struct seen *b)
{
    for (size_t i = 0; i < a->count && a->count == b->count; i++) {
        const struct guard_finding *x = &a->findings[i];
        const struct guard_finding *y = &b->findings[i];
        if (x->detector != y->detector || x->offset != y->offset || x->len != y->len)
            return false;
    }
    return a->count == b->count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct guard_rules *rules;
    static struct guard *guard;
    static struct seen whole;
    static struct seen cut;
    CLEANUP(buf_free) struct buf whole_out = BUF_INIT(1 << 20);
    CLEANUP(buf_free) struct buf cut_out = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    if (rules == NULL) {
        INVARIANT(guard_rules_new(&rules, &err) == 0);
        guard = guard_new(rules);
    }
    if (size < 1 || size > TEXT_MAX)
        return 0;
    struct span text = span_of(data + 1, size - 1);
    feed(guard, text, TEXT_MAX, &whole, &whole_out);
    feed(guard, text, 1 + data[0] % 64, &cut, &cut_out);
    INVARIANT(same(&whole, &cut));
    if (!whole.encoded && size <= GUARD_WINDOW)
        INVARIANT(span_eq(buf_span(&whole_out), buf_span(&cut_out)));
    return 0;
}
