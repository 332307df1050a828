/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which engine gets a call of a service that has several. Of two that are drawn the one with fewer
 * calls under way (Mitzenmacher, 2001); where a line waits for places, the one with the fewest of
 * all. A route that keeps callers or conversations together chooses by rendezvous hashing, as long
 * as the engine is not much busier than the others (bounded loads; Mirrokni, Thorup and
 * Zadimoghaddam, 2017).
 *
 * Calls are counted in the places that all workers share (limit/places.h), failures in the breakers
 * (limit/breakers.h), both by the engine's socket. An engine that takes no connection has seen
 * nothing of the call, so another one gets it.
 */
#include "gateway/module/routing.h"

#include "base/clock.h"
#include "base/num.h"

enum {
    TRIES = 3,
    DRAWN = 2,
    BREAKER_FAILURES = 3,
    /* A load above so many quarters of the average is too much. */
    LOAD_QUARTERS = 5,
};

static const uint64_t breaker_ns = UINT64_C(5000000000);

/* Those that were not looked at yet. */
struct deck {
    const struct snapshot *policy;
    const struct policy_route *route;
    uint8_t at[POLICY_REPLICAS_MAX];
    size_t left;
};

static void fill(struct deck *deck, const struct snapshot *policy, const struct policy_route *route)
{
    deck->policy = policy;
    deck->route = route;
    deck->left = NUM_MIN((size_t)route->replica_count, (size_t)POLICY_REPLICAS_MAX);
    for (size_t i = 0; i < deck->left; i++)
        deck->at[i] = (uint8_t)i;
}

static struct span socket_at(const struct deck *deck, size_t i)
{
    return policy_replica_at(deck->policy, deck->route, deck->at[i]);
}

static uint64_t key_of(struct span socket)
{
    return limit_key(socket, span_str("engine"));
}

static uint32_t load_of(struct span socket)
{
    return limit_running(gw_worker_places(), key_of(socket));
}

static struct span take(struct deck *deck, size_t i)
{
    struct span socket = socket_at(deck, i);

    deck->at[i] = deck->at[--deck->left];
    return socket;
}

/* Another try is at another engine. */
static bool has_failed(const struct gw_call *call, struct span socket)
{
    for (size_t i = 0; i < call->engines_failed_count; i++)
        if (call->engines_failed[i] == key_of(socket))
            return true;
    return false;
}

static bool is_welcome(const struct gw_call *call, struct span socket)
{
    return !has_failed(call, socket) &&
           !limit_breaker_is_open(gw_worker_breakers(), socket, clock_mono_ns());
}

/* ------------------------------------------------------------------ by load */

/* False: there is none left. */
static bool draw(const struct gw_call *call, struct deck *deck, struct span *out)
{
    while (deck->left > 0) {
        *out = take(deck, gw_chance() % deck->left);
        if (is_welcome(call, *out))
            return true;
    }
    return false;
}

static bool pick_idle(const struct gw_call *call, struct deck *deck, struct span *out)
{
    size_t drawn = deck->route->line.places > 0 ? deck->left : DRAWN;
    struct span other;

    if (!draw(call, deck, out))
        return false;
    uint32_t load = load_of(*out);
    for (size_t i = 1; i < drawn && load > 0 && draw(call, deck, &other); i++) {
        uint32_t other_load = load_of(other);
        if (other_load >= load)
            continue;
        load = other_load;
        *out = other;
    }
    return true;
}

/* ------------------------------------------------------------------ by whose call it is */

static size_t best_of(const struct deck *deck, uint64_t sticky)
{
    uint64_t best_score = 0;
    size_t best = 0;

    for (size_t i = 0; i < deck->left; i++) {
        uint64_t score = gw_mix(sticky ^ key_of(socket_at(deck, i)));
        if (score < best_score)
            continue;
        best = i;
        best_score = score;
    }
    return best;
}

static bool pick_own(const struct gw_call *call, struct deck *deck, uint64_t sticky,
                     struct span *out)
{
    uint64_t count = deck->left;
    uint64_t total = 1;

    for (size_t i = 0; i < count; i++)
        total += load_of(socket_at(deck, i));
    while (deck->left > 0) {
        *out = take(deck, best_of(deck, sticky));
        /* An average below one call is one. */
        bool is_busy = 4 * count * load_of(*out) >= LOAD_QUARTERS * NUM_MAX(total, count);
        if (!is_busy && is_welcome(call, *out))
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------ a call */

struct span gw_replica_pick(struct gw_call *call, const struct snapshot *policy,
                            const struct policy_route *route)
{
    uint64_t sticky = call->plan == NULL ? 0 : gw_plan_sticky(call->plan);
    struct limit_place place;
    struct span socket;
    struct deck deck;
    bool found;

    fill(&deck, policy, route);
    found = sticky != 0 && pick_own(call, &deck, sticky, &socket);
    if (!found) {
        fill(&deck, policy, route);
        found = pick_idle(call, &deck, &socket);
    }
    if (!found) {
        /* When all of them fail, leaving out helps nobody. */
        fill(&deck, policy, route);
        socket = take(&deck, gw_chance() % deck.left);
    }
    (void)limit_breaker_try(gw_worker_breakers(), socket, clock_mono_ns());
    /* Without room for a count it is called all the same. */
    (void)!limit_enter(gw_worker_places(), key_of(socket), UINT32_MAX, &place);
    gw_replica_leave(call);
    call->engine_place = place;
    call->of_several = true;
    return socket;
}

void gw_replica_leave(struct gw_call *call)
{
    if (gw_worker_places() != NULL)
        limit_leave(gw_worker_places(), &call->engine_place);
    call->of_several = false;
}

void gw_replica_begin(ngx_http_request_t *r, struct gw_call *call)
{
    call->engine_asks = r;
    if (call->plan == NULL)
        r->upstream->peer.tries = TRIES;
}

ngx_int_t gw_replica_next(struct gw_call *call, const ngx_peer_connection_t *pc)
{
    /* A connection that was kept turned out to be closed; this is no other try. */
    if (call->engine_tries++ == 0 || pc->tries > call->engine_left)
        return NGX_OK;
    return call->engine_refused ? gw_engine_again(call->engine_asks, call) : NGX_BUSY;
}

void gw_replica_tried(struct gw_call *call, const ngx_peer_connection_t *pc, ngx_uint_t state)
{
    bool failed = (state & NGX_PEER_FAILED) != 0 && !pc->cached;

    call->engine_refused = failed && pc->connection == NULL;
    call->engine_left = pc->tries;
    if (!failed)
        return;
    if (call->engines_failed_count < GW_ENGINES_MAX)
        call->engines_failed[call->engines_failed_count++] = key_of(gw_span(call->engine_name));
    if (limit_breaker_failed(gw_worker_breakers(), gw_span(call->engine_name), BREAKER_FAILURES,
                             breaker_ns, clock_mono_ns()))
        ngx_log_error(NGX_LOG_WARN, pc->log, 0, "drun: the engine %V fails and is left out",
                      &call->engine_name);
}

void gw_replica_answered(const struct gw_call *call, ngx_uint_t status)
{
    struct span socket = gw_span(call->engine_name);

    if (status < NGX_HTTP_INTERNAL_SERVER_ERROR)
        limit_breaker_succeeded(gw_worker_breakers(), socket, clock_mono_ns());
    else
        (void)limit_breaker_failed(gw_worker_breakers(), socket, BREAKER_FAILURES, breaker_ns,
                                   clock_mono_ns());
}
