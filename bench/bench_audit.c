/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable appends to the audit log by batch size, beside what the disk does by itself: the same
 * bytes written and synced without a log. Runs below DRUN_TEST_DIR, or /tmp.
 */
#include "audit/audit_test_util.h"
#include "audit/ring.h"
#include "audit/verify.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

static double seconds_since(uint64_t start_ns)
{
    return (double)(clock_mono_ns() - start_ns) / 1e9;
}

static uint64_t log_bytes(const char *path)
{
    struct stat st;
    CLEANUP_FREE char *name = mem_printf("%s/00000000000000000000.seg", path);

    return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static double raw_seconds(const char *path, size_t bytes, size_t rounds)
{
    CLEANUP_FREE char *name = mem_printf("%s/raw", path);
    CLEANUP_FREE uint8_t *data = mem_new(bytes);
    CLEANUP_FD int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct err err = ERR_INIT;
    uint64_t start = clock_mono_ns();

    for (size_t i = 0; i < rounds; i++)
        INVARIANT(fd_write_all(fd, span_of(data, bytes), name, &err) == 0 && fdatasync(fd) == 0);
    double took = seconds_since(start);
    unlink(name);
    return took;
}

static void run(struct test_keys *keys, size_t batch, size_t rounds)
{
    struct audit_log_config config = test_config(keys);
    char path[64];

    config.segment_records = 1 << 20;
    config.segment_bytes = 1 << 30;
    test_dir_make(path);
    struct audit_log *log = test_log(path, &config);
    uint64_t before = log_bytes(path);
    uint64_t start = clock_mono_ns();
    for (size_t i = 0; i < rounds; i++)
        test_append(log, i * batch, batch);
    double took = seconds_since(start);
    size_t each = (size_t)(log_bytes(path) - before) / rounds;
    double raw = raw_seconds(path, each, rounds);
    printf("batch %5zu: %9.0f durable appends/s, %6.0f us a batch; disk alone %6.0f us; "
           "ratio %.2f; %zu bytes a record\n",
           batch, (double)(batch * rounds) / took, took / (double)rounds * 1e6,
           raw / (double)rounds * 1e6, raw / took, each / batch);
    audit_log_close(log);
    test_dir_remove(path);
}

static int ignore(void *ctx UNUSED, const struct audit_event *event UNUSED, struct err *err UNUSED)
{
    return 0;
}

static void verify(struct test_keys *keys, const char *path)
{
    struct audit_verify_options options = {.keys = &keys->signers, .origin = TEST_ORIGIN};
    struct audit_verdict verdict;
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = test_dir_fd(path);
    uint64_t start = clock_mono_ns();

    INVARIANT(audit_verify(fd, &options, &verdict, &err) == 0 && verdict.good);
    printf("verify: %.0f records/s\n", (double)verdict.records / seconds_since(start));
}

/* How long a start takes that reads one full segment: the newest is read, checked and opened. */
static void start_up(struct test_keys *keys)
{
    enum { RECORDS = 32000, BATCH = 1000 };
    struct audit_log_config config = test_config(keys);
    char path[64];

    test_dir_make(path);
    struct audit_log *log = test_log(path, &config);
    for (size_t i = 0; i < RECORDS / BATCH; i++)
        test_append(log, i * BATCH, BATCH);
    audit_log_close(log);
    uint64_t start = clock_mono_ns();
    log = test_log(path, &config);
    printf("start with %d records in the newest segment: %.0f ms\n", RECORDS,
           seconds_since(start) * 1e3);
    struct err err = ERR_INIT;
    INVARIANT(audit_log_checkpoint(log, &err) == 0);
    audit_log_close(log);
    verify(keys, path);
    test_dir_remove(path);
}

/* What one event costs an nginx worker. */
static void ring(void)
{
    enum { ROUNDS = 2000, EVENTS = 100 };
    struct audit_ring_writer writer;
    struct audit_ring_reader *reader;
    char room[32];
    struct audit_event event = test_event(1, room);
    struct err err = ERR_INIT;
    uint64_t spent = 0;
    CLEANUP_FD int fd = audit_ring_create(1 << 20, &err);

    INVARIANT(fd >= 0 && audit_ring_writer_open(&writer, fd, -1, &err) == 0);
    INVARIANT(audit_ring_reader_open(fd, &reader, &err) == 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t start = clock_mono_ns();
        for (size_t k = 0; k < EVENTS; k++)
            INVARIANT(audit_ring_put(&writer, &event));
        audit_ring_bell(&writer);
        spent += clock_mono_ns() - start;
        INVARIANT(audit_ring_read(reader, 2 * EVENTS, ignore, NULL, &err) == EVENTS);
        audit_ring_release(reader);
    }
    printf("ring: %.0f ns to put an event\n", (double)spent / (ROUNDS * EVENTS));
    audit_ring_reader_free(reader);
    audit_ring_writer_close(&writer);
}

int main(void)
{
    static const size_t batches[][2] = {{1, 500}, {64, 300}, {1024, 100}, {8192, 12}};
    struct test_keys keys;
    struct err err = ERR_INIT;

    INVARIANT(secret_heap_init(&err) == 0);
    test_keys_init(&keys);
    for (size_t i = 0; i < ARRAY_LEN(batches); i++)
        run(&keys, batches[i][0], batches[i][1]);
    start_up(&keys);
    ring();
    test_keys_free(&keys);
    return 0;
}
