/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "snapshot/policy.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void put_policy(struct buf *file, unsigned routes)
{
    CLEANUP(policy_builder_free_ptr) struct policy_builder *builder = policy_builder_new();
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < routes; i++) {
        CLEANUP_FREE char *name = mem_printf("model-%u", i);
        struct policy_route_in route = {.namespace = "team-a",
                                        .name = name,
                                        .engine_model = "m.gguf",
                                        .socket = "/run/e.sock",
                                        .upstream = ""};
        assert_int_equal(policy_builder_add_route(builder, &route, &err), 0);
    }
    assert_int_equal(policy_builder_finish(builder, file, &err), 0);
}

static int test_dir(char template[])
{
    struct err err = ERR_INIT;
    assert_non_null(mkdtemp(template));
    int fd = fd_open_dir(AT_FDCWD, template, &err);
    assert_true(fd >= 0);
    return fd;
}

static void remove_dir(const char *dir)
{
    CLEANUP_FREE char *snap = mem_printf("%s/policy.snap", dir);
    CLEANUP_FREE char *gen = mem_printf("%s/policy.gen", dir);

    unlink(snap);
    unlink(gen);
    assert_int_equal(rmdir(dir), 0);
}

static void publish(struct snapshot_publisher *publisher, unsigned routes)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct err err = ERR_INIT;
    uint64_t generation = 0;

    put_policy(&file, routes);
    assert_int_equal(snapshot_publish(publisher, &file, &generation, &err), 0);
    assert_true(generation > 0);
}

static void a_reader_follows_what_is_published(void **state UNUSED)
{
    char dir[] = "/tmp/snapshot_test.XXXXXX";
    int fds[2] = {test_dir(dir)};
    struct err err = ERR_INIT;

    fds[1] = dup(fds[0]);
    CLEANUP(snapshot_reader_free_ptr)
    struct snapshot_reader *reader = snapshot_reader_new(&policy_snapshot, &fds[0]);
    CLEANUP(snapshot_publisher_free_ptr) struct snapshot_publisher *publisher = NULL;
    assert_int_equal(snapshot_reader_refresh(reader, &err), 0);
    assert_null(snapshot_reader_current(reader));
    assert_int_equal(snapshot_publisher_open(&policy_snapshot, &fds[1], &publisher, &err), 0);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 0);
    publish(publisher, 1);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 1);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 0);
    uint64_t first = snapshot_generation(snapshot_reader_current(reader));
    publish(publisher, 2);
    assert_int_equal(policy_route_count(snapshot_reader_current(reader)), 1);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 1);
    assert_int_equal(policy_route_count(snapshot_reader_current(reader)), 2);
    assert_true(snapshot_generation(snapshot_reader_current(reader)) > first);
    remove_dir(dir);
}

static void what_is_taken_outlives_the_next_one(void **state UNUSED)
{
    char dir[] = "/tmp/snapshot_test.XXXXXX";
    int fds[2] = {test_dir(dir)};
    struct err err = ERR_INIT;

    fds[1] = dup(fds[0]);
    CLEANUP(snapshot_reader_free_ptr)
    struct snapshot_reader *reader = snapshot_reader_new(&policy_snapshot, &fds[0]);
    CLEANUP(snapshot_publisher_free_ptr) struct snapshot_publisher *publisher = NULL;
    assert_int_equal(snapshot_publisher_open(&policy_snapshot, &fds[1], &publisher, &err), 0);
    assert_null(snapshot_reader_take(reader));
    publish(publisher, 1);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 1);
    CLEANUP(snapshot_free_ptr) struct snapshot *taken = snapshot_reader_take(reader);
    assert_null(snapshot_reader_take(reader));
    assert_null(snapshot_reader_current(reader));
    assert_int_equal(snapshot_reader_refresh(reader, &err), 0);
    publish(publisher, 2);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 1);
    assert_int_equal(policy_route_count(taken), 1);
    assert_int_equal(policy_route_count(snapshot_reader_current(reader)), 2);
    remove_dir(dir);
}

