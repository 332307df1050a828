/* SPDX-License-Identifier: Apache-2.0 */
/* What is over is removed, a slice each time; and what time alone changes is noticed. */
#include "idp/federation/federation.h"
#include "idp/idp_internal.h"
#include "idp/namespaces.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "keys/keys.h"
#include "log/log.h"

enum { EVERY_MS = 30 * 1000, SLICE = 200 };

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

static void on_tidy(void *ctx)
{
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
    struct idp *idp = ctx;
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
    err_clear(&err);
    if (signer_refresh(idp->signer, &err) > 0)
        publish_touch_signers(idp->publish);
    else if (err.code != ERR_NONE)
        log_error("idp.keys", &err);
    publish_tidy(idp->publish);
    publish_follow(idp->publish);
}

int tidy_start(struct idp *idp, struct err *err)
{
    return loop_add_timer(role_loop(idp->role), EVERY_MS, EVERY_MS, on_tidy, idp, &idp->tidy, err);
}
