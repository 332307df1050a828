/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/report.h"

#include "audit/audit_test_util.h"
#include "audit/segment.h"
#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_keys keys;
static char path[64];
static char key_path[80];
static struct audit_log_config config;
static struct audit_report_options options;

static int set_up(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(4096);
    struct err err = ERR_INIT;

    INVARIANT(secret_heap_init(&err) == 0);
    test_keys_init(&keys);
    test_dir_make(path);
    config = test_config(&keys);
    config.segment_records = 4;
    struct audit_log *log = test_log(path, &config);
    for (size_t i = 0; i < 9; i++)
        test_append(log, i * 2, 2);
    INVARIANT(audit_log_checkpoint(log, &err) == 0);
    audit_log_close(log);
    snprintf(key_path, sizeof(key_path), "%s.pub", path);
    note_key_put(&keys.signers.key[0], &text);
    buf_put_str(&text, "\n");
    INVARIANT(fd_replace_file(AT_FDCWD, key_path, 0644, buf_span(&text), false, &err) == 0);
    options = (struct audit_report_options){.dir = path, .public_key_file = key_path};
    return 0;
}

static int tear_down(void **state UNUSED)
{
    test_dir_remove(path);
    unlink(key_path);
    test_keys_free(&keys);
    return 0;
}

static void a_good_log_is_called_good(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;

    assert_int_equal(audit_report_verify(&options, &out, &err), 1);
    assert_non_null(strstr(buf_text(&out), "log          drun/audit/test\n"));
    assert_non_null(strstr(buf_text(&out), "records      18 checked\n"));
    assert_non_null(strstr(buf_text(&out), "\nGOOD "));
}

static void the_first_bad_place_is_named(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    CLEANUP_FREE char *name = mem_printf("%s/00000000000000000008.seg", path);
    CLEANUP_FD int fd = open(name, O_RDWR | O_CLOEXEC);
    struct err err = ERR_INIT;
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, 1500), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 1500), 1);
    assert_int_equal(audit_report_verify(&options, &out, &err), 0);
    assert_non_null(strstr(buf_text(&out), "BAD          00000000000000000008.seg, record 9: "));
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 1500), 1);
}

static int keep_record(void *ctx, const struct audit_found *found, struct err *err UNUSED)
{
    struct buf *both = ctx;

    buf_put_span(&both[0], found->salt);
    buf_put_span(&both[1], found->json);
    return 0;
}

static void proofs_are_made_read_and_checked_offline(void **state UNUSED)
{
    struct buf record[2] = {BUF_INIT(64), BUF_INIT(AUDIT_JSON_MAX)};
    struct audit_report_options third = {.public_key_file = key_path, .origin = TEST_ORIGIN};
    struct audit_proof proof;
    struct err err = ERR_INIT;

    for (uint64_t i = 0; i < 18; i++) {
        CLEANUP(buf_free) struct buf text = BUF_INIT(AUDIT_PROOF_MAX);
        CLEANUP(buf_free) struct buf again = BUF_INIT(AUDIT_PROOF_MAX);
        CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
        assert_int_equal(audit_report_prove(&options, i, &text, &err), 0);
        assert_int_equal(audit_report_check_proof(&third, buf_span(&text), &out, &err), 0);
        assert_int_equal(audit_proof_parse(buf_span(&text), &proof, &err), 0);
        audit_proof_put(&proof, &again);
        assert_string_equal(buf_text(&again), buf_text(&text));
        for (size_t at = 0; at < text.len; at++) {
            text.data[at] ^= 1;
            assert_int_equal(audit_report_check_proof(&third, buf_span(&text), &out, &err), -1);
            text.data[at] ^= 1;
        }
        struct audit_log *log = test_log(path, &config);
        buf_reset(&record[0]);
        buf_reset(&record[1]);
        assert_int_equal(audit_log_get(log, i, keep_record, record, &err), 0);
        audit_log_close(log);
        assert_int_equal(
            audit_proof_opens(&proof, buf_span(&record[0]), buf_span(&record[1]), &err), 0);
        record[1].data[5] ^= 1;
        assert_int_equal(
            audit_proof_opens(&proof, buf_span(&record[0]), buf_span(&record[1]), &err), -1);
    }
    CLEANUP(buf_free) struct buf text = BUF_INIT(AUDIT_PROOF_MAX);
    assert_int_equal(audit_report_prove(&options, 18, &text, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    buf_free(&record[0]);
    buf_free(&record[1]);
}

static void keys_are_read_in_both_forms(void **state UNUSED)
{
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                              "-----END PUBLIC KEY-----\n";
    /* The example key of the Go packages for signed notes. */
    static const char vkey[] =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n";
    static const char *const bad[] = {
        "",
        "# nothing\n",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AVpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T=",
        "a+b"};
    struct note_keys parsed;
    struct err err = ERR_INIT;

    assert_int_equal(note_keys_parse(span_str(pem), "a/log", &parsed, &err), 0);
    assert_string_equal(parsed.key[0].name, "a/log");
    assert_int_equal(note_keys_parse(span_str(vkey), "x", &parsed, &err), 0);
    assert_string_equal(parsed.key[0].name, "PeterNeumann");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(note_keys_parse(span_str(bad[i]), "x", &parsed, &err), -1);
}

/* A note that another implementation signed. */
static void a_foreign_note_opens(void **state UNUSED)
{
    static const char vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    static const char note[] =
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKv"
        "qfqdngotpRZb6KE6RyyBwJnAM=\n";
    struct note_keys known = {.count = 1};
    struct span text;
    struct err err = ERR_INIT;

    assert_int_equal(note_key_parse(span_str(vkey), &known.key[0], &err), 0);
    assert_int_equal(note_open(span_str(note), &known, &text, &err), 0);
    assert_int_equal(text.len, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_log_is_called_good),
        cmocka_unit_test(the_first_bad_place_is_named),
        cmocka_unit_test(proofs_are_made_read_and_checked_offline),
        cmocka_unit_test(keys_are_read_in_both_forms),
        cmocka_unit_test(a_foreign_note_opens),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit report", tests, set_up, tear_down);
}
