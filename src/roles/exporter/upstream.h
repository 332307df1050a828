/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outside engines: ModelServices with spec.upstream. api says which there are; secrets gives their
 * keys; a check in a thread resolves the name, looks at the addresses, and asks the engine for its
 * models with the key; nginx, a child of this role, passes the calls on (keeper.h). What came of it
 * is the object's status.
 */
#ifndef DRUN_EXPORTER_UPSTREAM_H
#define DRUN_EXPORTER_UPSTREAM_H

#include "base/secret.h"
#include "codec/json.h"
#include "egress/url.h"
#include "exporter/exporter_internal.h"
#include "report/report.h"

enum { UPSTREAM_ADDRESSES_MAX = 16 };

struct upstream_addresses {
    char text[UPSTREAM_ADDRESSES_MAX][EGRESS_ADDRESS_TEXT];
    size_t count;
};

/* What a check found. */
struct upstream_verdict {
    const char *phase;  /* "Ready", "Degraded", "Failed"; NULL: nothing yet */
    const char *reason; /* "UpstreamReady", "KeyRefused", ...; of the condition Ready */
    char message[384];
};

struct upstream {
    struct upstreams *all;
    char *namespace;
    char *name;
    char id[ROLE_SERVICE_ID_SIZE];
    json_t *spec; /* as the object has it: of one its owner may write */
    json_int_t generation;
    bool seen;
    struct report report;
    /* Out of the spec and the Secret; usable when `wrong` has no code. */
    struct egress_url url;
    struct buf ca_pem;  /* empty: the system's */
    struct secret *key; /* NULL: none is sent */
    bool key_due;       /* secrets was away when it was asked */
    struct err wrong;
    const char *wrong_reason;
    /* Out of the last check. */
    uint64_t serial; /* of what is checked; a verdict on an older one does not count */
    bool checking;
    bool was_ready;  /* since the object changed */
    bool is_out;     /* it failed since, and gets no calls */
    unsigned missed; /* questions in a row */
    unsigned good;   /* answers in a row */
    struct upstream_addresses addresses;
    struct upstream_verdict verdict;
    struct loop_source *timer;
    LIST_ENTRY(upstream) entry;
};

LIST_HEAD(upstream_list, upstream);

struct upstreams {
    struct exporter *exporter;
    struct upstream_list list;
    struct keeper *keeper;
    struct follow *orders;
    struct asker *changes;
    uint64_t change_epoch, change_place;
    uint64_t last_serial;
};

/* ------------------------------------------------------------------ upstreams.c */

int upstreams_start(struct exporter *exporter, struct err *err) MUST_USE;
void upstreams_stop(struct upstreams *upstreams);
void upstreams_free(struct upstreams *upstreams);
void upstreams_on_peer(struct upstreams *upstreams, enum role_id peer);

/* ------------------------------------------------------------------ upstream.c */

struct upstream *upstream_new(struct upstreams *all, const char *namespace, const char *name);
void upstream_free(struct upstream *upstream);
/* The object as it is now. */
void upstream_put(struct upstream *upstream, const json_t *object);
/* Its Secret may have changed. */
void upstream_renew_key(struct upstream *upstream);
/* Calls may be passed on: everything that is needed is there. */
bool upstream_is_served(const struct upstream *upstream);
/* Tells api, if there is anything new. */
void upstream_tell(struct upstream *upstream);
/* The header's name and what is before the key in its value. */
const char *upstream_key_header(const struct upstream *upstream, const char **out_prefix);
uint32_t upstream_timeout_sec(const struct upstream *upstream);
/* Where it is asked whether it is well; NULL: for its models. */
const char *upstream_health_path(const struct upstream *upstream);

/* ------------------------------------------------------------------ check.c */

/* Looks at it in a thread; upstream_checked() runs unless it was changed or freed meanwhile. */
int check_start(struct upstream *upstream, struct err *err) MUST_USE;
void upstream_checked(struct upstream *upstream, const struct upstream_addresses *addresses,
                      const struct upstream_verdict *verdict);

#endif
