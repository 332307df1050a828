/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/ledger.h"

#include "base/mem.h"
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KEY = 102, NOW_SEC = 1795359630, WINDOW_SEC = 3600 };

/* ------------------------------------------------------------------ by hand */

static struct limit_lease tell(struct limit_ledger *ledger, unsigned gateway,
                               struct limit_holding told, uint64_t now_ms)
{
    struct limit_lease lease = {0};
    struct err err = ERR_INIT;

    told.key = KEY;
    if (told.ends_sec == 0)
        told.ends_sec = NOW_SEC + WINDOW_SEC;
    assert_int_equal(limit_ledger_tell(ledger, gateway, &told, now_ms, &lease, &err), 0);
    return lease;
}

static struct limit_ledger *two_that_told(void)
{
    struct limit_ledger *ledger = limit_ledger_new(2);

    for (unsigned i = 0; i < 2; i++) {
        limit_ledger_begin(ledger, i);
        limit_ledger_complete(ledger, i);
    }
    return ledger;
}

static void nothing_is_given_before_all_have_told(void **state UNUSED)
{
    struct limit_ledger *ledger = limit_ledger_new(2);
    const struct limit_holding wants = {.limit = 100, .wants = 10};

    limit_ledger_begin(ledger, 0);
    limit_ledger_complete(ledger, 0);
    assert_false(limit_ledger_ready(ledger));
    assert_int_equal(limit_ledger_missing(ledger), 1);
    assert_int_equal(tell(ledger, 0, wants, 0).share, 0);
    limit_ledger_begin(ledger, 1);
    (void)tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 95, .used = 95}, 0);
    limit_ledger_complete(ledger, 1);
    assert_true(limit_ledger_ready(ledger));
    /* 5 are left, and nothing comes back of what is used. */
    assert_int_equal(tell(ledger, 0, wants, 0).share, 0);
    assert_int_equal(tell(ledger, 0, (struct limit_holding){.limit = 100, .wants = 5}, 0).share, 5);
    limit_ledger_free(ledger);
}

static void who_asks_gets_a_part_of_what_is_left(void **state UNUSED)
{
    struct limit_ledger *ledger = two_that_told();

    assert_int_equal(tell(ledger, 0, (struct limit_holding){.limit = 1000, .wants = 1}, 0).share,
                     250);
    assert_int_equal(tell(ledger, 1, (struct limit_holding){.limit = 1000, .wants = 700}, 0).share,
                     700);
    struct limit_lease lease =
        tell(ledger, 0,
             (struct limit_holding){
                 .limit = 1000, .share = 250, .used = 250, .settled = 240, .wants = 8},
             0);
    assert_int_equal(lease.share, 262);
    assert_int_equal(lease.elsewhere, 0);
    (void)tell(ledger, 1,
               (struct limit_holding){.limit = 1000, .share = 700, .used = 9, .settled = 9}, 0);
    assert_int_equal(
        tell(ledger, 0, (struct limit_holding){.limit = 1000, .share = 262, .used = 262}, 0)
            .elsewhere,
        9);
    limit_ledger_free(ledger);
}

static void what_another_does_not_use_is_asked_back(void **state UNUSED)
{
    struct limit_ledger *ledger = two_that_told();
    const struct limit_holding wants = {.limit = 100, .wants = 30};
    const struct limit_holding holds = {.limit = 100, .share = 90, .used = 60};
    uint64_t keys[LIMIT_RECALLS_MAX];

    assert_int_equal(tell(ledger, 1, holds, 0).share, 90);
    assert_int_equal(tell(ledger, 0, wants, 0).share, 0);
    assert_int_equal(limit_ledger_recalls(ledger, 0, keys), 0);
    assert_int_equal(limit_ledger_recalls(ledger, 1, keys), 1);
    assert_int_equal(keys[0], KEY);
    assert_int_equal(limit_ledger_recalls(ledger, 1, keys), 0);
    /* It is asked, and has not given back: nothing is left yet. */
    assert_int_equal(tell(ledger, 1, holds, 0).share, 70);
    assert_int_equal(tell(ledger, 0, wants, 0).share, 0);
    /* Meanwhile it used 5 more than it was to keep; the first gets the rest of it none the less. */
    (void)tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 75, .used = 75}, 0);
    assert_int_equal(tell(ledger, 0, wants, 0).share, 0);
    (void)tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 70, .used = 65}, 0);
    assert_int_equal(tell(ledger, 0, wants, 0).share, 30);
    limit_ledger_free(ledger);
}

