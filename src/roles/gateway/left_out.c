/* SPDX-License-Identifier: Apache-2.0 */
#include "left_out.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "limit/breakers.h"
#include "log/log.h"
#include "wire/orders.h"

#include <fcntl.h>
#include <string.h>

enum { LOOK_MS = 1000, RETRY_LOOKS = 10 };

struct left_out {
    struct role *role;
    struct limit_breakers *breakers;
    struct buf told; /* what api was last told */
    bool knows;      /* it was told, and took it */
    unsigned wait;   /* looks, after a failure */
};

static void add(void *ctx, const char *name)
{
    struct buf *out = ctx;

    /* One of several engines of a service, by its socket: the others answer for it. */
    if (name[0] == '/')
        return;
    if (out->len + strlen(name) + 1 > API_LEFT_OUT_MAX)
        return;
    buf_put_str(out, name);
    buf_put_u8(out, '\n');
}

static int tell(struct left_out *left_out, const struct buf *names, struct err *err)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(64);
    struct ipc_client *api = role_peer(left_out->role, ROLE_API);

    if (api == NULL)
        return err_set(err, ERR_UNAVAILABLE, "api is away");
    return ipc_call(api, API_LEFT_OUT, buf_span(names), &reply, NULL, err);
}

static void on_look(void *ctx)
{
    struct left_out *left_out = ctx;
    CLEANUP(buf_free) struct buf now = BUF_INIT(API_LEFT_OUT_MAX);
    struct err err = ERR_INIT;

    if (left_out->wait > 0 && left_out->wait-- > 1)
        return;
    limit_breakers_each(left_out->breakers, clock_mono_ns(), add, &now);
    if (left_out->knows && span_eq(buf_span(&now), buf_span(&left_out->told)))
        return;
    left_out->knows = tell(left_out, &now, &err) == 0;
    if (!left_out->knows) {
        log_error("gateway.left_out", &err);
        left_out->wait = RETRY_LOOKS;
        return;
    }
    buf_reset(&left_out->told);
    buf_put_span(&left_out->told, buf_span(&now));
}

static int open_breakers(struct left_out *left_out, struct err *err)
{
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(left_out->role), err);

    TRY(dir_fd);
    return limit_breakers_open(dir_fd, "breakers", &left_out->breakers, err);
}

int left_out_new(struct role *role, struct left_out **out, struct err *err)
{
    struct left_out *left_out = mem_new(sizeof(*left_out));

    left_out->role = role;
    left_out->told = (struct buf)BUF_INIT(API_LEFT_OUT_MAX);
    *out = left_out;
    TRY(open_breakers(left_out, err));
    return loop_add_timer(role_loop(role), LOOK_MS, LOOK_MS, on_look, left_out, NULL, err);
}

void left_out_free(struct left_out *left_out)
{
    if (left_out == NULL)
        return;
    limit_breakers_close(left_out->breakers);
    buf_free(&left_out->told);
    free(left_out);
}

void left_out_tell_anew(struct left_out *left_out)
{
    if (left_out == NULL)
        return;
    left_out->knows = false;
    left_out->wait = 0;
}
