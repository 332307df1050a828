/* SPDX-License-Identifier: Apache-2.0 */
/* Every role sends every message. What is allowed is written down here a second time, so that a
 * change of the table must be meant. */
#include "keys/wire.h"
#include "kms_fixture.h"
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const role_letters = "sxaiptbogewh"; /* in the order of enum role_id */

/* s supervisor, a audit, i api, p idp, t secrets, b agent, o posture, g gateway, h the second one;
 * e exporter and w waf may nothing */
static const struct {
    uint16_t type;
    const char *from;
} allowed[] = {
    {KMS_STATUS, "saiptbogh"}, {KMS_DATA_NEW, "aiptb"},
    {KMS_DATA_OPEN, "aiptb"},  {KMS_DATA_REWRAP, "aiptb"},
    {KMS_SIGN, "ap"},          {KMS_PUBLIC, "aip"},
    {KMS_LIST_PUBLIC, "aip"},  {KMS_CERTIFY, "gh"},
    {KMS_CA_PEM, "sigh"},      {KMS_ROTATE, "sap"},
    {KMS_UNSEAL, "s"},         {KMS_SEAL, "s"},
    {KMS_EVENTS, "a"},         {KMS_WITHDRAW, "s"},
    {KMS_RESEAL, "s"},         {0, ""},
    {KMS_RESEAL + 1, ""},      {999, ""},
};

/* The table speaks before the body is looked at. */
static bool is_refused(struct fixture *fixture, unsigned peer, uint16_t type)
{
    struct err err = ERR_INIT;

    int result = ipc_call(fixture->as[peer], type, span_str(""), NULL, NULL, &err);
    if (result < 0 && err.code == ERR_UNSUPPORTED)
        return true;
    return result < 0 && err.code == ERR_DENIED && strstr(err.msg, "does not take") != NULL;
}

static void a_role_sends_only_what_its_rows_say(void **state)
{
    struct fixture *fixture = *state;

    keyring_free(fixture_create(fixture, 1800000000));
    fixture_start(fixture, true); /* nothing is done, so that no row disturbs another */
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        for (unsigned peer = 0; peer < ROLE_COUNT; peer++) {
            bool may = strchr(allowed[i].from, role_letters[peer]) != NULL;
            if (is_refused(fixture, peer, allowed[i].type) == may)
                fail_msg("message %u from role %c", allowed[i].type, role_letters[peer]);
        }
}

static void every_message_of_the_table_is_listed_above(void **state UNUSED)
{
    size_t count = 0;

    while (kms_table.messages[count].handle != NULL)
        count++;
    assert_int_equal(count, KMS_RESEAL);
    assert_int_equal(strlen(role_letters), ROLE_COUNT);
}

static void check(int got, const struct err *err, bool may, unsigned peer, const char *what)
{
    if ((got == 0) != may || (got < 0 && err->code != ERR_DENIED))
        fail_msg("role %c and \"%s\": %d %s", role_letters[peer], what, got, err->msg);
}

/* `owners` names for each of `names` the roles that may. */
static void check_all(int (*may)(unsigned, const char *, struct err *), const char *const *names,
                      const char *const *owners, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (unsigned peer = 0; peer < ROLE_COUNT + 2; peer++) {
            struct err err = ERR_INIT;
            bool owns = peer < ROLE_COUNT && strchr(owners[i], role_letters[peer]) != NULL;
            check(may(peer, names[i], &err), &err, owns, peer % ROLE_COUNT, names[i]);
        }
}

static void a_role_opens_only_its_own_collections(void **state UNUSED)
{
    static const char *const names[] = {"audit/log",
                                        "api/configmaps",
                                        "idp/users",
                                        "secrets/data",
                                        "agent/blobs",
                                        "posture/x",
                                        "gateway/x",
                                        "kms/x",
                                        "",
                                        "/",
                                        "api",
                                        "api/",
                                        "apix/a",
                                        "idp",
                                        "x/idp/a"};
    static const char *const owners[] = {"a", "i", "p", "t", "b", "", "", "",
                                         "",  "",  "",  "",  "",  "", ""};
    struct err err = ERR_INIT;

    check_all(table_may_open, names, owners, ARRAY_LEN(names));
    assert_int_equal(table_may_open(ROLE_API, "api/A", &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(table_may_open(ROLE_API, "api/a b", &err), -1);
    assert_int_equal(table_may_open(ROLE_API, "api/\n", &err), -1);
}

static void a_role_signs_only_with_its_own_keys(void **state UNUSED)
{
    static const char *const names[] = {"oidc", "oidc-rs256", "oidc-eddsa", "audit", "ca",
                                        "kek",  "oid",        "oidc-",      ""};
    static const char *const owners[] = {"p", "p", "p", "a", "", "", "", "", ""};

    check_all(table_may_sign, names, owners, ARRAY_LEN(names));
}

static void a_role_rotates_only_what_it_signs_with(void **state UNUSED)
{
    static const char *const names[] = {"oidc", "oidc-rs256", "oidc-eddsa", "audit",
                                        "ca",   "kek",        "moon",       ""};
    static const char *const owners[] = {"sp", "sp", "sp", "sa", "s", "s", "", ""};

    check_all(table_may_rotate, names, owners, ARRAY_LEN(names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_role_sends_only_what_its_rows_say, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test(every_message_of_the_table_is_listed_above),
        cmocka_unit_test(a_role_opens_only_its_own_collections),
        cmocka_unit_test(a_role_signs_only_with_its_own_keys),
        cmocka_unit_test(a_role_rotates_only_what_it_signs_with),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("kms table", tests, NULL, NULL);
}
