/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every role shares. The supervisor starts a role with a control socket on descriptor 3 and
 * passes everything else over it by name (docs/PROTOCOL.control). A role's main reads:
 *
 *     int kms_main(struct role *role, struct err *err)
 *     {
 *         TRY(keyring_open(...));                      init
 *         TRY(role_lock_down(role, &promises, err));    drop privileges, lock down
 *         TRY(role_serve(role, &kms_table, &kms, err));
 *         return role_run(role, err);                  ready, loop until told to stop
 *     }
 */
#ifndef DRUN_ROLE_ROLE_H
#define DRUN_ROLE_ROLE_H

#include "base/attr.h"
#include "base/err.h"
#include "ipc/ipc.h"
#include "lockdown/lockdown.h"
#include "loop/loop.h"

/* The processes. The number is the peer number on a channel, the bit in a table, and what is added
 * to uid-base; so a new one comes last. */
enum role_id {
    ROLE_SUPERVISOR,
    ROLE_KMS,
    ROLE_AUDIT,
    ROLE_API,
    ROLE_IDP,
    ROLE_SECRETS,
    ROLE_AGENT,
    ROLE_POSTURE,
    ROLE_GATEWAY,
    ROLE_EXPORTER,
    ROLE_WAF,
    ROLE_GATEWAY2, /* only where the operator wants it: `listen-second` */
    ROLE_COUNT
};

/* Both, for the tables of who may ask what. */
#define ROLE_GATEWAYS (IPC_FROM(ROLE_GATEWAY) | IPC_FROM(ROLE_GATEWAY2))

/* Their numbers from 0, for who keeps something of each. */
enum { ROLE_GATEWAYS_MAX = 2 };
static inline unsigned role_gateway_number(unsigned peer)
{
    return peer == ROLE_GATEWAY2 ? 1 : 0;
}

const char *role_name(enum role_id id);
/* -1 for a name that is no role's. */
int role_by_name(const char *name);

struct role;
struct role_line;
struct settings;

/* In the process that the supervisor started: takes what it passes, up to its word to begin. */
int role_start(struct role **out, struct err *err) MUST_USE;
void role_free(struct role *role);

enum role_id role_self(const struct role *role);
struct loop *role_loop(struct role *role);
const struct settings *role_settings(const struct role *role);
/* The instance's id, a UUID: what seals bind themselves to. */
const char *role_instance(const struct role *role);
/* This role's own folder in the data directory; its own folder in the run directory, which the
 * other roles may read; and the run directory itself, where a role finds the folders of the others.
 */
const char *role_data_dir(const struct role *role);
const char *role_own_run_dir(const struct role *role);
const char *role_run_dir(const struct role *role);
/* The client of a role that this one may call; NULL when its line in the role table does not say
 * so. */
struct ipc_client *role_peer(struct role *role, enum role_id peer);
/* The client of a second channel to the same role, for calls that are answered late. */
struct ipc_client *role_waiting_peer(struct role *role, enum role_id peer);
/* Where an engine of a model service listens, by its place among them from 0: agent and gateway
 * must agree on it. */
enum { ROLE_SOCKET_SIZE = 108 };
void role_engine_socket(const char *run_dir, const char *namespace, const char *name,
                        unsigned place, char out[ROLE_SOCKET_SIZE]);
/* The same client given away to another thread, once and for good: role_peer() is NULL from then
 * on, and what the supervisor sends for it goes to the line. It stays the role's to free. */
struct role_line *role_take_line(struct role *role, enum role_id peer) MUST_USE;
/* The same for an outside engine, whose calls the exporter passes on. */
void role_upstream_socket(const char *run_dir, const char *namespace, const char *name,
                          char out[ROLE_SOCKET_SIZE]);
/* What both call it by: 16 hex digits. */
enum { ROLE_SERVICE_ID_SIZE = 17 };
void role_service_id(const char *namespace, const char *name, char out[ROLE_SERVICE_ID_SIZE]);
/* A descriptor that was passed by name ("listen:http"); the caller owns it from now on. -1: none.
 */
int role_take_fd(struct role *role, const char *name) MUST_USE;

/* What a role may do for the rest of its life; const data in its folder. */
struct role_promises {
    unsigned promises;                 /* LOCKDOWN_NET_UNIX | … */
    bool network;                      /* keeps the host's network */
    bool mounts;                       /* keeps the host's mounts and LOCKDOWN_MOUNT's rights */
    uint64_t keep_capabilities;        /* 1 << CAP_… */
    unsigned data_access;              /* of its data folder: LOCKDOWN_PATH_WRITE, or 0 */
    const struct lockdown_path *paths; /* besides its own folders and the run directory; ends with a
                                          zeroed one; NULL: none */
};

/* Becomes the role's own user where root, and gives up all but what it promises. What is in force
 * is left in its run folder as lockdown.json, for the posture role. */
int role_lock_down(struct role *role, const struct role_promises *promises,
                   struct err *err) MUST_USE;
/* Answers the roles that may call this one, also after a restart of theirs. */
int role_serve(struct role *role, const struct ipc_table *table, void *ctx,
               struct err *err) MUST_USE;
/* Runs when a called role was restarted and its channel is new. */
void role_on_peer(struct role *role, void (*fn)(void *ctx, enum role_id peer), void *ctx);
/* Runs before role_run() returns because the platform stops. */
void role_on_stop(struct role *role, loop_fn *fn, void *ctx);
/* Tells the supervisor that requests may come, and serves them until told to stop. */
int role_run(struct role *role, struct err *err) MUST_USE;

#endif
