/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One audit event, its two encodings, and how a role hands events to the audit role. Field names in
 * JSON are OpenTelemetry's where it has one. The formats are in docs/PROTOCOL.audit.
 *
 *     struct audit_event event = {
 *         .event = span_str(AUDIT_API_REQUEST),
 *         .outcome = AUDIT_DENIED,
 *         .status = 403,
 *         .actor = {.name = span_str("alice"), .source = AUDIT_SOURCE_APIKEY},
 *         .action = {.verb = span_str("delete"), .resource = span_str("pods"), ...},
 *     };
 *     TRY(audit_send(audit, &event, 1, err));     returns when the event is durable
 *
 * Other headers of this folder: ring.h (events from nginx workers), log.h (the log itself), tree.h
 * (RFC 6962), note.h (checkpoints), verify.h (offline verification).
 */
#ifndef DRUN_AUDIT_AUDIT_H
#define DRUN_AUDIT_AUDIT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

/* Event names. Any other name in the same style ("drun.", lower case, dots) is as good. */
#define AUDIT_API_REQUEST      "drun.api.request"
#define AUDIT_LOGIN            "drun.auth.login"
#define AUDIT_LOGOUT           "drun.auth.logout"
#define AUDIT_TOKEN_ISSUED     "drun.auth.token"
#define AUDIT_TOKEN_REVOKED    "drun.auth.revoke"
#define AUDIT_KEY_CREATED      "drun.auth.apikey.create"
#define AUDIT_KEY_REVOKED      "drun.auth.apikey.revoke"
#define AUDIT_KEY_ROTATED      "drun.auth.apikey.rotate"
#define AUDIT_MODEL_CALL       "drun.model.call"
#define AUDIT_WAF_HIT          "drun.waf.hit"
#define AUDIT_WAF_RULES        "drun.waf.rules"
#define AUDIT_SECRET_READ      "drun.secret.read"
#define AUDIT_PROCESS_START    "drun.process.start"
#define AUDIT_PROCESS_EXIT     "drun.process.exit"
#define AUDIT_PLATFORM_SEAL    "drun.platform.seal"
#define AUDIT_PLATFORM_UNSEAL  "drun.platform.unseal"
#define AUDIT_KMS_UNSEAL       "drun.kms.unseal"
#define AUDIT_KMS_ROTATE       "drun.kms.rotate"
#define AUDIT_KMS_DENIED       "drun.kms.denied"
#define AUDIT_SANDBOX_START    "drun.sandbox.start"
#define AUDIT_SANDBOX_EXIT     "drun.sandbox.exit"
#define AUDIT_UNDONE           "drun.api.undone"
#define AUDIT_CONTROL_CHANGED  "drun.posture.change"
#define AUDIT_EGRESS_DENIED    "drun.egress.denied"
#define AUDIT_SOURCE_BANNED    "drun.edge.ban"
#define AUDIT_BAN_ENDED        "drun.edge.unban"
#define AUDIT_FLOOD_CHANGED    "drun.edge.flood"
#define AUDIT_BUDGET_ALERT     "drun.budget.alert"
#define AUDIT_STORE_ANCHOR     "drun.store.anchor"
#define AUDIT_STORE_DAMAGED    "drun.store.damage"
#define AUDIT_LOG_OPENED       "drun.audit.open"
#define AUDIT_SEGMENT_SEALED   "drun.audit.segment.sealed"
#define AUDIT_SEGMENT_DAMAGED  "drun.audit.segment.damaged"
#define AUDIT_SEGMENT_DROPPED  "drun.audit.segment.dropped"
#define AUDIT_EVENTS_LOST      "drun.audit.lost"
#define AUDIT_EVENTS_DISCLOSED "drun.audit.disclose"

