/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes, some of which die at the worst moment. */
#include "kept/kept_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { FOREVER = 1 << 30, CHILDREN = 4, DEATHS = 60, KEYS = 64, VALUE_MOST = 20000 };

static struct kept *make(void)
{
    struct kept *kept = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(kept_new(KEPT_BYTES_MIN, &kept, &err), 0);
    return kept;
}

struct key {
    uint8_t bytes[KEPT_KEY_LEN];
};

static struct key key_of(uint64_t number)
{
    struct key key = {{0}};

    memcpy(key.bytes, &number, sizeof(number));
    memcpy(key.bytes + sizeof(number), &number, sizeof(number));
    return key;
}

static bool has(struct kept *kept, uint64_t number, const char *text)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(VALUE_MOST);
    uint64_t age;

    return kept_get(kept, key_of(number).bytes, 1, &out, &age) && span_eq_str(buf_span(&out), text);
}

static void put(struct kept *kept, uint64_t number, const char *text)
{
    struct span value = span_str(text);

    assert_true(kept_put(kept, key_of(number).bytes, &value, 1, 0, FOREVER));
}

static void wait_for_death(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void what_one_keeps_another_finds(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make();
    pid_t child = fork();

    if (child == 0) {
        put(kept, 1, "from the child");
        raise(SIGKILL);
    }
    wait_for_death(child);
    assert_true(has(kept, 1, "from the child"));
}

/* It has torn whatever it could. */
static NORETURN void die_with_the_lock(struct kept *kept)
{
    if (!kept_lock(kept))
        _exit(1);
    kept->shared->head = UINT64_MAX - 5;
    for (uint64_t i = 0; i < kept->bucket_count; i++)
        for (size_t way = 0; way < KEPT_WAYS; way++)
            kept->buckets[i].slots[way] = (struct kept_slot){.tag = i, .place = i * 977 + way};
    memset(kept->log, 0xff, kept->log_bytes);
    raise(SIGKILL);
    _exit(1);
}

static void who_dies_under_the_lock_takes_what_is_kept_and_nothing_else(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make();

    for (int i = 0; i < 3; i++) {
        put(kept, 1, "before");
        assert_true(has(kept, 1, "before"));
        pid_t child = fork();
        if (child == 0)
            die_with_the_lock(kept);
        wait_for_death(child);
        assert_false(has(kept, 1, "before"));
        put(kept, 2, "after");
        assert_true(has(kept, 2, "after"));
    }
}

static void who_stands_still_with_the_lock_stops_nobody(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make();
    int ready[2];
    char byte;

    put(kept, 1, "kept");
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)!kept_lock(kept);
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_false(has(kept, 1, "kept"));
    struct span value = span_str("x");
    assert_false(kept_put(kept, key_of(3).bytes, &value, 1, 0, FOREVER));
    assert_int_equal(kill(child, SIGKILL), 0);
    wait_for_death(child);
    put(kept, 2, "again");
    assert_true(has(kept, 2, "again"));
    close(ready[0]);
    close(ready[1]);
}

/* ------------------------------------------------------------------ all at once */

static uint64_t chance(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* A value says in each byte whose it is, and by its length. */
static void fill(uint8_t *bytes, size_t len, uint64_t number)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(number + i + len);
}

static bool is_whole(const struct buf *out, uint64_t number)
{
    for (size_t i = 0; i < out->len; i++)
        if (out->data[i] != (uint8_t)(number + i + out->len))
            return false;
    return true;
}

static NORETURN void work(struct kept *kept, uint64_t seed)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(VALUE_MOST);
    uint8_t *room = mem_new(VALUE_MOST);
    uint64_t age;

    for (;;) {
        uint64_t number = chance(&seed) % KEYS;
        struct span value = span_of(room, chance(&seed) % VALUE_MOST);
        if (chance(&seed) % 2 == 0) {
            fill(room, value.len, number);
            (void)kept_put(kept, key_of(number).bytes, &value, 1, 0, FOREVER);
            continue;
        }
        buf_reset(&out);
        if (kept_get(kept, key_of(number).bytes, 1, &out, &age) && !is_whole(&out, number))
            _exit(3);
    }
}

static void nobody_sees_half_a_value_whoever_dies(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make();
    pid_t children[CHILDREN];
    uint64_t seed = clock_mono_ns() | 1;
    int status;

    for (size_t i = 0; i < CHILDREN; i++)
        if ((children[i] = fork()) == 0)
            work(kept, chance(&seed) + i);
    for (int i = 0; i < DEATHS; i++) {
        size_t which = chance(&seed) % CHILDREN;
        usleep((useconds_t)(chance(&seed) % 5000));
        assert_int_equal(kill(children[which], SIGKILL), 0);
        assert_int_equal(waitpid(children[which], &status, 0), children[which]);
        assert_true(WIFSIGNALED(status)); /* and not by itself, because of what it saw */
        if ((children[which] = fork()) == 0)
            work(kept, chance(&seed));
    }
    for (size_t i = 0; i < CHILDREN; i++) {
        assert_int_equal(kill(children[i], SIGKILL), 0);
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFSIGNALED(status));
    }
    put(kept, 1, "still");
    assert_true(has(kept, 1, "still"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_keeps_another_finds),
        cmocka_unit_test(who_dies_under_the_lock_takes_what_is_kept_and_nothing_else),
        cmocka_unit_test(who_stands_still_with_the_lock_stops_nobody),
        cmocka_unit_test(nobody_sees_half_a_value_whoever_dies),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("kept death", tests, NULL, NULL);
}
