/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/fixture.h"
#include "limit/floods.h"
#include "limit/sources.h"

#include "base/num.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

#define SEC_NS UINT64_C(1000000000)
#define START  (1000 * SEC_NS)

static struct limit_sources *open_file(const struct fixture *fixture, bool counts)
{
    struct limit_sources *sources = NULL;
    struct err err = ERR_INIT;

    if (limit_sources_open(fixture->dir_fd, "sources", counts, &sources, &err) < 0)
        fail_msg("%s", err.msg);
    return sources;
}

static void v4(uint32_t number, uint8_t out[LIMIT_ADDRESS_LEN])
{
    memset(out, 0, LIMIT_ADDRESS_LEN);
    out[10] = out[11] = 0xFF;
    for (int i = 0; i < 4; i++)
        out[12 + i] = (uint8_t)(number >> (24 - 8 * i));
}

static uint64_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* ------------------------------------------------------------------ rates */

static void a_source_gets_its_limit_and_then_its_rate(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);
    const struct limit_rate rate = {.limit = 100, .window_ns = 10 * SEC_NS};
    uint8_t address[LIMIT_ADDRESS_LEN];
    uint64_t retry = 0;

    v4(0xC0000201, address);
    for (int i = 0; i < 100; i++)
        assert_true(limit_source_take(sources, LIMIT_REQUESTS, address, 1, &rate, START, &retry));
    assert_false(limit_source_take(sources, LIMIT_REQUESTS, address, 1, &rate, START, &retry));
    assert_int_equal(retry, SEC_NS / 10);
    assert_true(
        limit_source_take(sources, LIMIT_REQUESTS, address, 1, &rate, START + retry, &retry));
    /* Another measure is another limit. */
    assert_true(limit_source_take(sources, LIMIT_SIGN_INS, address, 1, &rate, START, &retry));
}

static void a_network_has_a_limit_of_its_own(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);
    const struct limit_rate rate = {.limit = 10, .network = 25, .window_ns = SEC_NS};
    uint8_t address[LIMIT_ADDRESS_LEN];
    int granted = 0;

    for (uint32_t host = 0; host < 256; host++) {
        v4(0xC6336400 + host, address);
        granted += limit_source_take(sources, LIMIT_REQUESTS, address, 1, &rate, START, NULL);
    }
    assert_int_equal(granted, 25);
    v4(0xC6336500, address);
    assert_true(limit_source_take(sources, LIMIT_REQUESTS, address, 1, &rate, START, NULL));
}

static void addresses_of_one_v6_network_are_one_source(void **state UNUSED)
{
    const uint8_t address[LIMIT_ADDRESS_LEN] = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6};
    const uint8_t source[LIMIT_ADDRESS_LEN] = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4};
    const uint8_t network[LIMIT_ADDRESS_LEN] = {0x20, 1, 0xd, 0xb8, 1, 2};
    uint8_t out[LIMIT_ADDRESS_LEN];

    limit_source_of(address, out);
    assert_memory_equal(out, source, sizeof(out));
    limit_network_of(address, out);
    assert_memory_equal(out, network, sizeof(out));
}

/* What one bucket alone would say, of limit.h's algorithm. */
struct model {
    uint64_t full_at;
};

static bool model_fits(const struct model *model, uint64_t time, uint64_t window, uint64_t now)
{
    return NUM_MAX(model->full_at, now) + time <= now + window;
}

/* Few sources: exactly the naive answer. Many: never more than it. */
static void walk(struct limit_sources *sources, size_t count, size_t steps, bool exactly)
{
    const struct limit_rate rate = {.limit = 20, .window_ns = 2 * SEC_NS};
    uint64_t time = rate.window_ns / rate.limit;
    struct model *models = mem_new_array(count, sizeof(*models));
    uint64_t seed = 42 + count;
    uint64_t now = START;
    uint8_t address[LIMIT_ADDRESS_LEN];

    for (size_t i = 0; i < steps; i++) {
        size_t who = draw(&seed) % count;
        uint64_t cost = 1 + draw(&seed) % 3;
        now += draw(&seed) % (4 * SEC_NS / 100 / count + 1);
        v4(0x0A000000 + (uint32_t)who * 977, address);
        bool fits = model_fits(&models[who], cost * time, rate.window_ns, now);
        bool granted = limit_source_take(sources, LIMIT_REQUESTS, address, cost, &rate, now, NULL);
        if (granted && !fits)
            fail_msg("step %zu: a source got more than its limit", i);
        if (exactly && granted != fits)
            fail_msg("step %zu: a source was refused without need", i);
        if (granted)
            models[who].full_at = NUM_MAX(models[who].full_at, now) + cost * time;
    }
    free(models);
}