enum {
    AUDIT_TEXT_MAX = 512,        /* bytes of one text; a longer one is cut and ends in "…" */
    AUDIT_EVENT_MAX = 16 * 1024, /* bytes of one encoded event */
    AUDIT_JSON_MAX = 64 * 1024,  /* bytes of its JSON */
    AUDIT_SEND_MAX = 1024,       /* events in one audit_send() */
};

enum audit_outcome { AUDIT_SUCCESS, AUDIT_DENIED, AUDIT_FAILURE, AUDIT_OUTCOME_COUNT };

/* How the actor proved who it is. */
enum audit_source {
    AUDIT_SOURCE_NONE, /* nobody was authenticated */
    AUDIT_SOURCE_APIKEY,
    AUDIT_SOURCE_TOKEN,    /* an OAuth access token */
    AUDIT_SOURCE_SESSION,  /* a browser's session */
    AUDIT_SOURCE_PASSWORD, /* while signing in */
    AUDIT_SOURCE_SERVICEACCOUNT,
    AUDIT_SOURCE_OPERATOR, /* the operator's own socket, by its uid */
    AUDIT_SOURCE_ROLE,     /* the platform itself */
    AUDIT_SOURCE_PROVIDER, /* an outside identity provider, while signing in */
    AUDIT_SOURCE_COUNT
};

struct audit_actor {
    struct span name; /* as RBAC sees it: "alice", "system:serviceaccount:a:b" */
    struct span uid;
    struct span key_id;     /* of the API key, never the key */
    struct span session_id; /* of the session, never its cookie */
    enum audit_source source;
};

struct audit_action {
    struct span verb; /* as RBAC sees it: "get", "invoke" */
    struct span api_group;
    struct span resource;
    struct span subresource;
    struct span namespace;
    struct span name;
};

struct audit_model {
    struct span model; /* gen_ai.request.model; the next three count only when it is not empty */
    uint64_t input_tokens;
    uint64_t output_tokens;
    uint64_t cached_tokens; /* of the input, those that the engine had in its cache */
    uint64_t cost_micros;   /* millionths of the currency */
    struct span currency;   /* empty: the model has no price */
    bool streaming;
    struct span backend; /* of a model route: the service that answered */
    struct span tries;   /* "primary:503,spare:200" */
    struct span cache;   /* "hit", "miss"; empty: the service keeps no answers */
};

/*
 * Texts belong to the caller; an empty one is left out of the JSON. They should be UTF-8; what is
 * not becomes U+FFFD in the JSON. Numbers over 2^53 - 1 are clipped to it, but for the time and
 * the anchor.
 */
struct audit_event {
    uint64_t time_ns;  /* wall clock; 0: audit_send() and the ring put the present in */
    struct span event; /* one of the names above */
    struct span role;  /* who says so; the audit role writes the true one here */
    enum audit_outcome outcome;
    uint16_t status; /* HTTP status, 0 when there is none */
    struct audit_actor actor;
    struct audit_action action;
    struct span reason;  /* one sentence: why it was denied or failed */
    struct span address; /* of the client, without port */
    struct span user_agent;
    struct span request_id;
    uint64_t duration_ns;
    struct audit_model model;
    uint64_t anchor_revision; /* newest revision of the role's own store; 0: none is meant */
};

const char *audit_outcome_name(enum audit_outcome outcome);
const char *audit_source_name(enum audit_source source);
/* -1 when the name is unknown. */
int audit_outcome_by_name(struct span name);
int audit_source_by_name(struct span name);

/* The compact binary form, for channels and rings. Allocates nothing when `out` has memory. */
void audit_event_put(const struct audit_event *event, struct buf *out);
/* Strict: every byte counts. The texts of *out point into `bytes`. */
int audit_event_parse(struct span bytes, struct audit_event *out, struct err *err) MUST_USE;

/* Canonical JSON (RFC 8785), one flat object; this is what the log commits to. */
void audit_event_put_json(const struct audit_event *event, struct buf *out);
/* Reads that form back. The texts of *out point into `room`, which must outlive them. */
int audit_event_parse_json(struct span json, struct buf *room, struct audit_event *out,
                           struct err *err) MUST_USE;

