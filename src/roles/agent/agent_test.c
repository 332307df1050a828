/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/connections.h"
#include "agent/model_file.h"
#include "agent/quantity.h"
#include "base/mem.h"
#include "report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void quantities_are_read_in_thousandths(void **state UNUSED)
{
    static const struct {
        const char *text;
        uint64_t milli;
    } cases[] = {
        {"1", 1000},     {"2.5", 2500},    {"500m", 500},
        {"0.1", 100},    {"1Ki", 1024000}, {"1.5Gi", 1610612736000},
        {"2k", 2000000}, {"1e3", 1000000}, {"1E3", 1000000},
        {"5e-1", 500},   {"1n", 1},        {"1500u", 2},
        {"0", 0},        {"+3", 3000},     {".5", 500},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = ERR_INIT;
        uint64_t got = 0;
        assert_int_equal(quantity_milli(cases[i].text, "cpu", &got, &err), 0);
        if (got != cases[i].milli)
            fail_msg("%s is %llu", cases[i].text, (unsigned long long)got);
    }
}

static void what_is_no_quantity_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {"",
                                      "m",
                                      "-1",
                                      "1x",
                                      "1.2.3",
                                      "1 ",
                                      " 1",
                                      "1e",
                                      "1ee",
                                      "1e+",
                                      "0x10",
                                      "1e99",
                                      "99999999999999999999",
                                      "9Ei",
                                      "1E",
                                      "--1",
                                      "1e-",
                                      "Gi",
                                      "1mm"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        uint64_t got;
        if (quantity_milli(bad[i], "memory", &got, &err) == 0)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void only_plain_file_names_are_kept(void **state UNUSED)
{
    static const char *const cases[][2] = {
        {"/a/gemma-3.Q4_K_M.gguf", "gemma-3.Q4_K_M.gguf"},
        {"/a/with blank.gguf", "model"},
        {"/a/-v", "model"},
        {"/a/.hidden", "model"},
        {"/a/", "model"},
        {"/a/\xC3\xBC.gguf", "model"},
    };
    char name[MODEL_NAME_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        model_file_name(cases[i][0], name);
        assert_string_equal(name, cases[i][1]);
    }
}

static void digests_have_one_form(void **state UNUSED)
{
    static const char good[] =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const char *const bad[] = {"", "sha256:", "sha512:00", "e3b0", "sha256:e3b0"};
    uint8_t digest[MODEL_DIGEST_LEN];
    char text[MODEL_DIGEST_TEXT_SIZE];
    struct err err = ERR_INIT;

    assert_int_equal(model_digest_parse(good, digest, &err), 0);
    model_digest_put(digest, text);
    assert_string_equal(text, good);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(model_digest_parse(bad[i], digest, &err), -1);
}

static void a_model_file_is_found_below_its_folder_alone(void **state UNUSED)
{
    char dir[] = "/tmp/drun-agent-XXXXXX";
    char path[64], beside[64];
    struct err err = ERR_INIT;
    uint64_t size;

    assert_non_null(mkdtemp(dir));
    char *dirs[] = {dir};
    struct opt_list list = {dirs, 1};
    snprintf(path, sizeof(path), "%s/link", dir);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(model_file_open(&list, path, &size, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(model_file_open(&list, "/etc/passwd", &size, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    /* A folder whose name only begins like the allowed one. */
    snprintf(beside, sizeof(beside), "%sx/file", dir);
    assert_int_equal(model_file_open(&list, beside, &size, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(model_file_open(&list, dir, &size, &err), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void a_condition_keeps_its_time_while_its_status_stays(void **state UNUSED)
{
    CLEANUP(report_free) struct report report = {.conditions = NULL};
    CLEANUP_JSON json_t *before =
        json_pack("{s:[{s:s, s:s, s:s}]}", "conditions", "type", "Ready", "status", "True",
                  "lastTransitionTime", "2020-01-01T00:00:00Z");
    CLEANUP_JSON json_t *same = json_object();
    CLEANUP_JSON json_t *other = json_object();

    report_adopt(&report, before);
    report_condition(&report, same, "Ready", true, "A", "", 1);
    report_condition(&report, other, "Ready", false, "B", "", 1);
    const json_t *kept = json_array_get(json_object_get(same, "conditions"), 0);
    const json_t *changed = json_array_get(json_object_get(other, "conditions"), 0);
    assert_string_equal(codec_json_text(kept, "lastTransitionTime", ""), "2020-01-01T00:00:00Z");
    assert_string_not_equal(codec_json_text(changed, "lastTransitionTime", ""),
                            "2020-01-01T00:00:00Z");
}

static void sockets_of_a_namespace_are_read(void **state UNUSED)
{
    static const char text[] =
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "d1: 00000002 00000000 00010000 0001 01 93171 /run/e/engine.sock\n"
        "03: 00000003 00000000 00000000 0001 03  1056 /run/other engine.sock: 1\n"
        "04: 00000003 00000000 00000000 0001 03  1057\n"
        "05: 00000003 00000000 nothing\n:\n\n06 1 2 3 4 5 6\n7: 1 2 3 4 5\n"
        "08: 00000003 00000000 00010000 0001 01  1058 /run/e/engine.sock";
    struct connections_own *own = mem_new(sizeof(*own));

    connections_read(span_str(text), "/engine.sock", own);
    assert_int_equal(own->count, 4);
    assert_true(own->listens && !own->too_many);
    assert_int_equal(own->inode[0], 93171);
    assert_int_equal(own->inode[1], 1056);
    assert_int_equal(own->inode[2], 1057);
    assert_int_equal(own->inode[3], 1058);
    connections_read(span_str(text), "/others.sock", own);
    assert_false(own->listens);
    free(own);
}

static void what_hides_its_sockets_cannot_be_told(void **state UNUSED)
{
    /* Nobody listens there: it cannot be told. */
    assert_int_equal(connections_of(getpid(), "/no-such.sock"), -1);
    assert_int_equal(connections_of(0, "/engine.sock"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantities_are_read_in_thousandths),
        cmocka_unit_test(what_is_no_quantity_is_refused),
        cmocka_unit_test(only_plain_file_names_are_kept),
        cmocka_unit_test(digests_have_one_form),
        cmocka_unit_test(a_model_file_is_found_below_its_folder_alone),
        cmocka_unit_test(a_condition_keeps_its_time_while_its_status_stays),
        cmocka_unit_test(sockets_of_a_namespace_are_read),
        cmocka_unit_test(what_hides_its_sockets_cannot_be_told),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
