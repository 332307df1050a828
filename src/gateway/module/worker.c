/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker makes once: identities, policy, limits and its audit ring. */
#include "gateway/module/waf.h"

#include "audit/ring.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>

enum { TOKEN_CACHE = 1024 };

struct gw_worker {
    struct auth *auth;
    struct snapshot_reader *policy;
    struct limit_table *limits;
    struct limit_places *places;
    struct limit_budgets *budgets;
    struct limit_breakers *breakers;
    struct limit_queue *queue;
    struct openai_texts texts;
    struct audit_ring_writer ring;
    ngx_event_t ring_bell; /* rung once, behind the records of all that came together */
    unsigned gateways;
    ngx_int_t lease_bell;
    bool has_ring;
    bool drop_when_full;
    size_t promised; /* bytes of the ring, to the records of calls that run */
};

static struct gw_worker *worker;

static void on_ring_bell(ngx_event_t *event)
{
    const struct gw_worker *self = event->data;

    audit_ring_bell(&self->ring);
}

static int open_ring(struct gw_worker *new, const struct gw_main_conf *conf, struct err *err)
{
    if (conf->rings == NULL)
        return 0;
    if ((ngx_uint_t)ngx_worker >= conf->rings->nelts)
        return err_set(err, ERR_INVALID, "drun_audit_rings has no ring for worker %d",
                       (int)ngx_worker);
    const struct gw_ring *ring = (const struct gw_ring *)conf->rings->elts + ngx_worker;
    TRY(audit_ring_writer_open(&new->ring, (int)ring->ring_fd, (int)ring->bell_fd, err));
    new->ring_bell = (ngx_event_t){.handler = on_ring_bell, .data = new, .log = ngx_cycle->log};
    new->has_ring = true;
    new->drop_when_full = conf->audit_full == GW_AUDIT_DROP;
    return 0;
}

/* `owner` is the folder of who publishes there; "" for the path itself. */
static int open_dir(ngx_str_t path, const char *owner, struct err *err)
{
    CLEANUP_FREE char *text = mem_printf("%.*s/%s", (int)path.len, (const char *)path.data, owner);

    return fd_open_dir(AT_FDCWD, text, err);
}

/* All workers answer for the same URLs: a proof used at one of them is used. It is a bucket of one,
 * empty until the proof is too old anyway. */
static int remember_proof(void *ctx, const uint8_t id[AUTH_PROOF_ID_LEN], struct err *err)
{
    const struct gw_worker *self = ctx;
    struct limit_ask ask = {.key = limit_key(span_of(id, AUTH_PROOF_ID_LEN), span_str("dpop")),
                            .cost = 1,
                            .limit = 1,
                            .window_ns = AUTH_REPLAY_SEC * UINT64_C(1000000000)};
    struct limit_reservation taken;
    struct limit_answer answer;

    limit_reserve(self->limits, &ask, 1, clock_mono_ns(), &taken, &answer);
    if (answer.verdict == LIMIT_GRANTED)
        return 0;
    if (answer.verdict == LIMIT_FULL)
        return err_set(err, ERR_LIMITED, "too many proofs come at the moment; try again soon");
    return err_set(err, ERR_UNAUTHENTICATED, "the proof was used before");
}

static int start(struct gw_worker *new, const struct gw_main_conf *conf, struct err *err)
{
    CLEANUP_FD int for_auth = open_dir(conf->run_dir, "idp", err);
    CLEANUP_FD int for_policy = for_auth < 0 ? -1 : open_dir(conf->run_dir, "api", err);
    CLEANUP_FD int for_limits = for_policy < 0 ? -1 : open_dir(conf->state_dir, "", err);
    CLEANUP_FD int for_budgets = for_limits < 0 ? -1 : open_dir(conf->data_dir, "", err);

    if (for_budgets < 0)
        return -1;
    TRY(limit_open(for_limits, "limits", &new->limits, err));
    TRY(limit_places_open(for_limits, "places", &new->places, err));
    TRY(limit_breakers_open(for_limits, "breakers", &new->breakers, err));
    TRY(limit_queue_open(for_limits, "queue", gw_line_ring, NULL, &new->queue, err));
    TRY(limit_budgets_open(for_budgets, "budgets", true, &new->budgets, err));
    new->gateways = (unsigned)conf->gateways;
    new->lease_bell = conf->lease_bell;
    if (new->gateways > 1)
        limit_budgets_share(new->budgets, gw_share_ring, &new->lease_bell);
    TRY(open_ring(new, conf, err));
    new->auth = auth_new(&for_auth, TOKEN_CACHE);
    auth_share_proofs(new->auth, remember_proof, new);
    new->policy = snapshot_reader_new(&policy_snapshot, &for_policy);
    return 0;
}