static void the_first_of_two_is_served_first(void **state UNUSED)
{
    struct limit_ledger *ledger = two_that_told();
    const struct limit_holding large = {.limit = 100, .wants = 60};
    const struct limit_holding small = {.limit = 100, .share = 60, .used = 20, .wants = 45};

    (void)tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 60, .used = 20}, 0);
    assert_int_equal(tell(ledger, 0, large, 0).share, 0);
    /* The second gives back instead of getting what is left. */
    assert_int_equal(tell(ledger, 1, small, 1).share, 40);
    (void)tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 40, .used = 20}, 2);
    assert_int_equal(tell(ledger, 0, large, 3).share, 60);
    limit_ledger_free(ledger);
    /* But not for ever: the first may have gone away. */
    ledger = two_that_told();
    (void)tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 60, .used = 20}, 0);
    (void)tell(ledger, 0, large, 0);
    (void)tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 40, .used = 20}, 1);
    const struct limit_holding more = {.limit = 100, .share = 40, .used = 40, .wants = 30};
    assert_int_equal(tell(ledger, 1, more, 2).share, 40);
    assert_int_equal(tell(ledger, 1, more, LIMIT_FIRST_MS).share, 70);
    limit_ledger_free(ledger);
}

static void a_lower_limit_brings_shares_back(void **state UNUSED)
{
    struct limit_ledger *ledger = two_that_told();
    uint64_t keys[LIMIT_RECALLS_MAX];

    (void)tell(ledger, 0, (struct limit_holding){.limit = 100, .share = 50, .used = 10}, 0);
    (void)tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 50, .used = 30}, 0);
    struct limit_lease lease =
        tell(ledger, 0, (struct limit_holding){.limit = 60, .share = 50, .used = 10}, 0);
    assert_int_equal(lease.share, 10);
    assert_int_equal(limit_ledger_recalls(ledger, 1, keys), 1);
    assert_int_equal(
        tell(ledger, 0, (struct limit_holding){.limit = 60, .share = 10, .used = 10, .wants = 1}, 0)
            .share,
        10);
    assert_true(
        tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 50, .used = 30}, 0).share <
        50);
    limit_ledger_free(ledger);
}

static void what_runs_over_the_end_of_a_window_is_held_in_the_next(void **state UNUSED)
{
    struct limit_ledger *ledger = two_that_told();
    int64_t next = NOW_SEC + 2 * WINDOW_SEC;
    const struct limit_holding wants = {.ends_sec = next, .limit = 100, .wants = 61};

    (void)tell(ledger, 1,
               (struct limit_holding){.limit = 100, .share = 60, .used = 30, .settled = 20}, 0);
    /* 40 may still run there: all but what is settled. */
    struct limit_lease lease = tell(ledger, 0, wants, 0);
    assert_int_equal(lease.share, 0);
    assert_int_equal(lease.elsewhere, 0);
    assert_int_equal(lease.ends_sec, next);
    /* It tells that 10 run, of the window before. */
    lease = tell(ledger, 1, (struct limit_holding){.limit = 100, .share = 10, .used = 10}, 0);
    assert_int_equal(lease.ends_sec, next);
    assert_int_equal(tell(ledger, 0, wants, 0).share, 61);
    limit_ledger_free(ledger);
}

static void one_gateway_raises_the_alerts(void **state UNUSED)
{
    struct limit_ledger *ledger = two_that_told();
    const struct limit_holding uses = {.limit = 100, .share = 9, .used = 9, .settled = 9};
    struct limit_holding noted = uses;

    noted.noted = 80;
    assert_true(tell(ledger, 1, noted, 0).raises);
    assert_true(tell(ledger, 0, uses, 0).raises);
    assert_int_equal(tell(ledger, 0, uses, 0).noted, 80);
    assert_false(tell(ledger, 1, noted, 1000).raises);
    assert_true(tell(ledger, 1, noted, 60000).raises); /* the other is silent */
    limit_ledger_free(ledger);
}

