/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is over is removed, and what time alone changes is noticed. A pass over all collections
 * begins every half minute and takes one slice at a time, with a rest after each that is much
 * longer than the slice took: no request waits for more than a slice, and however many sessions
 * there are, looking at them takes a few percent of a core.
 */
#include "idp/federation/federation.h"
#include "idp/idp_internal.h"
#include "idp/programs/namespaces.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "keys/keys.h"
#include "log/log.h"

enum { EVERY_MS = 30 * 1000, SLICE = 200, REST_TIMES = 20, REST_MS = 50, QUICK_NS = 2000000 };

struct sweep {
    struct idp *idp;
    const char *collection;
    bool (*is_over)(const json_t *record, int64_t now);
    int64_t now;
};

static bool until_is_over(const json_t *record, int64_t now)
{
    return record_number(record, "until") <= now;
}

static int look_at(void *ctx, const char *name, const json_t *record, struct err *err)
{
    const struct sweep *sweep = ctx;

    if (!sweep->is_over(record, sweep->now))
        return 0;
    return record_delete(sweep->idp, sweep->collection, name, err);
}

static const struct {
    const char *collection;
    bool (*is_over)(const json_t *record, int64_t now);
} swept[] = {
    {GRANT_CODES, until_is_over},     {GRANT_REFRESH, until_is_over},
    {GRANT_USED, until_is_over},      {GRANT_REQUESTS, until_is_over},
    {"logins", until_is_over},        {GRANT_DEVICES, until_is_over},
    {GRANT_USERCODES, until_is_over}, {"links", until_is_over},
    {"signins", until_is_over},       {"challenges", until_is_over},
    {"devices", until_is_over},       {NAMESPACE_TOKENS, until_is_over},
    {BOUND_TOKENS, until_is_over},    {FEDERATION_SESSIONS, until_is_over},
    {"sessions", session_is_over},
};

/* The next slice of the pass; false when the pass has ended. */
static bool tidy_slice(struct idp *idp)
{
    struct err err = ERR_INIT;
    struct sweep sweep = {.idp = idp,
                          .collection = swept[idp->tidy_turn].collection,
                          .is_over = swept[idp->tidy_turn].is_over,
                          .now = clock_wall_sec()};

    int more = record_slice(idp, sweep.collection, &idp->tidy_from, SLICE, look_at, &sweep, &err);
    if (more < 0)
        log_error("idp.tidy", &err);
    if (more <= 0)
        idp->tidy_turn = (idp->tidy_turn + 1) % ARRAY_LEN(swept);
    return more > 0 || idp->tidy_turn != 0;
}

static void on_pass(struct idp *idp)
{
    struct err err = ERR_INIT;

    if (signer_refresh(idp->signer, &err) > 0)
        publish_touch_signers(idp->publish);
    else if (err.code != ERR_NONE)
        log_error("idp.keys", &err);
}

static void on_tidy(void *ctx)
{
    struct idp *idp = ctx;
    uint64_t began = clock_cpu_ns();

    if (idp->tidy_turn == 0 && idp->tidy_from == NULL)
        on_pass(idp);
    bool more = publish_tidy(idp->publish, SLICE);
    bool sweeping;
    do
        sweeping = tidy_slice(idp);
    while (sweeping && idp->tidy_from == NULL && clock_cpu_ns() - began < QUICK_NS);
    publish_follow(idp->publish);
    uint64_t took_ms = (clock_cpu_ns() - began) / 1000000;
    loop_rearm(idp->tidy, more || sweeping ? REST_MS + REST_TIMES * took_ms : EVERY_MS, 0);
}

int tidy_start(struct idp *idp, struct err *err)
{
    return loop_add_timer(role_loop(idp->role), EVERY_MS, 0, on_tidy, idp, &idp->tidy, err);
}
