/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every transformation of the input is the one that ModSecurity makes, and "nothing changed" is
 * true. Then a chain of transformations, named by the first bytes, one over the result of the
 * other.
 */
#include "waf/transform/transform_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHAIN_MAX = 6, INPUT_MAX = 1 << 14, ARENA_MAX = 1 << 22 };

static void check_one(enum waf_transform kind, struct span in, struct span wanted)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);
    struct span out;

    bool changed = waf_transform_run(kind, in, NULL, arena, &out);
    INVARIANT(changed == !span_eq(in, out));
    INVARIANT(changed || out.p == in.p);
    if (transform_differs(kind, in, out) || span_eq(out, wanted))
        return;
    fprintf(stderr, "%s: we %.*s, ModSecurity %.*s\n", waf_transform_name(kind), SPAN_ARG(out),
            SPAN_ARG(wanted));
    INVARIANT(!"the transformation differs");
}

static void check_chain(struct span kinds, struct span value)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);

    for (size_t i = 0; i < kinds.len; i++) {
        struct span out;
        waf_transform_run((enum waf_transform)(kinds.p[i] % WAF_T_COUNT), value, NULL, arena, &out);
        value = out.len > INPUT_MAX ? span_of(out.p, INPUT_MAX) : out;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct transform_oracle *oracle; /* kept from input to input */
    struct span in = span_of(data, size > INPUT_MAX ? INPUT_MAX : size);
    size_t chain = in.len < CHAIN_MAX ? in.len : CHAIN_MAX;
    struct span wanted[WAF_T_COUNT];

    if (oracle == NULL)
        oracle = transform_oracle_new(NULL);
    transform_oracle_run(oracle, in, wanted);
    for (int kind = 0; kind < WAF_T_COUNT; kind++)
        check_one((enum waf_transform)kind, in, wanted[kind]);
    check_chain(span_of(data, chain), span_of(data + chain, in.len - chain));
    return 0;
}
