/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares of budgets for several gateways: what limit/ledger.h decides, between messages
 * (docs/PROTOCOL.leases). All of it is in memory: after a start nothing is given until every
 * gateway has told what it holds.
 */
#include "api/api_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "limit/lease_message.h"
#include "limit/ledger.h"
#include "log/log.h"
#include "role/settings.h"

#include <stdlib.h>

enum {
    PATIENCE_MS = 4000, /* a gateway that asks what it is to give back gets an answer so often */
    NS_PER_MS = 1000000,
};

struct leases {
    struct limit_ledger *ledger;
    unsigned count;
    struct {
        bool waits; /* for what it is to give back */
        struct ipc_ticket ticket;
    } gateways[ROLE_GATEWAYS_MAX];
    bool said; /* that one has not told yet */
};

/* ------------------------------------------------------------------ what is asked back */

static void answer_wait(struct leases *leases, unsigned gateway, struct span body)
{
    if (!leases->gateways[gateway].waits)
        return;
    leases->gateways[gateway].waits = false;
    ipc_reply(&leases->gateways[gateway].ticket, body);
}

static void recall(struct leases *leases, unsigned gateway)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(LIMIT_RECALLS_MAX * sizeof(uint64_t));
    uint64_t keys[LIMIT_RECALLS_MAX];

    if (!leases->gateways[gateway].waits)
        return;
    size_t count = limit_ledger_recalls(leases->ledger, gateway, keys);
    for (size_t i = 0; i < count; i++)
        buf_put_u64(&body, keys[i]);
    if (count > 0)
        answer_wait(leases, gateway, buf_span(&body));
}

static void on_patience(void *ctx)
{
    struct leases *leases = ctx;

    for (unsigned i = 0; i < leases->count; i++)
        answer_wait(leases, i, span_of(NULL, 0));
    if (limit_ledger_ready(leases->ledger) || leases->said)
        return;
    leases->said = true;
    log_say(LOG_WARN, "api.leases",
            "%s has not told yet which shares of budgets it holds; until then none are given",
            limit_ledger_missing(leases->ledger) == 0 ? "the gateway" : "the second gateway");
}

int leases_handle_recalls(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                          struct err *err)
{
    struct api *api = ctx;
    unsigned gateway = role_gateway_number(request->peer);

    if (api->leases == NULL)
        return err_set(err, ERR_INVALID, "one gateway shares budgets with nobody");
    answer_wait(api->leases, gateway, span_of(NULL, 0));
    api->leases->gateways[gateway].waits = true;
    api->leases->gateways[gateway].ticket = request->ticket;
    recall(api->leases, gateway);
    return IPC_LATER;
}

/* ------------------------------------------------------------------ what is told */

static int take_entries(struct leases *leases, unsigned gateway, struct cursor *from,
                        struct buf *reply, struct err *err)
{
    uint64_t now_ms = clock_mono_ns() / NS_PER_MS;
    struct limit_holding told;
    struct limit_lease lease;

    if (from->failed || from->left % LIMIT_HOLDING_LEN != 0)
        return err_set(err, ERR_INVALID, "what is held of budgets has a length that cannot be");
    while (from->left > 0) {
        limit_holding_get(from, &told);
        TRY(limit_ledger_tell(leases->ledger, gateway, &told, now_ms, &lease, err));
        limit_lease_put(&lease, reply);
    }
    return 0;
}

int leases_handle_tell(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct api *api = ctx;
    struct leases *leases = api->leases;
    unsigned gateway = role_gateway_number(request->peer);
    struct cursor cursor = cursor_of(request->body);
    uint8_t telling = cursor_u8(&cursor);

    if (leases == NULL)
        return err_set(err, ERR_INVALID, "one gateway shares budgets with nobody");
    if ((telling & LIMIT_TELLS_BEGIN) != 0)
        limit_ledger_begin(leases->ledger, gateway);
    TRY(take_entries(leases, gateway, &cursor, reply, err));
    if ((telling & LIMIT_TELLS_ALL) != 0)
        limit_ledger_complete(leases->ledger, gateway);
    if (leases->said && limit_ledger_ready(leases->ledger)) {
        leases->said = false;
        log_say(LOG_INFO, "api.leases", "all gateways have told which shares of budgets they hold");
    }
    for (unsigned i = 0; i < leases->count; i++)
        recall(leases, i);
    return IPC_ANSWER;
}

/* ------------------------------------------------------------------ start */

int leases_new(struct role *role, struct leases **out, struct err *err)
{
    unsigned count = settings_gateways(role_settings(role));

    *out = NULL;
    if (count < 2)
        return 0;
    struct leases *leases = mem_new(sizeof(*leases));
    *out = leases;
    leases->count = count;
    leases->ledger = limit_ledger_new(count);
    return loop_add_timer(role_loop(role), PATIENCE_MS, PATIENCE_MS, on_patience, leases, NULL,
                          err);
}

void leases_free(struct leases *leases)
{
    if (leases == NULL)
        return;
    limit_ledger_free(leases->ledger);
    free(leases);
}
