/* SPDX-License-Identifier: Apache-2.0 */
#include "role/asker.h"

#include "base/mem.h"
#include "log/log.h"

#include <stdlib.h>
#include <sys/epoll.h>

enum { RETRY_MS = 500 };

struct asker {
    struct asker_config config;
    struct loop_source *source; /* NULL while nothing was asked */
    struct loop_source *retry;
    uint32_t id;
    int asked_fd; /* the channel on which the answer will come */
};

static void ask(struct asker *asker);

static void stop_waiting(struct asker *asker)
{
    loop_remove(asker->config.loop, asker->source);
    asker->source = NULL;
}

static void on_answer(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct asker *asker = ctx;
    CLEANUP(buf_free) struct buf answer = BUF_INIT(IPC_BODY_MAX);
    struct err err = ERR_INIT;
    int result = ipc_wait(asker->config.client, asker->id, &answer, &err);

    stop_waiting(asker);
    if (result == 0)
        result = asker->config.take(asker->config.ctx, buf_span(&answer), &err);
    if (result == 0) {
        ask(asker);
        return;
    }
    if (err.code != ERR_UNAVAILABLE)
        log_error(asker->config.name, &err);
    loop_rearm(asker->retry, RETRY_MS, 0);
}

static void ask(struct asker *asker)
{
    CLEANUP(buf_free) struct buf question = BUF_INIT(64);
    struct ipc_client *client = asker->config.client;
    struct err err = ERR_INIT;

    asker->config.put(asker->config.ctx, &question);
    if (ipc_send(client, asker->config.type, buf_span(&question), &asker->id, &err) < 0 ||
        loop_add_fd(asker->config.loop, ipc_client_fd(client), EPOLLIN, on_answer, asker,
                    &asker->source, &err) < 0) {
        loop_rearm(asker->retry, RETRY_MS, 0);
        return;
    }
    asker->asked_fd = ipc_client_fd(client);
}

static void on_retry(void *ctx)
{
    struct asker *asker = ctx;

    if (asker->source == NULL)
        ask(asker);
}

void asker_anew(struct asker *asker)
{
    if (asker->source != NULL && ipc_client_fd(asker->config.client) == asker->asked_fd)
        return;
    stop_waiting(asker);
    ask(asker);
}

bool asker_waits(const struct asker *asker)
{
    return asker->source != NULL;
}

int asker_new(const struct asker_config *config, struct asker **out, struct err *err)
{
    struct asker *asker = mem_new(sizeof(*asker));

    asker->config = *config;
    *out = asker;
    return loop_add_timer(config->loop, 1, 0, on_retry, asker, &asker->retry, err);
}

void asker_free(struct asker *asker)
{
    free(asker);
}
