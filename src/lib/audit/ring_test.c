/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_test_util.h"
#include "audit/ring_internal.h"

#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
    int ring_fd;
    int bell_fd;
    struct audit_ring_writer writer;
    struct audit_ring_reader *reader;
};

static void pair_open(struct pair *pair)
{
    struct err err = ERR_INIT;

    pair->ring_fd = audit_ring_create(AUDIT_RING_SIZE_MIN, &err);
    pair->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(pair->ring_fd >= 0 && pair->bell_fd >= 0);
    assert_int_equal(audit_ring_writer_open(&pair->writer, pair->ring_fd, pair->bell_fd, &err), 0);
    assert_int_equal(audit_ring_reader_open(pair->ring_fd, &pair->reader, &err), 0);
}

static void pair_close(struct pair *pair)
{
    audit_ring_writer_close(&pair->writer);
    audit_ring_reader_free(pair->reader);
    fd_close(&pair->ring_fd);
    fd_close(&pair->bell_fd);
}

struct counted {
    uint64_t next;
    uint64_t seen;
};

static int count_event(void *ctx, const struct audit_event *event, struct err *err UNUSED)
{
    struct counted *counted = ctx;
    char room[32];
    struct audit_event want = test_event(counted->next, room);

    assert_true(span_eq(event->action.name, want.action.name));
    assert_int_equal(event->time_ns, want.time_ns);
    counted->next++;
    counted->seen++;
    return 0;
}

static bool put(struct pair *pair, uint64_t number)
{
    char room[32];
    struct audit_event event = test_event(number, room);

    return audit_ring_put(&pair->writer, &event);
}

static void events_come_out_as_they_went_in(void **state UNUSED)
{
    struct pair pair;
    struct counted counted = {0};
    struct err err = ERR_INIT;

    pair_open(&pair);
    /* Many times around, in steps that do not divide the ring. */
    for (uint64_t i = 0; i < 5000; i += 7) {
        for (uint64_t k = 0; k < 7; k++)
            assert_true(put(&pair, i + k));
        assert_int_equal(audit_ring_read(pair.reader, 1000, count_event, &counted, &err) > 0, 1);
        audit_ring_release(pair.reader);
    }
    while (audit_ring_read(pair.reader, 1000, count_event, &counted, &err) > 0)
        audit_ring_release(pair.reader);
    assert_int_equal(counted.seen, 5005);
    assert_int_equal(audit_ring_take_lost(pair.reader), 0);
    pair_close(&pair);
}

static void a_full_ring_drops_and_counts(void **state UNUSED)
{
    struct pair pair;
    struct counted counted = {0};
    struct err err = ERR_INIT;
    uint64_t taken = 0;

    pair_open(&pair);
    while (put(&pair, taken))
        taken++;
    assert_true(taken > 100);
    assert_false(put(&pair, taken));
    assert_int_equal(audit_ring_dropped(&pair.writer), 2);
    assert_int_equal(audit_ring_take_lost(pair.reader), 2);
    assert_int_equal(audit_ring_take_lost(pair.reader), 0);
    assert_int_equal(audit_ring_read(pair.reader, 10000, count_event, &counted, &err), taken);
    /* What was read is not free before it is durable. */
    assert_false(put(&pair, taken));
    audit_ring_rewind(pair.reader);
    counted.next = 0;
    assert_int_equal(audit_ring_read(pair.reader, 10000, count_event, &counted, &err), taken);
    audit_ring_release(pair.reader);
    assert_true(put(&pair, taken));
    pair_close(&pair);
}

static void the_bell_rings_only_when_the_consumer_sleeps(void **state UNUSED)
{
    struct pair pair;
    uint64_t rings;
    struct counted counted = {0};
    struct err err = ERR_INIT;

    pair_open(&pair);
    assert_true(put(&pair, 0));
    assert_int_equal(read(pair.bell_fd, &rings, sizeof(rings)), -1);
    assert_false(audit_ring_sleep(pair.reader));
    assert_int_equal(audit_ring_read(pair.reader, 10, count_event, &counted, &err), 1);
    assert_true(audit_ring_sleep(pair.reader));
    assert_true(put(&pair, 1));
    assert_true(put(&pair, 2));
    assert_int_equal(read(pair.bell_fd, &rings, sizeof(rings)), -1);
    audit_ring_bell(&pair.writer);
    audit_ring_bell(&pair.writer);
    assert_int_equal(read(pair.bell_fd, &rings, sizeof(rings)), sizeof(rings));
    assert_int_equal(rings, 1);
    pair_close(&pair);
}

