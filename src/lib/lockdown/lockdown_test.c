/* SPDX-License-Identifier: Apache-2.0 */
/* Children are locked down and then try what they may not, and what they may. Each attempt is also
 * made without a lockdown, to see that it is the lockdown that refuses. */
#include "lockdown/attempts.h"

#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
enum { SANITIZED = __has_feature(address_sanitizer) };
#else
enum { SANITIZED = 0 };
#endif

enum { KILLED = -SIGSYS, NOT_APPLIED = 250 };

static const struct lockdown_path paths[] = {
    {stage.ro, LOCKDOWN_PATH_READ},
    {stage.rw, LOCKDOWN_PATH_READ | LOCKDOWN_PATH_WRITE},
    {"/no/such/path", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {0},
};

/* A child as this uid (0: as the tests run) applies the lockdown, if any, and makes the attempt.
 * Its errno, or minus the signal that killed it. */
static int run_as(uid_t uid, const struct lockdown *lockdown, attempt_fn *attempt)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err = ERR_INIT;
        if (uid != 0 && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
            _exit(NOT_APPLIED);
        if (lockdown != NULL && lockdown_apply(lockdown, stage.report, &err) < 0) {
            fprintf(stderr, "# %s\n", err.msg);
            _exit(NOT_APPLIED);
        }
        _exit(attempt());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ------------------------------------------------------------------- tests */

static const struct lockdown strict = {.name = "strict"};
static const struct lockdown with_files = {
    .name = "with files", .promises = LOCKDOWN_FILES, .paths = paths};
static const struct lockdown with_unix = {
    .name = "with unix", .promises = LOCKDOWN_FILES | LOCKDOWN_NET_UNIX, .paths = paths};

static uid_t test_uids[] = {0, ATTEMPT_UID};

/* As who the tests run, and as nobody when that is root. */
static size_t uid_count(void)
{
    return geteuid() == 0 ? 2 : 1;
}

static void assert_result(const struct lockdown *lockdown, attempt_fn *attempt, int expected,
                          const char *name)
{
    for (size_t i = 0; i < uid_count(); i++) {
        int got = run_as(test_uids[i], lockdown, attempt);
        if (got != expected)
            fail_msg("%s as uid %u gave %d, not %d", name, test_uids[i], got, expected);
    }
}

#define GIVES(lockdown, attempt, expected) assert_result(lockdown, attempt, expected, #attempt)

static bool in_force(enum lockdown_mechanism mechanism)
{
    return stage.report->entries[mechanism].state == LOCKDOWN_IN_FORCE;
}

static void without_a_lockdown_all_of_it_works(void **state UNUSED)
{
    static attempt_fn *const attempts[] = {
        try_read_passwd,    try_read_out,        try_read_ro,          try_write_ro,
        try_make_in_ro,     try_make_in_rw,      try_socket_inet,      try_socket_unix,
        try_socket_netlink, try_trace,           try_run_true,         try_executable_memory,
        try_start_thread,   try_connect_new_tcp, try_connect_abstract, try_socket_inet6_udp};

    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        int got = run_as(0, NULL, attempts[i]);
        if (got != 0)
            fail_msg("attempt %zu gave %d", i, got);
    }
}

static void every_mechanism_is_reported(void **state UNUSED)
{
    GIVES(&with_files, try_nothing, 0);
    for (size_t i = 0; i < LOCKDOWN_MECHANISMS; i++) {
        assert_non_null(stage.report->entries[i].name);
        print_message("# %-18s %-12s %s\n", stage.report->entries[i].name,
                      lockdown_state_name(stage.report->entries[i].state),
                      stage.report->entries[i].detail);
    }
    assert_true(in_force(LOCKDOWN_BY_NO_NEW_PRIVS));
    assert_true(in_force(LOCKDOWN_BY_SECCOMP));
    assert_int_equal(stage.report->entries[LOCKDOWN_BY_MOUNTS].state, LOCKDOWN_NOT_ASKED);
}

static void a_tool_of_attack_kills(void **state UNUSED)
{
    static attempt_fn *const attempts[] = {
        try_enter_user_namespace, try_mount_tmpfs, try_load_module,
        try_use_keyring,          try_use_bpf,     try_use_perf};

    for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
        assert_result(&with_unix, attempts[i], KILLED, "attack");
    GIVES(&with_unix, try_clone_namespace, KILLED);
    if (SANITIZED)
        return;
    GIVES(&strict, try_trace, KILLED);
    GIVES(&strict, try_read_other_memory, KILLED);
}

static void what_was_not_promised_is_refused(void **state UNUSED)
{
    GIVES(&strict, try_socket_inet, EPERM);
    GIVES(&strict, try_socket_unix, EPERM);
    GIVES(&strict, try_socket_netlink, EPERM);
    GIVES(&with_unix, try_socket_inet, EPERM);
    GIVES(&with_unix, try_socket_inet6_udp, EPERM);
    GIVES(&with_unix, try_socket_unix, 0);
    GIVES(&strict, try_read_ro, SANITIZED ? EACCES : EPERM);
    GIVES(&strict, try_exec_true, SANITIZED ? EACCES : EPERM);
    if (SANITIZED)
        return;
    GIVES(&strict, try_run_true, EPERM);
    GIVES(&strict, try_start_thread, EPERM);
    GIVES(&strict, try_executable_memory, EPERM);
    GIVES(&strict, try_signal_parent, EPERM);
    GIVES(&strict, try_regain_root, EPERM);
}

static void what_is_not_known_looks_missing(void **state UNUSED)
{
    GIVES(&with_unix, try_use_io_uring, ENOSYS);
    GIVES(&with_unix, try_use_unknown_call, ENOSYS);
}

static void a_failed_process_can_still_abort(void **state UNUSED)
{
    GIVES(&strict, try_raise_abort, -SIGABRT);
}

static void files_are_those_of_the_list(void **state UNUSED)
{
    GIVES(&with_files, try_read_ro, 0);
    GIVES(&with_files, try_make_in_rw, 0);
    if (!in_force(LOCKDOWN_BY_LANDLOCK_FILES)) {
        print_message("# skipped: %s\n", stage.report->entries[LOCKDOWN_BY_LANDLOCK_FILES].detail);
        return;
    }
    GIVES(&with_files, try_read_passwd, EACCES);
    GIVES(&with_files, try_read_out, EACCES);
    GIVES(&with_files, try_write_ro, EACCES);
    GIVES(&with_files, try_make_in_ro, EACCES);
}

static void a_socket_from_before_cannot_reach_the_network(void **state UNUSED)
{
    GIVES(&with_unix, try_nothing, 0);
    if (in_force(LOCKDOWN_BY_LANDLOCK_TCP))
        GIVES(&with_unix, try_connect_inherited_tcp, EACCES);
    if (in_force(LOCKDOWN_BY_LANDLOCK_SCOPES))
        GIVES(&with_unix, try_connect_abstract, EPERM);
}

static void promises_open_what_they_name(void **state UNUSED)
{
    static const struct lockdown_path programs[] = {
        {"/usr", LOCKDOWN_PATH_EXEC},
        {"/bin", LOCKDOWN_PATH_EXEC},
        {"/lib", LOCKDOWN_PATH_EXEC},
        {"/lib64", LOCKDOWN_PATH_EXEC | LOCKDOWN_PATH_OPTIONAL},
        {"/etc/ld.so.cache", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
        {0}};
    const struct lockdown runner = {.name = "runner",
                                    .promises = LOCKDOWN_EXEC | LOCKDOWN_FILES | LOCKDOWN_THREADS,
                                    .paths = programs};
    const struct lockdown inet = {.name = "inet", .promises = LOCKDOWN_NET_INET};

    GIVES(&runner, try_run_true, 0);
    GIVES(&runner, try_start_thread, 0);
    GIVES(&runner, try_executable_memory, 0);
    GIVES(&runner, try_read_ro, EACCES);
    if (in_force(LOCKDOWN_BY_LANDLOCK_SCOPES))
        GIVES(&runner, try_signal_parent, EPERM);
    GIVES(&inet, try_connect_new_tcp, 0);
}

static void a_missing_path_is_an_error(void **state UNUSED)
{
    static const struct lockdown_path missing[] = {{"/no/such/path", LOCKDOWN_PATH_READ}, {0}};
    const struct lockdown lockdown = {
        .name = "missing", .promises = LOCKDOWN_FILES, .paths = missing};

    GIVES(&lockdown, try_nothing, NOT_APPLIED);
}

static void root_becomes_somebody_without_rights(void **state UNUSED)
{
    const struct lockdown lockdown = {
        .name = "somebody", .promises = LOCKDOWN_EXEC, .uid = ATTEMPT_UID, .gid = ATTEMPT_UID};

    if (geteuid() != 0)
        skip();
    assert_int_equal(run_as(0, &lockdown, try_regain_root), EPERM);
    assert_int_equal(run_as(0, &lockdown, try_has_no_rights_left), 0);
    assert_true(in_force(LOCKDOWN_BY_IDENTITY));
    assert_true(in_force(LOCKDOWN_BY_CAPABILITIES));
    /* Without the lockdown it is root. */
    assert_int_equal(run_as(0, NULL, try_has_no_rights_left), 1);
    assert_int_equal(
        run_as(ATTEMPT_UID, &(struct lockdown){.name = "x", .uid = 12345}, try_nothing), 0);
    assert_int_equal(stage.report->entries[LOCKDOWN_BY_IDENTITY].state, LOCKDOWN_NOT_GRANTED);
}

static void check_private_root(uid_t uid, const struct lockdown *lockdown)
{
    assert_int_equal(run_as(uid, lockdown, try_nothing), 0);
    print_message("# uid %u: %s\n", uid, stage.report->entries[LOCKDOWN_BY_MOUNTS].detail);
    if (!in_force(LOCKDOWN_BY_MOUNTS))
        return;
    assert_int_equal(run_as(uid, lockdown, try_read_passwd), ENOENT);
    assert_int_equal(run_as(uid, lockdown, try_read_out), ENOENT);
    assert_int_equal(run_as(uid, lockdown, try_read_ro), 0);
    assert_int_equal(run_as(uid, lockdown, try_make_in_rw), 0);
    assert_int_not_equal(run_as(uid, lockdown, try_write_ro), 0);
    assert_int_equal(run_as(uid, lockdown, try_root_is_empty),
                     in_force(LOCKDOWN_BY_LANDLOCK_FILES) ? EACCES : 0);
    assert_int_not_equal(run_as(uid, lockdown, try_make_in_root), 0);
    assert_int_equal(run_as(uid, lockdown, try_connect_new_tcp), ENETUNREACH);
}

static void a_private_root_has_only_the_listed_paths(void **state UNUSED)
{
    struct lockdown lockdown = {.name = "private",
                                .promises = LOCKDOWN_FILES | LOCKDOWN_NET_INET,
                                .paths = paths,
                                .uid = ATTEMPT_UID,
                                .gid = ATTEMPT_UID,
                                .private_mounts = true,
                                .private_net = true};

    if (geteuid() == 0)
        check_private_root(0, &lockdown);
    assert_int_equal(run_as(geteuid() == 0 ? ATTEMPT_UID : 0, &lockdown, try_nothing), 0);
    assert_int_equal(stage.report->entries[LOCKDOWN_BY_MOUNTS].state, LOCKDOWN_NOT_GRANTED);
    lockdown.user_namespace = true;
    check_private_root(geteuid() == 0 ? ATTEMPT_UID : 0, &lockdown);
}

/* Without Landlock and seccomp, to see the mounts alone: the promise to mount switches both off. */
static void the_mounts_hold_by_themselves(void **state UNUSED)
{
    const struct lockdown lockdown = {
        .name = "mounts", .promises = LOCKDOWN_MOUNT, .paths = paths, .private_mounts = true};

    if (geteuid() != 0)
        skip();
    assert_int_equal(run_as(0, &lockdown, try_root_is_empty), 0);
    if (!in_force(LOCKDOWN_BY_MOUNTS))
        return;
    assert_int_equal(run_as(0, &lockdown, try_read_passwd), ENOENT);
    assert_int_equal(run_as(0, &lockdown, try_write_ro), EROFS);
    assert_int_equal(run_as(0, &lockdown, try_make_in_ro), EROFS);
    assert_int_equal(run_as(0, &lockdown, try_make_in_root), EROFS);
    assert_int_equal(run_as(0, &lockdown, try_make_in_rw), 0);
}

static void a_role_that_mounts_keeps_what_it_needs(void **state UNUSED)
{
    const struct lockdown agent = {.name = "agent",
                                   .promises = LOCKDOWN_MOUNT,
                                   .keep_capabilities =
                                       1ULL << CAP_SYS_ADMIN | 1ULL << CAP_SYS_MODULE};

    if (geteuid() != 0)
        skip();
    assert_int_equal(run_as(0, &agent, try_private_tmpfs), 0);
    assert_int_equal(run_as(0, &agent, try_run_true), 0);
    /* Without the filter the kernel goes on to look at the module. */
    assert_int_not_equal(run_as(0, NULL, try_load_module), EPERM);
    assert_int_equal(run_as(0, &agent, try_load_module), EPERM);
    assert_string_equal(stage.report->entries[LOCKDOWN_BY_CAPABILITIES].detail,
                        "2 that the role needs are left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_lockdown_all_of_it_works),
        cmocka_unit_test(every_mechanism_is_reported),
        cmocka_unit_test(a_tool_of_attack_kills),
        cmocka_unit_test(what_was_not_promised_is_refused),
        cmocka_unit_test(what_is_not_known_looks_missing),
        cmocka_unit_test(a_failed_process_can_still_abort),
        cmocka_unit_test(files_are_those_of_the_list),
        cmocka_unit_test(a_socket_from_before_cannot_reach_the_network),
        cmocka_unit_test(promises_open_what_they_name),
        cmocka_unit_test(a_missing_path_is_an_error),
        cmocka_unit_test(root_becomes_somebody_without_rights),
        cmocka_unit_test(a_private_root_has_only_the_listed_paths),
        cmocka_unit_test(the_mounts_hold_by_themselves),
        cmocka_unit_test(a_role_that_mounts_keeps_what_it_needs),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("lockdown", tests, stage_init, stage_clear);
}
