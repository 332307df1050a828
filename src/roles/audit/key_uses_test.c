/* SPDX-License-Identifier: Apache-2.0 */
#include "key_uses.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MESSAGE_MAX = 1 << 20 };

static void use(struct key_uses *uses, const char *id, const char *address, uint64_t time_ns,
                enum audit_outcome outcome)
{
    struct audit_event event = {
        .time_ns = time_ns,
        .outcome = outcome,
        .address = span_str(address),
        .actor = {.key_id = span_str(id), .source = AUDIT_SOURCE_APIKEY},
    };

    key_uses_note(uses, &event);
}

/* How many there are; `last` gets the last one. */
static unsigned take(struct key_uses *uses, size_t max, struct audit_key_use *last)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(MESSAGE_MAX);
    struct err err = ERR_INIT;

    key_uses_take(uses, max, &out);
    struct cursor cursor = cursor_of(buf_span(&out));
    uint16_t count = cursor_u16(&cursor);
    for (uint16_t i = 0; i < count; i++) {
        struct span id = cursor_block(&cursor);
        struct span address = cursor_block(&cursor);
        snprintf(last->key_id, sizeof(last->key_id), "%.*s", SPAN_ARG(id));
        snprintf(last->address, sizeof(last->address), "%.*s", SPAN_ARG(address));
        last->time_ns = cursor_u64(&cursor);
    }
    assert_int_equal(cursor_done(&cursor, "uses", &err), 0);
    return count;
}

static void the_last_use_of_a_key_is_told_once(void **state UNUSED)
{
    struct key_uses *uses = key_uses_new();
    struct audit_key_use last;

    use(uses, "a", "10.0.0.1", 5, AUDIT_SUCCESS);
    use(uses, "a", "10.0.0.2", 9, AUDIT_FAILURE);
    use(uses, "a", "10.0.0.3", 7, AUDIT_SUCCESS);
    assert_int_equal(take(uses, MESSAGE_MAX, &last), 1);
    assert_string_equal(last.key_id, "a");
    assert_string_equal(last.address, "10.0.0.2");
    assert_int_equal(last.time_ns, 9);
    assert_int_equal(take(uses, MESSAGE_MAX, &last), 0);
    key_uses_free(uses);
}

static void what_was_refused_is_no_use(void **state UNUSED)
{
    struct key_uses *uses = key_uses_new();
    struct audit_event token = {.actor = {.key_id = span_str("j"), .source = AUDIT_SOURCE_TOKEN}};
    struct audit_key_use last;

    use(uses, "a", "10.0.0.1", 5, AUDIT_DENIED);
    use(uses, "", "10.0.0.1", 5, AUDIT_SUCCESS);
    key_uses_note(uses, &token);
    assert_int_equal(take(uses, MESSAGE_MAX, &last), 0);
    key_uses_free(uses);
}

static void many_come_in_pieces_and_a_flood_is_bounded(void **state UNUSED)
{
    struct key_uses *uses = key_uses_new();
    struct audit_key_use last;
    unsigned total = 0;
    unsigned pieces = 0;
    char id[AUDIT_KEY_ID_SIZE];

    for (unsigned i = 0; i < 3 * AUDIT_KEY_USES_MAX; i++) {
        snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000000", i);
        use(uses, id, "2001:db8::1", i + 1, AUDIT_SUCCESS);
    }
    for (unsigned count; (count = take(uses, 64 * 1024, &last)) > 0; pieces++)
        total += count;
    assert_in_range(total, AUDIT_KEY_USES_MAX / 2, AUDIT_KEY_USES_MAX);
    assert_true(pieces > 1);
    key_uses_free(uses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_use_of_a_key_is_told_once),
        cmocka_unit_test(what_was_refused_is_no_use),
        cmocka_unit_test(many_come_in_pieces_and_a_flood_is_bounded),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
