/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where several gateways share limits and budgets. A call for which this gateway's share of a
 * budget is too small tries again in a moment: the keeper has been rung for, and asks for more. It
 * holds nothing meanwhile. Of limits of a minute, and of calls at the same time, each gateway
 * enforces its part.
 */
#include "gateway/module/module.h"

#include "base/num.h"

enum {
    FIRST_MS = 2, /* an answer of the keeper takes less than that on an idle machine */
    LONGEST_MS = 256,
    TRIES_MAX = 14, /* two seconds in all: longer than a keeper tells all that it holds */
};

uint64_t gw_share_part(uint64_t limit)
{
    unsigned gateways = gw_worker_gateways();

    if (gateways == 1 || limit == 0)
        return limit;
    return NUM_MAX(limit / gateways, 1);
}

/* A limit_budget_ring_fn. */
void gw_share_ring(void *ctx)
{
    static const uint64_t one = 1;
    const ngx_int_t *bell = ctx;

    /* It fails only when it rings already, 2^64 times. */
    (void)!write((int)*bell, &one, sizeof(one));
}

static void on_moment(ngx_event_t *timer)
{
    ngx_http_request_t *r = timer->data;

    gw_wait_end(gw_call_of(r));
    gw_wait_go_on(r);
}

ngx_int_t gw_share_wait(ngx_http_request_t *r, struct gw_call *call)
{
    unsigned tries = call->share_tries;

    /* One that an engine has seen cannot come back here. */
    if (call->stage != GW_READING || tries == TRIES_MAX)
        return NGX_DECLINED;
    call->share_tries++;
    call->stage = GW_SHARING;
    return gw_wait_begin(r, call, on_moment,
                         tries < 7 ? (ngx_msec_t)FIRST_MS << tries : LONGEST_MS);
}