static void it_answers_as_one_bucket_for_each_source_would(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);

    walk(sources, 50, 200000, true);
}

static void with_more_sources_than_cells_none_gets_more_than_its_limit(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);

    walk(sources, 4 * (size_t)LIMIT_SKETCH_CELLS, 400000, false);
}

static void a_million_addresses_make_nobody_look_new(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);
    const struct limit_rate rate = {.limit = 100, .network = 400, .window_ns = 10 * SEC_NS};
    uint8_t flooder[LIMIT_ADDRESS_LEN];
    uint8_t address[LIMIT_ADDRESS_LEN];
    int others = 0;

    v4(0xCB007101, flooder);
    while (limit_source_take(sources, LIMIT_REQUESTS, flooder, 1, &rate, START, NULL))
        ;
    for (uint32_t i = 0; i < 1000000; i++) {
        v4(0x0A000000 + i * 4099, address);
        others += limit_source_take(sources, LIMIT_REQUESTS, address, 1, &rate, START, NULL);
        if (i % 1000 == 0)
            assert_false(
                limit_source_take(sources, LIMIT_REQUESTS, flooder, 1, &rate, START, NULL));
    }
    assert_true(others > 100000);
}

static void what_was_used_beyond_a_limit_is_owed(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);
    const struct limit_rate rate = {.limit = 1000, .window_ns = SEC_NS};
    uint8_t address[LIMIT_ADDRESS_LEN];
    uint64_t retry = 0;

    v4(1, address);
    limit_source_charge(sources, LIMIT_BYTES, address, 1000000, &rate, START);
    assert_false(limit_source_take(sources, LIMIT_BYTES, address, 1, &rate, START, &retry));
    assert_in_range(retry, SEC_NS, SEC_NS + SEC_NS / 500);
    assert_true(limit_source_take(sources, LIMIT_BYTES, address, 1, &rate, START + retry, &retry));
}

enum { THREADS = 4, TRIES = 20000 };

struct racer {
    struct limit_sources *sources;
    uint64_t granted;
};

static void *race(void *ctx)
{
    struct racer *racer = ctx;
    const struct limit_rate rate = {.limit = 5000, .window_ns = 10 * SEC_NS};
    uint8_t address[LIMIT_ADDRESS_LEN];

    v4(7, address);
    for (int i = 0; i < TRIES; i++)
        racer->granted +=
            limit_source_take(racer->sources, LIMIT_REQUESTS, address, 1, &rate, START, NULL);
    return NULL;
}

static void workers_that_race_get_the_limit_and_no_more(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    uint64_t granted = 0;

    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.sources = sources};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        granted += racers[i].granted;
    }
    assert_in_range(granted, 5000 - THREADS, 5000);
}

/* ------------------------------------------------------------------ connections */

static void connections_are_counted_over_all_workers(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *one = open_file(*state, true);
    CLEANUP(limit_sources_close_ptr) struct limit_sources *two = open_file(*state, true);
    uint8_t address[LIMIT_ADDRESS_LEN];

    v4(0xC0000201, address);
    assert_true(limit_source_enter(one, address, 3, 0));
    assert_true(limit_source_enter(two, address, 3, 0));
    assert_true(limit_source_enter(one, address, 3, 0));
    assert_false(limit_source_enter(two, address, 3, 0));
    limit_source_leave(one, address);
    assert_true(limit_source_enter(two, address, 3, 0));
    assert_false(limit_source_enter(one, address, 3, 0));
    v4(0xC0000202, address);
    assert_false(limit_source_enter(one, address, 3, 3));
    assert_true(limit_source_enter(one, address, 3, 4));
}

