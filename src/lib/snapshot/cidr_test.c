/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/cidr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool holds(const char *range, const char *address)
{
    uint8_t first[CIDR_ADDRESS_LEN];
    uint8_t one[CIDR_ADDRESS_LEN];
    uint32_t bits;
    struct err err = ERR_INIT;

    assert_int_equal(cidr_parse(range, first, &bits, &err), 0);
    assert_int_equal(cidr_parse_address(address, one, &err), 0);
    return cidr_holds(first, bits, one);
}

static void ranges_hold_their_addresses_alone(void **state UNUSED)
{
    static const char *const bad[] = {"",          "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08",
                                      "10.0.0/8",  "::/129",      "x",         "10.0.0.0/-1",
                                      "1.2.3.4/8", "::1/64"};
    uint8_t address[CIDR_ADDRESS_LEN];
    uint32_t bits;

    assert_true(holds("10.0.0.0/8", "10.255.0.1"));
    assert_false(holds("10.0.0.0/8", "11.0.0.1"));
    assert_true(holds("0.0.0.0/0", "192.0.2.1"));
    assert_false(holds("0.0.0.0/0", "2001:db8::1"));
    assert_true(holds("::/0", "192.0.2.1"));
    assert_true(holds("192.0.2.1", "192.0.2.1"));
    assert_true(holds("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(holds("192.0.2.0/31", "192.0.2.2"));
    assert_true(holds("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(holds("2001:db8::/33", "2001:db8:8000::1"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(cidr_parse(bad[i], address, &bits, &err), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_hold_their_addresses_alone),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("cidr", tests, NULL, NULL);
}
