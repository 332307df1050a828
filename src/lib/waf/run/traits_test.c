/* SPDX-License-Identifier: Apache-2.0 */
/* Scans rely on both: what is left alone is not transformed, what makes no mark is not looked at.
 */
#include "waf/run/traits.h"

#include "base/arena.h"
#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TEXTS = 400000, TEXT_MAX = 24 };

static uint32_t seed = 12345;

static struct span next_text(uint8_t text[TEXT_MAX])
{
    static const char marks[] = "aB 0/.%+&\\\"'^,;#*-<>!\n=(x|`{}[]~u4";
    size_t len = (seed >> 8) % TEXT_MAX;

    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] = (uint8_t)(seed >> 24);
        if ((seed & 0x300) != 0)
            text[i] = (uint8_t)marks[(seed >> 16) % (sizeof(marks) - 1)];
    }
    return span_of(text, len);
}

static enum waf_transform next_step(void)
{
    seed = seed * 1664525 + 1013904223;
    return (enum waf_transform)(1 + (seed >> 12) % (WAF_T_COUNT - 1));
}

static bool without(struct span text, uint64_t traits)
{
    return traits != TRAITS_ALWAYS && (traits_of(text) & traits) == 0;
}

static void texts_are_left_alone(void **state UNUSED)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 24);
    uint8_t room[TEXT_MAX];

    for (int i = 0; i < TEXTS; i++, arena_reset(arena)) {
        enum waf_transform step = next_step();
        struct span in = next_text(room);
        struct span out;
        if (without(in, traits_needed(step)) && waf_transform_run(step, in, NULL, arena, &out))
            fail_msg("%s changes \"%.*s\"", waf_transform_name(step), SPAN_ARG(in));
    }
}

static void nothing_else_is_made(void **state UNUSED)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 24);
    uint8_t room[TEXT_MAX];

    for (int i = 0; i < TEXTS; i++, arena_reset(arena)) {
        enum waf_transform step = next_step();
        struct span in = next_text(room);
        struct span out;
        if (!without(in, traits_decoded(step)) || !waf_transform_run(step, in, NULL, arena, &out))
            continue;
        if ((traits_of(out) & ~(traits_of(in) | TRAITS_MADE)) != 0)
            fail_msg("%s makes \"%.*s\" of \"%.*s\"", waf_transform_name(step), SPAN_ARG(out),
                     SPAN_ARG(in));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_left_alone),
        cmocka_unit_test(nothing_else_is_made),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
