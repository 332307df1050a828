/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The upkeep of a role's store. History older than the setting store-history is forgotten, and all
 * that lies there is read and verified, over and over: a record that somebody changes on the disk
 * is noticed though nobody asks for it. Both go in slices, with a rest after each that is much
 * longer than the slice took.
 */
#include "base/clock.h"
#include "base/num.h"
#include "log/log.h"
#include "role/settings.h"
#include "serve/serve_internal.h"

enum {
    CHANGES = 256, /* a slice */
    RECORDS = 128,
    REST_MS = 20,
    REST_TIMES = 20,
    FIRST_PASS_MS = 5 * 1000,
    PASS_MS = 3600 * 1000, /* from the end of a pass to the next one */
};

static bool is_due(uint64_t at_ns, uint64_t now_ns)
{
    return at_ns <= now_ns;
}

static uint64_t in_ms(uint64_t ms)
{
    return clock_mono_ns() + ms * 1000000;
}

/* ------------------------------------------------------------------ history */

/* What was the newest a while ago is old now. */
static void move_on(struct serve *serve)
{
    struct serve_upkeep *upkeep = &serve->upkeep;

    upkeep->forget = upkeep->newest;
    upkeep->newest = store_revision(serve->config.store);
    upkeep->history_ns = in_ms(role_settings(serve->config.role)->store_history_ms);
}

static void forget_slice(struct serve *serve)
{
    struct serve_upkeep *upkeep = &serve->upkeep;
    struct err err = ERR_INIT;
    int more = store_compact_slice(serve->config.store, upkeep->forget, CHANGES, &err);

    if (more < 0)
        log_error("store.compact", &err);
    if (more <= 0) /* after a failure the next time does it all */
        upkeep->forget = 0;
}

/* ------------------------------------------------------------------ verifying */

/* Single damaged records are told as they are found (storage.c), and do not stop the pass. */
static void verify_slice(struct serve *serve)
{
    struct err err = ERR_INIT;
    int more = store_scrub(serve->config.store, RECORDS, &err);

    if (more == 1)
        return;
    serve->upkeep.pass_ns = in_ms(PASS_MS);
    if (more == 0)
        return;
    log_error("store.scrub", &err);
    if (err.code == ERR_CORRUPT)
        serve_record_damage(serve->config.role, err.msg);
}

/* ------------------------------------------------------------------ the turns */

static void on_turn(void *ctx)
{
    struct serve *serve = ctx;
    struct serve_upkeep *upkeep = &serve->upkeep;
    uint64_t now = clock_mono_ns();
    uint64_t began = clock_cpu_ns();

    if (is_due(upkeep->history_ns, now))
        move_on(serve);
    if (upkeep->forget > 0)
        forget_slice(serve);
    else if (is_due(upkeep->pass_ns, now))
        verify_slice(serve);
    uint64_t next_ns = NUM_MIN(upkeep->history_ns, upkeep->pass_ns);
    uint64_t rest_ms = REST_MS + REST_TIMES * ((clock_cpu_ns() - began) / 1000000);
    bool busy = upkeep->forget > 0 || is_due(next_ns, now);
    loop_rearm(upkeep->timer, busy ? rest_ms : (next_ns - now) / 1000000 + 1, 0);
}

int serve_upkeep_start(struct serve *serve, struct err *err)
{
    struct serve_upkeep *upkeep = &serve->upkeep;

    if (serve->config.store == NULL)
        return 0;
    upkeep->newest = store_revision(serve->config.store);
    upkeep->history_ns = in_ms(role_settings(serve->config.role)->store_history_ms);
    upkeep->pass_ns = in_ms(FIRST_PASS_MS);
    return loop_add_timer(role_loop(serve->config.role), FIRST_PASS_MS, 0, on_turn, serve,
                          &upkeep->timer, err);
}