static void a_damaged_file_leaves_the_old_one_in_force(void **state UNUSED)
{
    char dir[] = "/tmp/snapshot_test.XXXXXX";
    CLEANUP_FD int dir_fd = test_dir(dir);
    int fds[2] = {dup(dir_fd), dup(dir_fd)};
    struct err err = ERR_INIT;
    CLEANUP(snapshot_reader_free_ptr)
    struct snapshot_reader *reader = snapshot_reader_new(&policy_snapshot, &fds[0]);
    CLEANUP(snapshot_publisher_free_ptr) struct snapshot_publisher *publisher = NULL;

    assert_int_equal(snapshot_publisher_open(&policy_snapshot, &fds[1], &publisher, &err), 0);
    publish(publisher, 1);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 1);
    publish(publisher, 2);
    assert_int_equal(fd_replace_file(dir_fd, "policy.snap", 0644, span_str("junk"), false, &err),
                     0);
    assert_int_equal(snapshot_reader_refresh(reader, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 0);
    assert_int_equal(policy_route_count(snapshot_reader_current(reader)), 1);
    publish(publisher, 3);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 1);
    assert_int_equal(policy_route_count(snapshot_reader_current(reader)), 3);
    remove_dir(dir);
}

static void an_older_file_does_not_come_back(void **state UNUSED)
{
    char dir[] = "/tmp/snapshot_test.XXXXXX";
    CLEANUP_FD int dir_fd = test_dir(dir);
    CLEANUP(buf_free) struct buf old = BUF_INIT(SNAPSHOT_FILE_MAX);
    int fds[2] = {dup(dir_fd), dup(dir_fd)};
    struct err err = ERR_INIT;
    CLEANUP(snapshot_reader_free_ptr)
    struct snapshot_reader *reader = snapshot_reader_new(&policy_snapshot, &fds[0]);
    CLEANUP(snapshot_publisher_free_ptr) struct snapshot_publisher *publisher = NULL;

    assert_int_equal(snapshot_publisher_open(&policy_snapshot, &fds[1], &publisher, &err), 0);
    publish(publisher, 1);
    assert_int_equal(fd_read_file(dir_fd, "policy.snap", &old, &err), 0);
    publish(publisher, 2);
    assert_int_equal(snapshot_reader_refresh(reader, &err), 1);
    publish(publisher, 3);
    assert_int_equal(fd_replace_file(dir_fd, "policy.snap", 0644, buf_span(&old), false, &err), 0);
    assert_int_equal(snapshot_reader_refresh(reader, &err), -1);
    assert_int_equal(policy_route_count(snapshot_reader_current(reader)), 2);
    remove_dir(dir);
}

static void a_second_publisher_is_refused(void **state UNUSED)
{
    char dir[] = "/tmp/snapshot_test.XXXXXX";
    CLEANUP_FD int dir_fd = test_dir(dir);
    int fds[2] = {dup(dir_fd), dup(dir_fd)};
    struct err err = ERR_INIT;
    CLEANUP(snapshot_publisher_free_ptr) struct snapshot_publisher *first = NULL;
    CLEANUP(snapshot_publisher_free_ptr) struct snapshot_publisher *second = NULL;

    assert_int_equal(snapshot_publisher_open(&policy_snapshot, &fds[0], &first, &err), 0);
    assert_int_equal(snapshot_publisher_open(&policy_snapshot, &fds[1], &second, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    remove_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_follows_what_is_published),
        cmocka_unit_test(what_is_taken_outlives_the_next_one),
        cmocka_unit_test(a_damaged_file_leaves_the_old_one_in_force),
        cmocka_unit_test(an_older_file_does_not_come_back),
        cmocka_unit_test(a_second_publisher_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("snapshot reader", tests, NULL, NULL);
}
