/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_ROLES_AUDIT_SERVICE_INTERNAL_H
#define DRUN_ROLES_AUDIT_SERVICE_INTERNAL_H

#include "audit/ring.h"
#include "key_uses.h"
#include "keys/keys.h"
#include "service.h"

/* Of one gateway: for each of 64 workers two. */
enum { SERVICE_RINGS_MAX = 128, SERVICE_RING_EVENTS = 1024 };

/* An append that waits for its batch. */
struct pending {
    struct ipc_ticket ticket;
    uint8_t *body; /* the events' texts point into it */
    size_t first;  /* its first event, in service->events */
};

struct service_ring {
    struct audit_ring_reader *reader;
    int bell_fd;
    struct loop_source *source;
    struct audit_service *service;
    uint64_t inode;   /* which ring it is */
    unsigned gateway; /* who gave it */
    uint64_t channel; /* in which of its lives */
    struct buf texts; /* the compact form of what was read in this turn */
};

struct audit_service {
    struct audit_service_config config;
    char *dir;
    struct audit_log *log;
    struct loop_source *timer;
    uint64_t ticks;
    struct keys_mark mark;
    char said[sizeof(((struct err *)0)->msg)];

    struct audit_event *events; /* of this turn */
    size_t event_count;
    size_t event_room;
    struct pending *pending;
    size_t pending_count;
    struct service_ring *ring;
    size_t ring_count;
    size_t ring_room;
    struct key_uses *uses;
};

void service_flush(void *ctx); /* a loop_fn */
struct audit_event *service_new_event(struct audit_service *service);

/* service_rings.c */
void service_read_rings(struct audit_service *service);
void service_finish_rings(struct audit_service *service, bool durable);
void service_note_lost(struct audit_service *service);
void service_close_ring(struct service_ring *ring);

#endif
