/* SPDX-License-Identifier: Apache-2.0 */
#include "service_internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "log/log.h"

#include <sys/epoll.h>
#include <sys/stat.h>

/* The events of one turn are at most these bytes a ring; one with its length, and with a name of
 * its role that is longer than what the worker wrote. */
enum { RING_TURN_MAX = 1 << 20, TAKEN_MAX = AUDIT_EVENT_MAX + 4 + 32 };

static void on_bell(void *ctx UNUSED, int fd, uint32_t events UNUSED)
{
    uint64_t rings;

    /* The batch hook of this turn reads the ring. */
    ssize_t ignored UNUSED = read(fd, &rings, sizeof(rings));
}

void service_close_ring(struct service_ring *ring)
{
    loop_remove(ring->service->config.loop, ring->source);
    audit_ring_reader_free(ring->reader);
    fd_close(&ring->bell_fd);
    buf_free(&ring->texts);
    *ring = (struct service_ring){.bell_fd = -1};
}

static int take_bell(struct ipc_request *request, struct service_ring *ring, struct err *err)
{
    ring->bell_fd = fd_take(&request->fds->fd[1]);
    TRY(fd_set_nonblocking(ring->bell_fd, err));
    return loop_add_fd(ring->service->config.loop, ring->bell_fd, EPOLLIN, on_bell, NULL,
                       &ring->source, err);
}

static void forget_ring(struct audit_service *service, size_t at)
{
    struct service_ring *last = &service->ring[--service->ring_count];

    service_close_ring(&service->ring[at]);
    if (last != &service->ring[at])
        service->ring[at] = *last;
    *last = (struct service_ring){.bell_fd = -1};
}

/* The same ring again replaces itself. When a gateway has too many, one of them goes that its
 * keeper gave before it was restarted: those workers are gone. */
static int make_room(struct audit_service *service, uint64_t inode,
                     const struct ipc_request *request, struct err *err)
{
    size_t none = service->ring_count;
    size_t old = none;
    size_t count = 0;

    for (size_t i = 0; i < service->ring_count; i++) {
        const struct service_ring *ring = &service->ring[i];
        if (ring->inode == inode) {
            forget_ring(service, i);
            return 0;
        }
        if (ring->gateway != request->peer)
            continue;
        count++;
        if (ring->channel != request->ticket.serial)
            old = i;
    }
    if (count < SERVICE_RINGS_MAX)
        return 0;
    if (old == none)
        return err_set(err, ERR_LIMITED, "there are %d rings of this gateway already",
                       SERVICE_RINGS_MAX);
    forget_ring(service, old);
    return 0;
}

static struct service_ring *next_ring(struct audit_service *service)
{
    if (service->ring_count == service->ring_room) {
        service->ring_room = service->ring_room * 2 + 4;
        service->ring =
            mem_resize_array(service->ring, service->ring_room, sizeof(service->ring[0]));
    }
    return &service->ring[service->ring_count];
}

int audit_service_add_ring(struct audit_service *service, struct ipc_request *request,
                           struct err *err)
{
    struct stat st;

    if (request->fds->count != 2 || fstat(request->fds->fd[0], &st) < 0)
        return err_set(err, ERR_INVALID, "a ring comes with two descriptors");
    TRY(make_room(service, st.st_ino, request, err));
    struct service_ring *ring = next_ring(service);
    *ring = (struct service_ring){.service = service,
                                  .bell_fd = -1,
                                  .inode = st.st_ino,
                                  .gateway = request->peer,
                                  .channel = request->ticket.serial,
                                  .texts = BUF_INIT(RING_TURN_MAX)};
    TRY(audit_ring_reader_open(request->fds->fd[0], &ring->reader, err));
    if (take_bell(request, ring, err) < 0) {
        service_close_ring(ring);
        return -1;
    }
    service->ring_count++;
    return IPC_ANSWER;
}

