/* SPDX-License-Identifier: Apache-2.0 */
/* Prose through the guard with the usual policy: a prompt at once, and an answer token by token.
 * Arguments: none. */
#include "guard/guard.h"

#include <stdio.h>
#include <time.h>

static const char prose[] =
    "The river rises in the mountains and flows north through eleven countries before it reaches "
    "the sea. 这条河从山中发源，向北流经十一个国家，最后注入大海。 In 2024 the water stood 3.5 m above its "
    "mean; see `gauge.read(station=\"K-17\")` and https://example.org/levels?year=2024. ";

static double mb_per_s(struct guard *guard, struct span text, size_t step, unsigned rounds)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 22);
    struct guard_policy policy;

    guard_policy_usual(&policy);
    clock_t start = clock();
    for (unsigned i = 0; i < rounds; i++) {
        buf_reset(&out);
        guard_start(guard, &policy, NULL, NULL);
        for (size_t at = 0; at < text.len; at += step) {
            size_t len = text.len - at < step ? text.len - at : step;
            (void)guard_feed(guard, span_of(text.p + at, len), at + len == text.len, &out);
        }
    }
    return (double)text.len * rounds * 1e3 / ((double)(clock() - start) * 1e9 / CLOCKS_PER_SEC);
}

int main(void)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 16);
    struct guard_rules *rules;
    struct guard *guard;
    struct err err = ERR_INIT;

    if (guard_rules_new(&rules, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    guard = guard_new(rules);
    while (text.len < 8192)
        buf_put_str(&text, prose);
    struct span kilobyte = span_of(text.data, 1024);
    struct span all = buf_span(&text);
    double small = mb_per_s(guard, kilobyte, 1024, 20000);
    double large = mb_per_s(guard, all, all.len, 4000);
    double tokens = mb_per_s(guard, all, 5, 200);
    printf("guard: a prompt of 1 KiB %.0f MB/s (%.1f us), of 8 KiB %.0f MB/s (%.1f us); "
           "token by token %.2f us a token\n",
           small, 1024 / small, large, (double)all.len / large, 5 / tokens);
    guard_free(guard);
    guard_rules_free(rules);
    return 0;
}
