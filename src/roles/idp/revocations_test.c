/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/revocations.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 5000 };

static void id_of(char out[32], int i)
{
    snprintf(out, 32, "%c%d", i % 3 == 0 ? 's' : i % 3 == 1 ? 't' : 'u', i);
}

static void all_are_found_and_no_other(void **state UNUSED)
{
    struct revocations list = {0};
    char id[32];

    assert_null(revocations_find(&list, 's', "0"));
    for (int i = 0; i < MANY; i++) {
        id_of(id, i);
        revocations_put(&list, id, 100 + i, i);
    }
    assert_int_equal(list.count, MANY);
    for (int i = 0; i < MANY; i++) {
        id_of(id, i);
        const struct revocation *one = revocations_find(&list, id[0], id + 1);
        assert_non_null(one);
        assert_int_equal(one->before, i);
        assert_null(revocations_find(&list, id[0] == 's' ? 't' : 's', id + 1));
    }
    assert_null(revocations_find(&list, 's', "5001"));
    revocations_free(&list);
    assert_null(revocations_find(&list, 's', "0"));
}

static void the_later_one_counts(void **state UNUSED)
{
    struct revocations list = {0};

    revocations_put(&list, "ualice", 10, 1);
    revocations_put(&list, "ualice", 20, 2);
    assert_int_equal(list.count, 1);
    assert_int_equal(revocations_find(&list, 'u', "alice")->until, 20);
    assert_int_equal(revocations_find(&list, 'u', "alice")->before, 2);
    revocations_free(&list);
}

static void one_can_be_taken_out(void **state UNUSED)
{
    struct revocations list = {0};

    revocations_put(&list, "salpha", 10, 0);
    revocations_put(&list, "sbeta", 10, 0);
    revocations_take(&list, "salpha");
    revocations_take(&list, "sgamma");
    assert_null(revocations_find(&list, 's', "alpha"));
    assert_non_null(revocations_find(&list, 's', "beta"));
    revocations_free(&list);
}

static void count_one(void *ctx, const struct revocation *one)
{
    assert_true(one->until <= 1100);
    (*(size_t *)ctx)++;
}

static void what_is_over_goes_some_at_a_time(void **state UNUSED)
{
    struct revocations list = {0};
    size_t heard = 0;
    char id[32];

    for (int i = 0; i < MANY; i++) {
        id_of(id, i);
        revocations_put(&list, id, 101 + i, 0);
    }
    assert_int_equal(revocations_drop(&list, 1100, 300, count_one, &heard), 300);
    assert_int_equal(list.count, MANY - 300);
    assert_int_equal(revocations_drop(&list, 1100, 10000, count_one, &heard), 700);
    assert_int_equal(revocations_drop(&list, 1100, 10000, count_one, &heard), 0);
    assert_int_equal(heard, 1000);
    for (int i = 0; i < MANY; i++) {
        id_of(id, i);
        assert_int_equal(revocations_find(&list, id[0], id + 1) != NULL, i >= 1000);
    }
    revocations_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_found_and_no_other),
        cmocka_unit_test(the_later_one_counts),
        cmocka_unit_test(one_can_be_taken_out),
        cmocka_unit_test(what_is_over_goes_some_at_a_time),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
