/* SPDX-License-Identifier: Apache-2.0 */
#include "store/row.h"

#include "store/accum.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void ids_order_as_their_keys(void **state UNUSED)
{
    const int64_t ids[] = {1, 255, 256, 65536, INT64_MAX};
    uint8_t a[ROW_ID_LEN];
    uint8_t b[ROW_ID_LEN];
    struct err err = ERR_INIT;
    int64_t back;

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        row_id_encode(ids[i], a);
        assert_int_equal(row_id_decode(span_of(a, sizeof(a)), &back, &err), 0);
        assert_int_equal(back, ids[i]);
        if (i > 0)
            assert_true(memcmp(b, a, sizeof(a)) < 0);
        memcpy(b, a, sizeof(a));
    }
    assert_int_equal(row_id_decode(span_of(a, 7), &back, &err), -1);
    memset(a, 0xff, sizeof(a));
    assert_int_equal(row_id_decode(span_of(a, sizeof(a)), &back, &err), -1);
}

static void rows_are_read_as_written(void **state UNUSED)
{
    struct row row = {.id = 900,
                      .prev = 300,
                      .key = 7,
                      .dead = true,
                      .count = 9,
                      .salt = "1234567",
                      .pos = "position",
                      .sealed = span_str("sealed")};
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(1000);
    struct err err = ERR_INIT;
    struct row back;

    row_encode(&row, &bytes);
    assert_int_equal(row_decode(900, buf_span(&bytes), &back, &err), 0);
    assert_int_equal(back.prev, 300);
    assert_int_equal(back.key, 7);
    assert_true(back.dead);
    assert_int_equal(back.count, 9);
    assert_memory_equal(back.pos, row.pos, ROW_POS_LEN);
    assert_true(span_eq_str(back.sealed, "sealed"));
    assert_int_equal(row_decode(300, buf_span(&bytes), &back, &err), -1);
    assert_int_equal(row_decode(900, span_of(bytes.data, 69), &back, &err), -1);
    bytes.data[12] = 2;
    assert_int_equal(row_decode(900, buf_span(&bytes), &back, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void every_shortened_body_is_refused(void **state UNUSED)
{
    struct row_body body = {.create_revision = 1,
                            .version = 2,
                            .scope = "",
                            .name = "n",
                            .terms = {"a", "b"},
                            .term_count = 2,
                            .value = span_str("v")};
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(1000);
    struct err err = ERR_INIT;
    struct row_body back;

    row_body_encode(&body, &bytes);
    assert_int_equal(row_body_decode(buf_span(&bytes), &back, &err), 0);
    assert_string_equal(back.scope, "");
    assert_string_equal(back.name, "n");
    assert_string_equal(back.terms[1], "b");
    assert_true(span_eq_str(back.value, "v"));
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(row_body_decode(span_of(bytes.data, len), &back, &err), -1);
    buf_put_u8(&bytes, 0);
    assert_int_equal(row_body_decode(buf_span(&bytes), &back, &err), -1);
}

static void sums_carry_and_borrow(void **state UNUSED)
{
    struct accum sum = {{UINT64_MAX, UINT64_MAX, 0, 5}};
    const struct accum start = sum;
    const struct accum one = {{1, 0, 0, 0}};
    const struct accum most = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};

    accum_add(&sum, &one);
    assert_true(sum.limb[0] == 0 && sum.limb[1] == 0 && sum.limb[2] == 1 && sum.limb[3] == 5);
    accum_add(&sum, &most);
    accum_remove(&sum, &one);
    accum_remove(&sum, &most);
    assert_memory_equal(&sum, &start, sizeof(sum));
    accum_remove(&sum, &start);
    accum_remove(&sum, &one);
    assert_memory_equal(&sum, &most, sizeof(sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_order_as_their_keys),
        cmocka_unit_test(rows_are_read_as_written),
        cmocka_unit_test(every_shortened_body_is_refused),
        cmocka_unit_test(sums_carry_and_borrow),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store rows", tests, NULL, NULL);
}