/* The worker knows what happened; who it is, and which store it has (none), we know better. The
 * text is kept in the compact form: an event points into the reader's room for this call only. */
static int take_event(void *ctx, const struct audit_event *event, struct err *err UNUSED)
{
    struct service_ring *ring = ctx;
    struct audit_event stamped = *event;

    stamped.role = span_str(ring->service->config.peer_name(ring->gateway));
    stamped.anchor_revision = 0;
    size_t start = ring->texts.len;
    buf_put_u32(&ring->texts, 0);
    audit_event_put(&stamped, &ring->texts);
    uint32_t len = (uint32_t)(ring->texts.len - start - 4);
    memcpy(ring->texts.data + start, &len, sizeof(len));
    return 0;
}

/* Now that the texts do not move any more. */
static void collect(struct service_ring *ring)
{
    const uint8_t *at = ring->texts.data;
    const uint8_t *end = at + ring->texts.len;

    while (at < end) {
        struct err err = ERR_INIT;
        uint32_t len;
        memcpy(&len, at, sizeof(len));
        INVARIANT(audit_event_parse(span_of(at + 4, len), service_new_event(ring->service), &err) ==
                  0);
        at += 4 + len;
    }
}

void service_read_rings(struct audit_service *service)
{
    if (service->log == NULL)
        return;
    for (size_t i = 0; i < service->ring_count; i++) {
        struct service_ring *ring = &service->ring[i];
        struct err err = ERR_INIT;
        size_t room = RING_TURN_MAX / TAKEN_MAX;
        buf_reset(&ring->texts);
        int got = 0;
        /* As many of the largest events as fit are asked for at a time. */
        for (size_t total = 0; total < SERVICE_RING_EVENTS && room > 0; total += (size_t)got) {
            got = audit_ring_read(ring->reader, NUM_MIN(room, SERVICE_RING_EVENTS - total),
                                  take_event, ring, &err);
            if (got <= 0)
                break;
            room = (RING_TURN_MAX - ring->texts.len) / TAKEN_MAX;
        }
        if (ring->texts.len > 0)
            collect(ring);
    }
}

/* A ring that is not empty gets the next turn at once: its bell would not ring for what is there.
 */
static void ask_again(const struct service_ring *ring)
{
    static const uint64_t one = 1;
    ssize_t ignored UNUSED = write(ring->bell_fd, &one, sizeof(one));
}

void service_finish_rings(struct audit_service *service, bool durable)
{
    if (service->log == NULL)
        return;
    for (size_t i = 0; i < service->ring_count; i++) {
        struct service_ring *ring = &service->ring[i];
        if (!durable) {
            /* The next tick tries again; the ring fills up meanwhile. */
            audit_ring_rewind(ring->reader);
            continue;
        }
        audit_ring_release(ring->reader);
        if (!audit_ring_sleep(ring->reader))
            ask_again(ring);
    }
}

void service_note_lost(struct audit_service *service)
{
    for (size_t i = 0; i < service->ring_count; i++) {
        const char *gateway = service->config.peer_name(service->ring[i].gateway);
        CLEANUP_FREE char *actor = mem_printf("system:drun:%s", gateway);
        char reason[128];
        struct err err = ERR_INIT;
        uint64_t lost = audit_ring_take_lost(service->ring[i].reader);
        if (lost == 0)
            continue;
        snprintf(reason, sizeof(reason), "%llu events of %s worker %zu were lost",
                 (unsigned long long)lost, gateway, i);
        struct audit_event event = {.event = span_str(AUDIT_EVENTS_LOST),
                                    .outcome = AUDIT_FAILURE,
                                    .actor = {.name = span_str(actor), .source = AUDIT_SOURCE_ROLE},
                                    .reason = span_str(reason)};
        log_say(LOG_WARN, "audit.lost", "%s", reason);
        if (audit_service_record(service, &event, 1, &err) < 0)
            log_error("audit.lost", &err);
    }
}