ngx_int_t gw_worker_start(ngx_cycle_t *cycle, const struct gw_main_conf *conf)
{
    struct err err = ERR_INIT;

    worker = mem_new(sizeof(*worker));
    if (start(worker, conf, &err) < 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "drun: %s", err.msg);
        gw_worker_stop(cycle);
        return NGX_ERROR;
    }
    if (gw_line_listen(cycle) != NGX_OK)
        return NGX_ERROR;
    return conf->waf == GW_WAF_OFF ? NGX_OK : gw_waf_start(cycle, conf);
}

void gw_worker_stop(ngx_cycle_t *cycle UNUSED)
{
    gw_waf_stop();
    if (worker == NULL)
        return;
    auth_free(worker->auth);
    snapshot_reader_free(worker->policy);
    limit_close(worker->limits);
    limit_places_close(worker->places);
    limit_budgets_close(worker->budgets);
    limit_breakers_close(worker->breakers);
    limit_queue_close(worker->queue);
    openai_texts_free(&worker->texts);
    if (worker->has_ring) {
        audit_ring_bell(&worker->ring);
        audit_ring_writer_close(&worker->ring);
    }
    free(worker);
    worker = NULL;
}

static const uint8_t *source_address(const ngx_http_request_t *r, uint8_t room[16])
{
    const struct sockaddr *address = r->connection->sockaddr;

    if (address->sa_family == AF_INET6) {
        memcpy(room, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return room;
    }
    if (address->sa_family != AF_INET)
        return NULL;
    memset(room, 0, 10);
    memset(room + 10, 0xFF, 2);
    memcpy(room + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    return room;
}

struct request_line {
    char method[16];
    char path[128]; /* those of the model API are short */
};

static void copy_text(ngx_str_t text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)text.len, (const char *)text.data);
}

/* An API key is bound to nothing. */
static bool is_key(struct span authorization)
{
    static const char start[] = "Bearer " AUTH_KEY_PREFIX;

    return span_has_prefix(authorization, start);
}

/* What a bound token must come with; only such a credential is worth the search. */
static void add_possession(ngx_http_request_t *r, struct request_line *line,
                           struct auth_input *input)
{
    ngx_str_t certificate = ngx_null_string;

    if (is_key(input->authorization))
        return;
    if (input->authorization.len > 0 && (input->authorization.p[0] | 0x20) == 'd') {
        const ngx_table_elt_t *proof = gw_header_in(r, "DPoP");
        input->proof = proof == NULL ? span_of("", 0) : gw_span(proof->value);
        copy_text(r->method_name, line->method, sizeof(line->method));
        copy_text(r->uri, line->path, sizeof(line->path));
        input->method = line->method;
        input->path = line->path;
    }
    if (r->connection->ssl != NULL &&
        ngx_ssl_get_escaped_certificate(r->connection, r->pool, &certificate) == NGX_OK)
        input->certificate = gw_span(certificate);
}

/* As Anthropic's clients send a key. */
static struct span own_key(ngx_http_request_t *r)
{
    static const char scheme[] = "Bearer ";
    const ngx_table_elt_t *header = gw_header_in(r, "x-api-key");
    u_char *room =
        header == NULL ? NULL : ngx_pnalloc(r->pool, sizeof(scheme) - 1 + header->value.len);