/* ------------------------------------------------------------------ asking the audit role */

struct ipc_client;

/* Messages of the audit role. */
enum audit_message {
    AUDIT_MSG_APPEND = 1,
    AUDIT_MSG_ANCHOR = 2,
    AUDIT_MSG_CHECKPOINT = 3,
    AUDIT_MSG_RING = 4,
    AUDIT_MSG_KEY_USES = 5,
};

/* Sends the events and returns when all of them are durable. On failure none, some or all of them
 * may be in the log; the caller must not do what they announce. 1 to AUDIT_SEND_MAX events. */
int audit_send(struct ipc_client *audit, const struct audit_event *events, size_t count,
               struct err *err) MUST_USE;

/* The same for events that audit_event_put() has encoded, with their time in them. */
int audit_send_encoded(struct ipc_client *audit, const struct buf *events, size_t count,
                       struct err *err) MUST_USE;

/* The two halves of audit_send(). Every begin that succeeded needs its wait, in the same order, and
 * no other call on this client between them. */
enum { AUDIT_PACKETS_MAX = 160 };
struct audit_pending {
    uint32_t id[AUDIT_PACKETS_MAX];
    size_t count;
};
int audit_send_begin(struct ipc_client *audit, const struct audit_event *events, size_t count,
                     struct audit_pending *out, struct err *err) MUST_USE;
int audit_send_wait(struct ipc_client *audit, struct audit_pending *pending,
                    struct err *err) MUST_USE;

/* audit_send_encoded() without the wait, on a client that is attached to a loop: `fn` is called
 * from the loop when all events are durable (`failed` NULL), or when that failed. -1: `fn` is not
 * called, and some of them may be in the log all the same. The flight stays where it is till then;
 * the events need not. */
typedef void audit_durable_fn(void *ctx, const struct err *failed);
struct audit_flight {
    size_t packets; /* without an answer yet */
    struct err failed;
    audit_durable_fn *fn;
    void *ctx;
};
int audit_send_later(struct ipc_client *audit, const struct buf *events, size_t count,
                     audit_durable_fn *fn, void *ctx, struct audit_flight *flight,
                     struct err *err) MUST_USE;
/* Waits for the flight, if it is under way, and calls its function. */
void audit_send_settle(struct ipc_client *audit, const struct audit_flight *flight);

/* The newest anchor_revision that the calling role has in the log; 0 when there is none. A store
 * that opens at a lower revision was rolled back. */
int audit_ask_anchor(struct ipc_client *audit, uint64_t *out_revision, struct err *err) MUST_USE;
/* The newest checkpoint, a signed note. */
int audit_ask_checkpoint(struct ipc_client *audit, struct buf *out_note, struct err *err) MUST_USE;
/* What the audit role has seen of API keys since it was asked last, the last use of each that was
 * not refused; at most so many keys, the others with their next use. Handed out once. */
enum { AUDIT_KEY_USES_MAX = 4096, AUDIT_KEY_ID_SIZE = 64, AUDIT_ADDRESS_SIZE = 48 };
struct audit_key_use {
    char key_id[AUDIT_KEY_ID_SIZE];
    char address[AUDIT_ADDRESS_SIZE];
    uint64_t time_ns;
};
typedef void audit_key_use_fn(void *ctx, const struct audit_key_use *use);
int audit_take_key_uses(struct ipc_client *audit, audit_key_use_fn *fn, void *ctx,
                        struct err *err) MUST_USE;
/* Gives the audit role a ring (ring.h) and the eventfd of its doorbell; both stay the caller's.
 * The gateway's keeper sends them again after the audit role was restarted. */
int audit_give_ring(struct ipc_client *audit, int ring_fd, int bell_fd, struct err *err) MUST_USE;

#endif
