/* SPDX-License-Identifier: Apache-2.0 */
#include "shares.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "limit/lease_message.h"
#include "log/log.h"
#include "role/settings.h"
#include "wire/orders.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    LOOK_MS = 1000, /* all is told so often */
    RETRY_MS = 100, /* after api gave no answer, calls that wait are told of */
    ROUNDS_MAX = 4, /* of taking shares down and saying so */
    REPLY_MAX = LIMIT_TOLD_MAX * LIMIT_LEASE_LEN,
};

struct shares {
    struct role *role;
    struct limit_budgets *budgets;
    unsigned gateways;
    int bell_fd;
    struct loop_source *look;
    bool knows;   /* api was told all, and took it */
    bool asks;    /* what it is to give back, and waits for the answer */
    bool was_cut; /* api gave no answer, and that was said */
    /* One message. */
    uint8_t telling;
    struct limit_holding told[LIMIT_TOLD_MAX];
    size_t count;
    /* Budgets whose shares came down, to be told of again. */
    uint64_t lower[LIMIT_TOLD_MAX];
    size_t lower_count;
    bool failed; /* one of the messages of this round */
};

/* ------------------------------------------------------------------ a message */

static int take_answer(struct shares *shares, struct span body, struct err *err)
{
    static struct limit_lease given[LIMIT_TOLD_MAX];
    struct cursor cursor = cursor_of(body);

    for (size_t i = 0; i < shares->count; i++)
        limit_lease_get(&cursor, &given[i]);
    TRY(cursor_done(&cursor, "the shares of budgets", err));
    limit_budgets_lease(shares->budgets, given, shares->count);
    for (size_t i = 0; i < shares->count; i++)
        if (given[i].share < shares->told[i].share && shares->lower_count < LIMIT_TOLD_MAX)
            shares->lower[shares->lower_count++] = given[i].key;
    return 0;
}

static int send(struct shares *shares, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(LIMIT_TOLD_LEN);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(REPLY_MAX);
    struct ipc_client *api = role_peer(shares->role, ROLE_API);

    buf_put_u8(&body, shares->telling);
    for (size_t i = 0; i < shares->count; i++)
        limit_holding_put(&shares->told[i], &body);
    if (api == NULL)
        return err_set(err, ERR_UNAVAILABLE, "api is away");
    TRY(buf_check(&body, "what is held of budgets", err));
    TRY(ipc_call(api, API_LEASES, buf_span(&body), &reply, NULL, err));
    return take_answer(shares, buf_span(&reply), err);
}

/* What api did not take is told anew, as all that is held: an answer may have been lost, and with
 * it shares that api thinks are here. */
static void flush(struct shares *shares)
{
    struct err err = ERR_INIT;

    if (shares->failed)
        return;
    if (send(shares, &err) < 0) {
        if (!shares->was_cut)
            log_error("gateway.shares", &err);
        shares->was_cut = shares->failed = true;
        shares->knows = false;
        loop_rearm(shares->look, RETRY_MS, LOOK_MS);
    }
    shares->telling = 0;
    shares->count = 0;
}

static void add(void *ctx, const struct limit_holding *holding)
{
    struct shares *shares = ctx;

    if (shares->count == LIMIT_TOLD_MAX)
        flush(shares);
    if (!shares->failed)
        shares->told[shares->count++] = *holding;
}

/* A share that came down is free for others when this has been said: behind that nothing more of
 * it can be taken. */
static void tell_lower(struct shares *shares)
{
    static uint64_t keys[LIMIT_TOLD_MAX];

    for (int round = 0; round < ROUNDS_MAX && shares->lower_count > 0; round++) {
        size_t count = shares->lower_count;
        memcpy(keys, shares->lower, count * sizeof(keys[0]));
        shares->lower_count = 0;
        for (size_t i = 0; i < count; i++) {
            struct limit_holding holding;
            limit_budgets_tell_of(shares->budgets, keys[i], clock_wall_sec(), &holding);
            add(shares, &holding);
        }
        flush(shares);
    }
}

static void begin(struct shares *shares, uint8_t telling)
{
    shares->telling = telling;
    shares->count = shares->lower_count = 0;
    shares->failed = false;
}