static void a_worker_that_dies_gives_its_connections_back(void **state)
{
    const struct fixture *fixture = *state;
    uint8_t address[LIMIT_ADDRESS_LEN];
    int status;

    v4(0xC0000201, address);
    pid_t child = fork();
    if (child == 0) {
        struct limit_sources *sources = open_file(fixture, true);
        for (int i = 0; i < 3; i++)
            if (!limit_source_enter(sources, address, 3, 0))
                _exit(1);
        _exit(0); /* without a word */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    CLEANUP(limit_sources_close_ptr) struct limit_sources *next = open_file(fixture, true);
    for (int i = 0; i < 3; i++)
        assert_true(limit_source_enter(next, address, 3, 0));
    assert_false(limit_source_enter(next, address, 3, 0));
}

/* ------------------------------------------------------------------ bans and floods */

static void a_ban_ends_by_itself(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);
    static struct limit_ban bans[LIMIT_BAN_SLOTS];
    uint8_t address[LIMIT_ADDRESS_LEN];
    uint8_t other[LIMIT_ADDRESS_LEN];

    v4(0xC0000201, address);
    v4(0xC0000202, other);
    assert_true(limit_ban(sources, address, LIMIT_OFFENCE_REQUESTS, START, 60 * SEC_NS));
    assert_true(limit_banned(sources, address, START + 59 * SEC_NS) == START + 60 * SEC_NS);
    assert_true(limit_banned(sources, other, START) == 0);
    assert_int_equal(limit_bans(sources, START, bans), 1);
    assert_memory_equal(bans[0].address, address, sizeof(address));
    assert_int_equal(bans[0].offence, LIMIT_OFFENCE_REQUESTS);
    /* A shorter one does not shorten it. */
    assert_true(limit_ban(sources, address, LIMIT_OFFENCE_REQUESTS, START, SEC_NS));
    assert_true(limit_banned(sources, address, START) == START + 60 * SEC_NS);
    assert_true(limit_banned(sources, address, START + 60 * SEC_NS) == 0);
    assert_int_equal(limit_bans(sources, START + 60 * SEC_NS, bans), 0);
    assert_false(limit_unban(sources, other, START));
    assert_true(limit_unban(sources, address, START));
    assert_true(limit_banned(sources, address, START) == 0);
}

static void a_flood_of_bans_ends_none(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);
    static uint8_t kept[4 * LIMIT_BAN_SLOTS][LIMIT_ADDRESS_LEN];
    size_t count = 0;

    for (uint32_t i = 0; i < 4 * LIMIT_BAN_SLOTS; i++) {
        v4(0x0A000000 + i * 65537, kept[count]);
        count += limit_ban(sources, kept[count], LIMIT_OFFENCE_REQUESTS, START, 60 * SEC_NS);
    }
    assert_in_range(count, LIMIT_BAN_SLOTS * 3 / 4, LIMIT_BAN_SLOTS);
    for (size_t i = 0; i < count; i++)
        assert_true(limit_banned(sources, kept[i], START + SEC_NS) > 0);
}

static enum limit_level seconds(struct limit_sources *sources, uint64_t *now, int count, int rate)
{
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < rate; j++)
            (void)limit_class_count(sources, LIMIT_CLASS_CALLS, *now);
        *now += SEC_NS;
    }
    return limit_class_look(sources, LIMIT_CLASS_CALLS, *now).level;
}

static void a_flood_is_met_and_is_over_by_itself(void **state)
{
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = open_file(*state, false);
    uint64_t now = START;

    assert_int_equal(seconds(sources, &now, 600, 200), LIMIT_CALM);
    assert_in_range(limit_class_look(sources, LIMIT_CLASS_CALLS, now).usual, 150, 200);
    /* Twice the usual rate is a good day. */
    assert_int_equal(seconds(sources, &now, 30, 400), LIMIT_CALM);
    assert_int_equal(seconds(sources, &now, 8, 2000), LIMIT_BUSY);
    assert_int_equal(seconds(sources, &now, 8, 9000), LIMIT_FLOOD);
    /* What is usual was not learnt from it. */
    assert_in_range(limit_class_look(sources, LIMIT_CLASS_CALLS, now).usual, 150, 300);
    assert_int_equal(limit_class_level(sources, LIMIT_CLASS_PAGES), LIMIT_CALM);
    now += 2 * LIMIT_CALM_SEC * SEC_NS + 30 * SEC_NS;
    assert_int_equal(limit_class_look(sources, LIMIT_CLASS_CALLS, now).level, LIMIT_CALM);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_source_gets_its_limit_and_then_its_rate),
        TEST(a_network_has_a_limit_of_its_own),
        TEST(addresses_of_one_v6_network_are_one_source),
        TEST(it_answers_as_one_bucket_for_each_source_would),
        TEST(with_more_sources_than_cells_none_gets_more_than_its_limit),
        TEST(a_million_addresses_make_nobody_look_new),
        TEST(what_was_used_beyond_a_limit_is_owed),
        TEST(workers_that_race_get_the_limit_and_no_more),
        TEST(connections_are_counted_over_all_workers),
        TEST(a_worker_that_dies_gives_its_connections_back),
        TEST(a_ban_ends_by_itself),
        TEST(a_flood_of_bans_ends_none),
        TEST(a_flood_is_met_and_is_over_by_itself),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("limit sources", tests, NULL, NULL);
}