    if (room == NULL)
        return span_of("", 0);
    memcpy(room, scheme, sizeof(scheme) - 1);
    memcpy(room + sizeof(scheme) - 1, header->value.data, header->value.len);
    return span_of(room, sizeof(scheme) - 1 + header->value.len);
}

static void wipe_key(void *data)
{
    mem_wipe(data, sizeof(struct auth_last_key));
}

/* The one of the client's connection, also when it carries many streams; NULL without memory. */
static struct auth_last_key *last_key_of(const ngx_http_request_t *r)
{
    const ngx_connection_t *c =
        r->stream != NULL ? r->stream->connection->connection : r->connection;

    for (ngx_pool_cleanup_t *at = c->pool->cleanup; at != NULL; at = at->next)
        if (at->handler == wipe_key)
            return at->data;
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(c->pool, sizeof(struct auth_last_key));
    if (cleanup == NULL)
        return NULL;
    memset(cleanup->data, 0, sizeof(struct auth_last_key));
    cleanup->handler = wipe_key;
    return cleanup->data;
}

int gw_worker_authenticate(ngx_http_request_t *r, struct auth_principal *out, struct err *err)
{
    const ngx_table_elt_t *header = r->headers_in.authorization;
    uint8_t address[16];
    struct request_line line;
    struct auth_input input = {
        .authorization = header == NULL ? own_key(r) : gw_span(header->value),
        .session_cookie = span_of("", 0),
        .source = source_address(r, address),
        .now = ngx_time(),
        .last_key = last_key_of(r),
    };
    struct err trouble = ERR_INIT;

    add_possession(r, &line, &input);
    int result = auth_check(worker->auth, &input, out, err);
    if (auth_trouble(worker->auth, &trouble) < 0)
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "drun: %s", trouble.msg);
    return result;
}

const struct snapshot *gw_worker_policy(ngx_http_request_t *r)
{
    struct err err = ERR_INIT;

    if (snapshot_reader_refresh(worker->policy, &err) < 0)
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "drun: %s", err.msg);
    return snapshot_reader_current(worker->policy);
}

struct limit_table *gw_worker_limits(void)
{
    return worker->limits;
}

struct limit_budgets *gw_worker_budgets(void)
{
    return worker == NULL ? NULL : worker->budgets;
}

struct limit_breakers *gw_worker_breakers(void)
{
    return worker == NULL ? NULL : worker->breakers;
}

struct limit_queue *gw_worker_queue(void)
{
    return worker == NULL ? NULL : worker->queue;
}

unsigned gw_worker_gateways(void)
{
    return worker->gateways;
}

struct openai_texts *gw_worker_texts(void)
{
    return &worker->texts;
}

struct limit_places *gw_worker_places(void)
{
    return worker == NULL ? NULL : worker->places;
}

/* What was promised to calls that run is not for others. */
static bool fits(size_t bytes)
{
    size_t left = audit_ring_left(&worker->ring);

    return left >= worker->promised && left - worker->promised >= bytes;
}

bool gw_worker_promise(size_t *bytes)
{
    if (!worker->has_ring || worker->drop_when_full)
        *bytes = 0;
    size_t room = *bytes == 0 ? 0 : audit_ring_room(*bytes);
    bool kept = room == 0 || fits(room);
    *bytes = kept ? room : 0;
    worker->promised += *bytes;
    return kept;
}

void gw_worker_unpromise(size_t promised)
{
    if (worker != NULL)
        worker->promised -= promised;
}

/* The audit role counts and tells what finds no room. */
void gw_worker_record(ngx_log_t *log, const struct audit_event *event, size_t promised)
{
    if (!worker->has_ring)
        return;
    worker->promised -= promised;
    if (promised == 0 && !fits(audit_ring_room(AUDIT_EVENT_MAX))) {
        audit_ring_drop(&worker->ring);
        ngx_log_error(NGX_LOG_WARN, log, 0, "drun: the audit ring is full");
    } else if (!audit_ring_put(&worker->ring, event)) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "drun: the audit ring did not take a record");
    } else {
        ngx_post_event(&worker->ring_bell, &ngx_posted_events);
    }
}
