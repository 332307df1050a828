/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/instance.h"

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Two directories: one for data, one in memory for the run directory. */
struct fixture {
    char data[128];
    char memory[64];
    char run[80];
    struct settings *settings;
    struct instance instance;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_new(sizeof(*fixture));
    char assignment[128];

    snprintf(fixture->data, sizeof(fixture->data), "/tmp/drun-data-XXXXXX");
    snprintf(fixture->memory, sizeof(fixture->memory), "/dev/shm/drun-run-XXXXXX");
    INVARIANT(mkdtemp(fixture->data) != NULL && mkdtemp(fixture->memory) != NULL);
    snprintf(fixture->run, sizeof(fixture->run), "%s/run", fixture->memory);
    snprintf(assignment, sizeof(assignment), "run-dir=%s", fixture->run);
    INVARIANT(settings_load(span_of(NULL, 0), "settings", &fixture->settings, &fixture->err) == 0);
    INVARIANT(settings_set(fixture->settings, assignment, &fixture->err) == 0);
    fixture->instance.lock_fd = -1;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    instance_close(&fixture->instance);
    settings_free(fixture->settings);
    INVARIANT(fd_remove_tree(fixture->data, &fixture->err) == 0);
    INVARIANT(fd_remove_tree(fixture->memory, &fixture->err) == 0);
    free(fixture);
    return 0;
}

static int open_instance(struct fixture *fixture)
{
    instance_close(&fixture->instance);
    err_clear(&fixture->err);
    return instance_open(fixture->data, fixture->settings, &fixture->instance, &fixture->err);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = fd_open_dir(AT_FDCWD, dir, &err);

    assert_int_equal(fd_replace_file(fd, name, 0600, span_str(text), false, &err), 0);
}

static bool has(const char *dir, const char *name)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", dir, name);

    return access(path, F_OK) == 0;
}

static void the_first_start_makes_an_instance_that_stays(void **state)
{
    struct fixture *fixture = *state;
    char id[37];

    assert_int_equal(open_instance(fixture), 0);
    assert_true(fixture->instance.first_start && fixture->instance.run_dir_claimed);
    assert_string_equal(fixture->instance.run_dir, fixture->run);
    snprintf(id, sizeof(id), "%s", fixture->instance.id);
    assert_int_equal(strlen(id), 36);
    assert_int_equal(open_instance(fixture), 0);
    assert_false(fixture->instance.first_start);
    assert_string_equal(fixture->instance.id, id);
}

static void a_second_open_is_refused_by_the_lock(void **state)
{
    struct fixture *fixture = *state;
    struct instance second;
    struct err err = ERR_INIT;

    assert_int_equal(open_instance(fixture), 0);
    assert_int_equal(instance_open(fixture->data, fixture->settings, &second, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_false(second.run_dir_claimed);
    instance_close(&second);
}

static void a_foreign_directory_is_left_as_it_is(void **state)
{
    struct fixture *fixture = *state;

    put_file(fixture->data, "thesis.txt", "mine");
    assert_int_equal(open_instance(fixture), -1);
    assert_int_equal(fixture->err.code, ERR_CORRUPT);
    assert_non_null(strstr(fixture->err.msg, "thesis.txt"));
    assert_false(has(fixture->data, "lock") || has(fixture->data, "instance"));
}

static void a_damaged_instance_file_is_refused(void **state)
{
    static const char *const damaged[] = {
        "",
        "drun-instance 1\n",
        "drun-instance 2\n01234567-89ab-cdef-0123-456789abcdef\n",
        "drun-instance 1\n01234567-89ab-cdef-0123-456789abcdef",
        "drun-instance 1\n01234567-89ab-cdef-0123-456789abcdeX\n",
        "drun-instance 1\n../../..-89ab-cdef-0123-456789abcdef\n",
        "drun-instance 1\n01234567089ab-cdef-0123-456789abcdef\n",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
        put_file(fixture->data, "instance", damaged[i]);
        assert_int_equal(open_instance(fixture), -1);
        assert_int_equal(fixture->err.code, ERR_CORRUPT);
    }
    put_file(fixture->data, "instance", "drun-instance 1\n01234567-89ab-cdef-0123-456789abcdef\n");
    assert_int_equal(open_instance(fixture), 0);
}

static void a_data_directory_that_others_can_write_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(chmod(fixture->data, 0777), 0);
    assert_int_equal(open_instance(fixture), -1);
    assert_int_equal(fixture->err.code, ERR_DENIED);
}

static void a_run_directory_on_a_disk_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;

    assert_int_equal(settings_set(fixture->settings, "run-dir=/usr", &err), 0);
    assert_int_equal(open_instance(fixture), -1);
    assert_int_equal(fixture->err.code, ERR_INVALID);
    assert_false(fixture->instance.run_dir_claimed);
}

static void a_run_directory_with_other_files_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(mkdir(fixture->run, 0700), 0);
    put_file(fixture->run, "secrets", "not ours to clear");
    assert_int_equal(open_instance(fixture), -1);
    assert_int_equal(fixture->err.code, ERR_DENIED);
    assert_false(fixture->instance.run_dir_claimed);
}

static void what_a_start_that_was_killed_left_is_taken_over(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(open_instance(fixture), 0);
    put_file(fixture->run, "left", "behind");
    assert_int_equal(open_instance(fixture), 0);
    put_file(fixture->run, INSTANCE_MARK, "01234567-89ab-cdef-0123-456789abcdef");
    assert_int_equal(open_instance(fixture), -1);
    assert_int_equal(fixture->err.code, ERR_DENIED);
}

static void data_and_run_directory_are_never_the_same(void **state)
{
    struct fixture *fixture = *state;

    snprintf(fixture->data, sizeof(fixture->data), "%s", fixture->run);
    assert_int_equal(open_instance(fixture), -1);
    assert_int_equal(fixture->err.code, ERR_DENIED);
    assert_false(fixture->instance.run_dir_claimed);
}

static void a_path_that_would_be_cut_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char part[101];
    char path[1024];
    struct instance instance = {.lock_fd = -1};

    memset(part, 'x', sizeof(part) - 1);
    part[sizeof(part) - 1] = '\0';
    snprintf(path, sizeof(path), "%s/%s/%s/%s/%s/%s", fixture->data, part, part, part, part, part);
    assert_int_equal(instance_open(path, fixture->settings, &instance, &fixture->err), -1);
    assert_int_equal(fixture->err.code, ERR_TOO_LARGE);
    assert_non_null(strstr(fixture->err.msg, "more than 511"));
    instance_close(&instance);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(the_first_start_makes_an_instance_that_stays),
        TEST(a_second_open_is_refused_by_the_lock),
        TEST(a_foreign_directory_is_left_as_it_is),
        TEST(a_damaged_instance_file_is_refused),
        TEST(a_data_directory_that_others_can_write_is_refused),
        TEST(a_run_directory_on_a_disk_is_refused),
        TEST(a_run_directory_with_other_files_is_refused),
        TEST(what_a_start_that_was_killed_left_is_taken_over),
        TEST(data_and_run_directory_are_never_the_same),
        TEST(a_path_that_would_be_cut_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("instance", tests, NULL, NULL);
}