static void what_cannot_be_is_refused(void **state UNUSED)
{
    static const struct limit_holding bad[] = {
        {.key = 1, .limit = 1},
        {.key = KEY, .limit = LIMIT_BUDGET_MAX + 1},
        {.key = KEY, .limit = 1, .used = UINT64_MAX},
        {.key = KEY, .limit = 1, .settled = 2, .used = 1, .share = 1},
        {.key = KEY, .limit = 0, .wants = 1},
        {.key = KEY, .limit = 1, .ends_sec = -1},
        {.key = KEY, .limit = 1, .share = UINT64_MAX},
    };
    struct limit_ledger *ledger = two_that_told();
    struct limit_holding many = {.key = KEY, .limit = 1};
    struct limit_lease lease;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(limit_ledger_tell(ledger, 0, &bad[i], 0, &lease, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
        err_clear(&err);
    }
    for (unsigned i = 0; i < 2 * LIMIT_BUDGET_SLOTS; i++, many.key += 4)
        assert_int_equal(limit_ledger_tell(ledger, 0, &many, 0, &lease, &err), 0);
    assert_int_equal(limit_ledger_tell(ledger, 0, &many, 0, &lease, &err), -1);
    assert_int_equal(err.code, ERR_LIMITED);
    err_clear(&err);
    assert_int_equal(limit_ledger_tell(ledger, 1, &many, 0, &lease, &err), 0);
    limit_ledger_begin(ledger, 0);
    assert_int_equal(limit_ledger_tell(ledger, 0, &many, 0, &lease, &err), 0);
    limit_ledger_free(ledger);
}

/* ------------------------------------------------------------------ gateways that do anything */

enum { GATEWAYS = 3, CALLS = 12, STEPS = 300000, LIMIT = 1000 };

/* As budget.c and budget_lease.c have it, in plain words. */
struct gateway {
    int64_t ends_sec; /* the window of its count */
    uint64_t settled;
    int64_t share_ends_sec;
    uint64_t share;
    uint64_t calls[CALLS]; /* what each that runs has reserved; 0: none */
    uint64_t wants;
    bool flies; /* an answer is on its way */
    struct limit_lease answer;
    bool begun; /* to tell the ledger that there is now */
};

struct world {
    struct limit_ledger *ledger;
    struct gateway gateways[GATEWAYS];
    int64_t now_sec;
    uint64_t now_ms;
    uint64_t random;
    uint64_t granted;
    uint64_t served; /* calls that waited for a share */
};

static uint64_t draw(struct world *world, uint64_t below)
{
    world->random = world->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (world->random >> 33) % below;
}

static int64_t window(const struct world *world)
{
    return (world->now_sec / WINDOW_SEC + 1) * WINDOW_SEC;
}

static uint64_t reserved(const struct gateway *gateway)
{
    uint64_t total = 0;

    for (size_t i = 0; i < CALLS; i++)
        total += gateway->calls[i];
    return total;
}

static void roll(struct gateway *gateway, int64_t ends_sec)
{
    if (gateway->ends_sec >= ends_sec)
        return;
    gateway->ends_sec = ends_sec;
    gateway->settled = 0;
}

/* What is settled in the last window that anybody knows, and all that runs, wherever it ends. */
static void check(const struct world *world)
{
    int64_t last = 0;
    uint64_t total = 0;

    for (size_t i = 0; i < GATEWAYS; i++)
        last = NUM_MAX(last, world->gateways[i].ends_sec);
    for (size_t i = 0; i < GATEWAYS; i++) {
        const struct gateway *gateway = &world->gateways[i];
        total += reserved(gateway) + (gateway->ends_sec == last ? gateway->settled : 0);
    }
    assert_true(total <= LIMIT);
}

static void step_call(struct world *world, struct gateway *gateway)
{
    uint64_t *call = &gateway->calls[draw(world, CALLS)];
    uint64_t cost = 1 + draw(world, draw(world, 9) == 0 ? 400 : 60);
    /* A worker whose clock is a little behind. */
    int64_t now = draw(world, 4) == 0 ? gateway->ends_sec : window(world);

    if (*call > 0) {
        roll(gateway, window(world));
        gateway->settled += draw(world, *call + 1);
        *call = 0;
        return;
    }
    roll(gateway, now);
    uint64_t share = gateway->share_ends_sec == gateway->ends_sec ? gateway->share : 0;
    if (reserved(gateway) + gateway->settled + cost <= share) {
        *call = cost;
        world->granted++;
    } else {
        gateway->wants = NUM_MAX(gateway->wants, cost);
    }
}

/* A call counts itself before it looks whether that was too much. */
static uint64_t about_to_give_way(struct world *world)
{
    return draw(world, 10) == 0 ? draw(world, 60) : 0;
}

static struct limit_holding holding_of(struct world *world, struct gateway *gateway)
{
    bool runs = gateway->ends_sec > world->now_sec;
    uint64_t settled = runs ? gateway->settled : 0;
    uint64_t used = settled + reserved(gateway);

    if (gateway->share_ends_sec <= world->now_sec)
        gateway->share = 0;
    uint64_t share = gateway->share_ends_sec == gateway->ends_sec ? gateway->share : 0;
    struct limit_holding holding = {.key = KEY,
                                    .ends_sec = gateway->ends_sec,
                                    .limit = LIMIT,
                                    .share = share,
                                    .used = used + about_to_give_way(world),
                                    .settled = settled,
                                    .wants = runs ? gateway->wants : 0};
    gateway->wants = 0;
    return holding;
}

static void step_tell(struct world *world, unsigned number)
{
    struct gateway *gateway = &world->gateways[number];
    struct err err = ERR_INIT;

    if (gateway->flies)
        return;
    if (!gateway->begun)
        limit_ledger_begin(world->ledger, number);
    struct limit_holding holding = holding_of(world, gateway);
    assert_int_equal(
        limit_ledger_tell(world->ledger, number, &holding, world->now_ms, &gateway->answer, &err),
        0);
    if (!gateway->begun)
        limit_ledger_complete(world->ledger, number);
    gateway->begun = gateway->flies = true;
    world->served += gateway->answer.share > holding.share;
}

static void step_take(struct gateway *gateway)
{
    if (!gateway->flies)
        return;
    gateway->flies = false;
    if (gateway->answer.ends_sec < gateway->share_ends_sec)
        return;
    roll(gateway, gateway->answer.ends_sec);
    gateway->share_ends_sec = gateway->answer.ends_sec;
    gateway->share = gateway->answer.share;
}

/* Its file stays, what it had reserved comes back; an answer that was on its way is lost. */
static void step_die(struct gateway *gateway)
{
    memset(gateway->calls, 0, sizeof(gateway->calls));
    gateway->flies = gateway->begun = false;
}

static void step_ledger_dies(struct world *world)
{
    limit_ledger_free(world->ledger);
    world->ledger = limit_ledger_new(GATEWAYS);
    for (size_t i = 0; i < GATEWAYS; i++)
        world->gateways[i].flies = world->gateways[i].begun = false;
}

static void step(struct world *world)
{
    unsigned number = (unsigned)draw(world, GATEWAYS);
    struct gateway *gateway = &world->gateways[number];

    world->now_ms += draw(world, 20);
    switch (draw(world, 8)) {
    case 0:
    case 1:
    case 2:
        /* Now and then one is away for a while, and its calls go on. */
        if ((world->now_ms / 20000 + number) % 5 != 0)
            step_tell(world, number);
        break;
    case 3: step_take(gateway); break;
    default: step_call(world, gateway);
    }
    if (draw(world, 3000) == 0)
        step_die(gateway);
    if (draw(world, 20000) == 0)
        step_ledger_dies(world);
    if (draw(world, 300) == 0)
        world->now_sec += (int64_t)draw(world, WINDOW_SEC / 4);
}

static void whatever_happens_no_budget_goes_beyond_its_limit(void **state UNUSED)
{
    struct world world = {.ledger = limit_ledger_new(GATEWAYS), .now_sec = NOW_SEC, .random = 11};

    for (int i = 0; i < STEPS; i++) {
        step(&world);
        check(&world);
    }
    /* It was no idle world. */
    assert_true(world.granted > STEPS / 50);
    assert_true(world.served > STEPS / 200);
    limit_ledger_free(world.ledger);
}

/* One call after another, wherever it comes in: all of the budget is used, and no more. */
static void the_last_unit_is_used_wherever_it_lies(void **state UNUSED)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world world = {
            .ledger = limit_ledger_new(GATEWAYS), .now_sec = NOW_SEC, .random = seed};
        uint64_t used = 0;
        for (unsigned i = 0; i < GATEWAYS; i++)
            step_tell(&world, i);
        while (used < LIMIT) {
            struct gateway *gateway = &world.gateways[draw(&world, GATEWAYS)];
            uint64_t cost = 1 + draw(&world, 20);
            cost = NUM_MIN(LIMIT - used, cost);
            roll(gateway, window(&world));
            for (int tries = 0; gateway->share < gateway->settled + cost; tries++) {
                assert_true(tries < 8);
                gateway->wants = cost;
                /* He asks; the others are asked, and take down. */
                for (unsigned i = 0; i < 2 * GATEWAYS; i++) {
                    step_take(&world.gateways[i % GATEWAYS]);
                    step_tell(&world, i % GATEWAYS);
                    step_take(&world.gateways[i % GATEWAYS]);
                }
            }
            gateway->settled += cost;
            used += cost;
            check(&world);
        }
        for (unsigned i = 0; i < GATEWAYS; i++) {
            world.gateways[i].wants = 1;
            step_take(&world.gateways[i]);
            step_tell(&world, i);
            step_take(&world.gateways[i]);
            assert_true(world.gateways[i].share <= world.gateways[i].settled);
        }
        limit_ledger_free(world.ledger);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_given_before_all_have_told),
        cmocka_unit_test(who_asks_gets_a_part_of_what_is_left),
        cmocka_unit_test(what_another_does_not_use_is_asked_back),
        cmocka_unit_test(the_first_of_two_is_served_first),
        cmocka_unit_test(a_lower_limit_brings_shares_back),
        cmocka_unit_test(what_runs_over_the_end_of_a_window_is_held_in_the_next),
        cmocka_unit_test(one_gateway_raises_the_alerts),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(whatever_happens_no_budget_goes_beyond_its_limit),
        cmocka_unit_test(the_last_unit_is_used_wherever_it_lies),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("the ledger of shares", tests, NULL, NULL);
}
