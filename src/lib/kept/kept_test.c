/* SPDX-License-Identifier: Apache-2.0 */
/* One process: what is found, what goes first, and that it is as a list without an index says. */
#include "kept/kept_internal.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LONG = 1 << 30 };

static struct kept *make(size_t bytes)
{
    struct kept *kept = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(kept_new(bytes, &kept, &err), 0);
    return kept;
}

struct key {
    uint8_t bytes[KEPT_KEY_LEN];
};

/* `number` chooses the bucket, too. */
static struct key key_of(uint64_t number, uint64_t other)
{
    struct key key = {{0}};
    uint64_t mixed = other * UINT64_C(0x9e3779b97f4a7c15);

    memcpy(key.bytes, &number, sizeof(number));
    memcpy(key.bytes + sizeof(number), &mixed, sizeof(mixed));
    return key;
}

static bool put(struct kept *kept, struct key key, struct span value, uint64_t now, uint64_t until)
{
    return kept_put(kept, key.bytes, &value, 1, now, until);
}

static bool get(struct kept *kept, struct key key, uint64_t now, struct buf *out)
{
    uint64_t age;

    buf_reset(out);
    return kept_get(kept, key.bytes, now, out, &age);
}

static void a_value_is_there_until_its_time(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make(KEPT_BYTES_MIN);
    CLEANUP(buf_free) struct buf out = BUF_INIT(64);
    const struct span parts[] = {span_str("one "), span_of(NULL, 0), span_str("two")};
    struct key key = key_of(7, 7);
    uint64_t age = 0;

    assert_false(get(kept, key, 0, &out));
    assert_true(kept_put(kept, key.bytes, parts, ARRAY_LEN(parts), 100, 200));
    assert_true(kept_get(kept, key.bytes, 150, &out, &age));
    assert_string_equal(buf_text(&out), "one two");
    assert_int_equal(age, 50);
    assert_false(get(kept, key_of(7, 8), 150, &out));
    assert_false(get(kept, key_of(8, 7), 150, &out));
    assert_true(get(kept, key, 199, &out));
    assert_false(get(kept, key, 200, &out));
    assert_false(get(kept, key, 150, &out)); /* it is gone for good */
}

static void what_is_over_is_wiped(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make(KEPT_BYTES_MIN);
    CLEANUP(buf_free) struct buf out = BUF_INIT(64);
    static const char text[] = "the moon is made of cheese";

    put(kept, key_of(1, 1), span_str(text), 0, 10);
    assert_non_null(memmem(kept->log, kept->log_bytes, text, strlen(text)));
    assert_false(get(kept, key_of(1, 1), 10, &out));
    assert_null(memmem(kept->log, kept->log_bytes, text, strlen(text)));
}

static void the_last_one_counts(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make(KEPT_BYTES_MIN);
    CLEANUP(buf_free) struct buf out = BUF_INIT(64);

    put(kept, key_of(1, 1), span_str("first"), 0, LONG);
    put(kept, key_of(1, 1), span_str("second"), 0, LONG);
    assert_true(get(kept, key_of(1, 1), 1, &out));
    assert_string_equal(buf_text(&out), "second");
}

static void a_value_has_a_largest_size(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make(KEPT_BYTES_MIN);
    CLEANUP_FREE uint8_t *bytes = mem_new(KEPT_VALUE_MAX + 1);
    CLEANUP(buf_free) struct buf out = BUF_INIT(KEPT_VALUE_MAX);
    CLEANUP(buf_free) struct buf small = BUF_INIT(10);

    assert_false(put(kept, key_of(1, 1), span_of(bytes, KEPT_VALUE_MAX + 1), 0, LONG));
    assert_true(put(kept, key_of(1, 1), span_of(bytes, KEPT_VALUE_MAX), 0, LONG));
    assert_true(get(kept, key_of(1, 1), 0, &out));
    assert_int_equal(out.len, KEPT_VALUE_MAX);
    assert_false(get(kept, key_of(1, 1), 0, &small));
    const struct span huge[] = {span_of(bytes, SIZE_MAX), span_of(bytes, 10)};
    assert_false(kept_put(kept, key_of(2, 2).bytes, huge, 2, 0, LONG));
}

static void core_dumps_do_not_have_it(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make(KEPT_BYTES_MIN);
    FILE *maps = fopen("/proc/self/smaps", "re");
    char wanted[32];
    char line[512];
    bool here = false;
    bool dumped = true;

    assert_non_null(maps);
    snprintf(wanted, sizeof(wanted), "%lx-", (unsigned long)(uintptr_t)kept->shared);
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (strchr(line, '-') != NULL && strchr(line, ':') > strchr(line, '-'))
            here = strncmp(line, wanted, strlen(wanted)) == 0;
        if (here && strncmp(line, "VmFlags:", 8) == 0)
            dumped = strstr(line, " dd") == NULL;
    }
    (void)fclose(maps);
    assert_false(dumped);
}

