/* SPDX-License-Identifier: Apache-2.0 */
/* A child appends and says what was acknowledged; it is killed at random moments. Afterwards
 * everything that it said is in the log, and the log verifies. */
#include "audit/audit_test_util.h"
#include "audit/verify.h"

#include "base/fd.h"
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 25 };

static void append_for_ever(const char *path, const struct audit_log_config *config, int say_fd)
{
    struct audit_log *log = test_log(path, config);
    struct err err = ERR_INIT;

    for (size_t i = 0;; i++) {
        test_append(log, audit_log_size(log), 1 + i % 40);
        uint64_t size = audit_log_size(log);
        INVARIANT(write(say_fd, &size, sizeof(size)) == sizeof(size));
        if (i % 3 == 0)
            INVARIANT(audit_log_checkpoint(log, &err) == 0);
    }
}

/* Returns the largest size that was acknowledged. */
static uint64_t one_round(const char *path, const struct audit_log_config *config)
{
    int pipe_fds[2];
    uint64_t size = 0;
    uint16_t delay_us;
    struct err err = ERR_INIT;

    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        close(pipe_fds[0]);
        append_for_ever(path, config, pipe_fds[1]);
    }
    close(pipe_fds[1]);
    assert_int_equal(crypto_random(&delay_us, sizeof(delay_us), &err), 0);
    usleep(3000 + delay_us);
    assert_int_equal(kill(child, SIGKILL), 0);
    for (uint64_t said; read(pipe_fds[0], &said, sizeof(said)) == sizeof(said);)
        size = said;
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return size;
}

static void nothing_acknowledged_is_lost_when_it_is_killed(void **state UNUSED)
{
    struct test_keys keys;
    char path[64];
    uint64_t size = 0;
    struct err err = ERR_INIT;

    test_keys_init(&keys);
    test_dir_make(path);
    struct audit_log_config config = test_config(&keys);
    config.segment_records = 100;
    struct audit_verify_options options = {
        .keys = &keys.signers, .origin = TEST_ORIGIN, .decrypt = &config.keys};
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t said = one_round(path, &config);
        struct audit_log *log = test_log(path, &config);
        struct audit_verdict verdict;
        assert_true(audit_log_size(log) >= said && audit_log_size(log) >= size);
        assert_int_equal(audit_log_damage_count(log), 0);
        assert_int_equal(audit_log_checkpoint(log, &err), 0);
        size = audit_log_size(log);
        CLEANUP_FD int fd = test_dir_fd(path);
        assert_int_equal(audit_verify(fd, &options, &verdict, &err), 0);
        if (!verdict.good)
            fail_msg("round %d: %s: %s", round, verdict.file, verdict.what);
        assert_int_equal(verdict.size, size);
        audit_log_close(log);
    }
    print_message("# killed %d times, %llu records\n", ROUNDS, (unsigned long long)size);
    test_dir_remove(path);
    test_keys_free(&keys);
}

static int heap(void **state UNUSED)
{
    struct err err = ERR_INIT;

    return secret_heap_init(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_when_it_is_killed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit crash", tests, heap, NULL);
}
