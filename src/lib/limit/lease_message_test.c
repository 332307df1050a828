/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/lease_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void what_is_put_is_got(void **state UNUSED)
{
    const struct limit_holding holding = {.key = 0x0102030405060708,
                                          .ends_sec = 1795359630,
                                          .limit = LIMIT_BUDGET_MAX,
                                          .share = 7,
                                          .used = 6,
                                          .settled = 5,
                                          .wants = 4,
                                          .noted = 100};
    const struct limit_lease lease = {
        .key = 9, .ends_sec = 1795359630, .share = 8, .elsewhere = 3, .noted = 80, .raises = true};
    CLEANUP(buf_free) struct buf body = BUF_INIT(1024);
    struct limit_holding told;
    struct limit_lease given;
    struct err err = ERR_INIT;

    limit_holding_put(&holding, &body);
    assert_int_equal(body.len, LIMIT_HOLDING_LEN);
    assert_int_equal(body.data[0], 8); /* the least byte first */
    limit_lease_put(&lease, &body);
    assert_int_equal(body.len, LIMIT_HOLDING_LEN + LIMIT_LEASE_LEN);
    struct cursor cursor = cursor_of(buf_span(&body));
    limit_holding_get(&cursor, &told);
    limit_lease_get(&cursor, &given);
    assert_int_equal(cursor_done(&cursor, "the test", &err), 0);
    assert_int_equal(told.key, holding.key);
    assert_int_equal(told.ends_sec, holding.ends_sec);
    assert_int_equal(told.limit, holding.limit);
    assert_int_equal(told.share, holding.share);
    assert_int_equal(told.used, holding.used);
    assert_int_equal(told.settled, holding.settled);
    assert_int_equal(told.wants, holding.wants);
    assert_int_equal(told.noted, holding.noted);
    assert_int_equal(given.key, lease.key);
    assert_int_equal(given.ends_sec, lease.ends_sec);
    assert_int_equal(given.share, lease.share);
    assert_int_equal(given.elsewhere, lease.elsewhere);
    assert_int_equal(given.noted, lease.noted);
    assert_true(given.raises);
}

static void what_is_cut_off_fails(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(1024);
    const struct limit_holding holding = {.key = 9};
    const struct limit_lease lease = {.key = 9};
    struct limit_holding told;
    struct limit_lease given;

    limit_holding_put(&holding, &body);
    for (size_t len = 0; len < body.len; len++) {
        struct cursor cursor = cursor_of(span_of(body.data, len));
        limit_holding_get(&cursor, &told);
        assert_true(cursor.failed);
    }
    buf_reset(&body);
    limit_lease_put(&lease, &body);
    for (size_t len = 0; len < body.len; len++) {
        struct cursor cursor = cursor_of(span_of(body.data, len));
        limit_lease_get(&cursor, &given);
        assert_true(cursor.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_got),
        cmocka_unit_test(what_is_cut_off_fails),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("messages of leases", tests, NULL, NULL);
}