/* ------------------------------------------------------------------ against a plain list */

enum { KEYS = 600, BUCKETS = 40, STEPS = 40000, VALUE_MOST = 60000 };

/* Of each key what was put last, with the place in a log that the list reckons itself; and of each
 * bucket the keys in the order in which they were put. */
struct model {
    struct {
        uint64_t position;
        uint64_t until;
        uint64_t len;
    } key[KEYS];
    size_t order[BUCKETS][KEPT_WAYS];
    size_t count[BUCKETS];
    uint64_t head;
};

static uint64_t seed = 88172645463325252ULL;

static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* A few buckets with many keys, so that both ways of being forgotten happen. */
static struct key numbered(size_t i)
{
    return key_of(i % BUCKETS, i + 1);
}

static bool remove_key(struct model *model, size_t i)
{
    size_t *order = model->order[i % BUCKETS];
    size_t *count = &model->count[i % BUCKETS];

    for (size_t k = 0; k < *count; k++) {
        if (order[k] != i)
            continue;
        memmove(&order[k], &order[k + 1], (*count - k - 1) * sizeof(order[0]));
        --*count;
        return true;
    }
    return false;
}

static void add_key(struct model *model, size_t i)
{
    size_t *count = &model->count[i % BUCKETS];

    remove_key(model, i);
    if (*count == KEPT_WAYS)
        remove_key(model, model->order[i % BUCKETS][0]);
    model->order[i % BUCKETS][(*count)++] = i;
}

static bool is_there(struct model *model, const struct kept *kept, size_t i, uint64_t now)
{
    if (!remove_key(model, i))
        return false;
    if (model->head - model->key[i].position > kept->log_bytes || model->key[i].until <= now)
        return false;
    /* Back to where it was. */
    size_t *order = model->order[i % BUCKETS];
    size_t at = model->count[i % BUCKETS]++;
    for (; at > 0 && model->key[order[at - 1]].position > model->key[i].position; at--)
        order[at] = order[at - 1];
    order[at] = i;
    return true;
}

/* Every byte says whose it is and when it was put. */
static void fill(uint8_t *bytes, size_t len, size_t i, uint64_t position)
{
    for (size_t k = 0; k < len; k++)
        bytes[k] = (uint8_t)(i * 31 + position / KEPT_ALIGN * 7 + k);
}

static void step_put(struct model *model, struct kept *kept, uint8_t *room, size_t i, uint64_t now)
{
    uint64_t len = chance() % (chance() % 8 == 0 ? VALUE_MOST : 300);
    uint64_t takes = kept_room(len);
    uint64_t position = kept_place(kept, model->head, takes);
    uint64_t until = now + chance() % 3000;

    fill(room, len, i, position);
    assert_true(put(kept, numbered(i), span_of(room, len), now, until));
    model->head = position + takes;
    model->key[i].position = position;
    model->key[i].until = until;
    model->key[i].len = len;
    add_key(model, i);
}

static void it_is_as_a_plain_list_says(void **state UNUSED)
{
    CLEANUP(kept_free_ptr) struct kept *kept = make(KEPT_BYTES_MIN);
    CLEANUP(buf_free) struct buf out = BUF_INIT(VALUE_MOST);
    CLEANUP_FREE struct model *model = mem_new(sizeof(*model));
    CLEANUP_FREE uint8_t *room = mem_new(VALUE_MOST);
    size_t found = 0;

    assert_true(kept->bucket_count >= BUCKETS);
    for (uint64_t now = 1; now <= STEPS; now++) {
        size_t i = chance() % KEYS;
        if (chance() % 3 == 0) {
            step_put(model, kept, room, i, now);
            continue;
        }
        bool there = is_there(model, kept, i, now);
        assert_int_equal(get(kept, numbered(i), now, &out), there);
        found += there;
        if (!there)
            continue;
        fill(room, model->key[i].len, i, model->key[i].position);
        assert_int_equal(out.len, model->key[i].len);
        assert_memory_equal(out.len == 0 ? room : out.data, room, out.len);
    }
    assert_true(model->head > 10 * kept->log_bytes && found > STEPS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_there_until_its_time),
        cmocka_unit_test(what_is_over_is_wiped),
        cmocka_unit_test(the_last_one_counts),
        cmocka_unit_test(a_value_has_a_largest_size),
        cmocka_unit_test(core_dumps_do_not_have_it),
        cmocka_unit_test(it_is_as_a_plain_list_says),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