static void a_new_reader_goes_on_where_the_last_one_released(void **state UNUSED)
{
    struct pair pair;
    struct counted counted = {0};
    struct err err = ERR_INIT;

    pair_open(&pair);
    for (uint64_t i = 0; i < 6; i++)
        assert_true(put(&pair, i));
    assert_int_equal(audit_ring_read(pair.reader, 2, count_event, &counted, &err), 2);
    audit_ring_release(pair.reader);
    assert_int_equal(audit_ring_read(pair.reader, 2, count_event, &counted, &err), 2);
    audit_ring_reader_free(pair.reader); /* killed before the second two were durable */
    assert_int_equal(audit_ring_reader_open(pair.ring_fd, &pair.reader, &err), 0);
    counted.next = 2;
    assert_int_equal(audit_ring_read(pair.reader, 10, count_event, &counted, &err), 4);
    pair_close(&pair);
}

static int any_event(void *ctx UNUSED, const struct audit_event *event, struct err *err UNUSED)
{
    assert_true(event->event.len > 0);
    return 0;
}

static void garbage_is_survived_and_counted(void **state UNUSED)
{
    static const uint64_t heads[] = {8, 4096, 65536, 65544, 7, UINT64_MAX, UINT64_MAX - 7, 1 << 20};
    struct pair pair;
    struct err err = ERR_INIT;

    pair_open(&pair);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        memset(pair.writer.shared->data, (int)(i * 37), pair.writer.size);
        atomic_store(&pair.writer.shared->head, heads[i]);
        atomic_store(&pair.writer.shared->dropped, heads[i]);
        assert_true(audit_ring_read(pair.reader, 1000, any_event, NULL, &err) >= 0);
        audit_ring_release(pair.reader);
        assert_true(audit_ring_take_lost(pair.reader) > 0);
    }
    /* And an honest producer is heard again afterwards. */
    audit_ring_writer_close(&pair.writer);
    assert_int_equal(audit_ring_writer_open(&pair.writer, pair.ring_fd, pair.bell_fd, &err), 0);
    assert_true(audit_ring_read(pair.reader, 100000, any_event, NULL, &err) >= 0);
    audit_ring_release(pair.reader);
    struct counted counted = {0};
    assert_true(put(&pair, 0));
    assert_int_equal(audit_ring_read(pair.reader, 10, count_event, &counted, &err), 1);
    pair_close(&pair);
}

static void what_could_shrink_under_the_reader_is_refused(void **state UNUSED)
{
    char path[] = "/tmp/drun-ring-XXXXXX";
    CLEANUP_FD int fd = mkostemp(path, O_CLOEXEC);
    struct audit_ring_reader *reader;
    struct err err = ERR_INIT;

    assert_int_equal(ftruncate(fd, 4096 + AUDIT_RING_SIZE_MIN), 0);
    assert_int_equal(audit_ring_reader_open(fd, &reader, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    unlink(path);
    struct pair pair;
    pair_open(&pair);
    assert_int_equal(ftruncate(pair.ring_fd, 0), -1);
    pair_close(&pair);
}

static void a_process_beside_it_is_heard_completely(void **state UNUSED)
{
    enum { EVENTS = 20000 };
    struct pair pair;
    struct counted counted = {0};
    struct err err = ERR_INIT;

    pair_open(&pair);
    pid_t child = fork();
    if (child == 0) {
        for (uint64_t i = 0; i < EVENTS;)
            if (put(&pair, i)) {
                i++;
                audit_ring_bell(&pair.writer);
            } else {
                usleep(50);
            }
        _exit(0);
    }
    while (counted.seen < EVENTS) {
        uint64_t rings;
        if (audit_ring_read(pair.reader, 256, count_event, &counted, &err) > 0) {
            audit_ring_release(pair.reader);
        } else if (audit_ring_sleep(pair.reader)) {
            while (read(pair.bell_fd, &rings, sizeof(rings)) < 0)
                usleep(20);
        }
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_out_as_they_went_in),
        cmocka_unit_test(a_full_ring_drops_and_counts),
        cmocka_unit_test(the_bell_rings_only_when_the_consumer_sleeps),
        cmocka_unit_test(a_new_reader_goes_on_where_the_last_one_released),
        cmocka_unit_test(garbage_is_survived_and_counted),
        cmocka_unit_test(what_could_shrink_under_the_reader_is_refused),
        cmocka_unit_test(a_process_beside_it_is_heard_completely),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit ring", tests, NULL, NULL);
}