/* ------------------------------------------------------------------ all of it */

static void tell_waiting(struct shares *shares)
{
    begin(shares, 0);
    limit_budgets_tell(shares->budgets, clock_wall_sec(), true, add, shares);
    if (shares->count > 0)
        flush(shares);
    tell_lower(shares);
}

static void tell_all(struct shares *shares)
{
    begin(shares, LIMIT_TELLS_BEGIN);
    limit_budgets_tell(shares->budgets, clock_wall_sec(), false, add, shares);
    shares->telling |= LIMIT_TELLS_ALL;
    flush(shares);
    if (shares->failed)
        return;
    shares->knows = true;
    if (shares->was_cut)
        log_say(LOG_INFO, "gateway.shares", "api gives shares of budgets again");
    shares->was_cut = false;
    tell_lower(shares);
    tell_waiting(shares);
}

static void on_bell(void *ctx, int fd, uint32_t events UNUSED)
{
    struct shares *shares = ctx;
    uint64_t times;

    (void)!read(fd, &times, sizeof(times));
    if (shares->knows) /* else with all the rest, soon */
        tell_waiting(shares);
}

/* ------------------------------------------------------------------ what is asked back */

static void ask(struct shares *shares);

static void on_recall(void *ctx, struct span body, const struct err *failed)
{
    struct shares *shares = ctx;
    struct cursor cursor = cursor_of(body);

    shares->asks = false;
    if (failed != NULL)
        return;
    begin(shares, 0);
    while (cursor.left > 0 && shares->lower_count < LIMIT_TOLD_MAX) {
        uint64_t key = cursor_u64(&cursor);
        if (!cursor.failed)
            shares->lower[shares->lower_count++] = key;
    }
    ask(shares);
    if (shares->knows)
        tell_lower(shares);
}

static void ask(struct shares *shares)
{
    struct ipc_client *api = role_peer(shares->role, ROLE_API);
    struct err err = ERR_INIT;

    if (!shares->asks && api != NULL)
        shares->asks = ipc_ask(api, API_RECALLS, span_of(NULL, 0), on_recall, shares, &err) == 0;
}

static void on_look(void *ctx)
{
    struct shares *shares = ctx;

    tell_all(shares);
    ask(shares);
}

void shares_tell_anew(struct shares *shares)
{
    if (shares != NULL)
        on_look(shares);
}

/* ------------------------------------------------------------------ start */

static int start(struct shares *shares, struct err *err)
{
    struct loop *loop = role_loop(shares->role);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_data_dir(shares->role), err);

    TRY(dir_fd);
    shares->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (shares->bell_fd < 0)
        return err_sys(err, "cannot make an event descriptor");
    TRY(limit_budgets_open(dir_fd, "budgets", false, &shares->budgets, err));
    limit_budgets_share(shares->budgets, NULL, NULL);
    TRY(ipc_client_attach(role_peer(shares->role, ROLE_API), loop, err));
    TRY(loop_add_fd(loop, shares->bell_fd, EPOLLIN, on_bell, shares, NULL, err));
    return loop_add_timer(loop, 0, LOOK_MS, on_look, shares, &shares->look, err);
}

int shares_new(struct role *role, struct shares **out, struct err *err)
{
    unsigned gateways = settings_gateways(role_settings(role));

    *out = NULL;
    if (gateways < 2)
        return 0;
    struct shares *shares = mem_new(sizeof(*shares));
    *out = shares;
    shares->role = role;
    shares->gateways = gateways;
    shares->bell_fd = -1;
    return start(shares, err);
}

void shares_free(struct shares *shares)
{
    if (shares == NULL)
        return;
    limit_budgets_close(shares->budgets);
    fd_close(&shares->bell_fd);
    free(shares);
}

int shares_bell(const struct shares *shares)
{
    return shares == NULL ? -1 : shares->bell_fd;
}

void shares_configure(const struct shares *shares, struct gateway_conf *out)
{
    if (shares == NULL)
        return;
    out->gateways = shares->gateways;
    out->lease_bell = shares->bell_fd;
}
