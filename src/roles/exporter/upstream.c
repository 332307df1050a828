/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/upstream.h"

#include "base/mem.h"
#include "crypto/x509.h"
#include "exporter/keeper.h"
#include "log/log.h"
#include "wire/orders.h"
#include "wire/secrets.h"

#include <stdlib.h>
#include <strings.h>

enum { READY_SEC = 30, AGAIN_SEC = 5, SOON_MS = 1000, MISSED_FAILED = 3 };

static const uint64_t never_ms = 1ULL << 40;

static const json_t *spec_of(const struct upstream *upstream)
{
    return json_object_get(upstream->spec, "upstream");
}

const char *upstream_key_header(const struct upstream *upstream, const char **out_prefix)
{
    const char *name = codec_json_text(spec_of(upstream), "apiKeyHeader", "Authorization");

    *out_prefix = strcasecmp(name, "Authorization") == 0 ? "Bearer " : "";
    return name;
}

uint32_t upstream_timeout_sec(const struct upstream *upstream)
{
    json_int_t seconds = json_integer_value(json_object_get(spec_of(upstream), "timeoutSeconds"));

    return seconds > 0 && seconds <= 3600 ? (uint32_t)seconds : 300;
}

/* A number of its healthCheck. */
static unsigned health_number(const struct upstream *upstream, const char *name, unsigned otherwise)
{
    json_int_t given =
        json_integer_value(codec_json_at(spec_of(upstream), "healthCheck", name, NULL));

    return given > 0 && given <= 3600 ? (unsigned)given : otherwise;
}

const char *upstream_health_path(const struct upstream *upstream)
{
    return codec_json_text(json_object_get(spec_of(upstream), "healthCheck"), "path", NULL);
}

bool upstream_is_served(const struct upstream *upstream)
{
    return upstream->wrong.code == ERR_NONE && upstream->addresses.count > 0;
}

/* ------------------------------------------------------------------ what the object says */

/* Certificates alone, as we write them: a bundle of one tenant must not keep nginx from taking the
 * configuration of all. */
static int take_authorities(struct upstream *upstream, struct err *err)
{
    static const char end[] = "-----END CERTIFICATE-----";
    const char *text = codec_json_text(spec_of(upstream), "caBundle", "");

    buf_free(&upstream->ca_pem);
    upstream->ca_pem = (struct buf)BUF_INIT(2 * EGRESS_CA_MAX);
    for (const char *stop; (stop = strstr(text, end)) != NULL; text = stop + strlen(end)) {
        CLEANUP(buf_free) struct buf der = BUF_INIT(X509_DER_MAX);
        size_t len = (size_t)(stop - text) + strlen(end);
        TRY(x509_from_pem(span_of(text, len), &der, err));
        TRY(x509_to_pem(buf_span(&der), &upstream->ca_pem, err));
    }
    return buf_check(&upstream->ca_pem, "the bundle", err);
}

static int take_spec(struct upstream *upstream, struct err *err)
{
    upstream->wrong_reason = "InvalidUpstream";
    TRY(egress_url_parse(codec_json_text(spec_of(upstream), "url", ""), "https://", 443,
                         &upstream->url, err));
    if (upstream->url.is_address)
        return err_set(err, ERR_INVALID, "its URL must name the host, not its address");
    if (take_authorities(upstream, err) < 0)
        return err_wrap(err, "spec.upstream.caBundle");
    return 0;
}

static int take_key(struct upstream *upstream, struct err *err)
{
    const json_t *ref = json_object_get(spec_of(upstream), "apiKeySecretRef");
    struct ipc_client *secrets = role_peer(upstream->all->exporter->role, ROLE_SECRETS);
    CLEANUP(buf_free) struct buf question = BUF_INIT(1024);
    CLEANUP(buf_free_wiped) struct buf key = BUF_INIT(SECRETS_KEY_MAX);

    upstream->wrong_reason = "SecretMissing";
    upstream->key_due = false;
    if (ref == NULL) {
        secret_free(upstream->key);
        upstream->key = NULL;
        return 0;
    }
    buf_put_block(&question, span_str(upstream->namespace));
    buf_put_block(&question, span_str(codec_json_text(ref, "name", "")));
    buf_put_block(&question, span_str(codec_json_text(ref, "key", "api-key")));
    int result = ipc_call(secrets, SECRETS_UPSTREAM_KEY, buf_span(&question), &key, NULL, err);
    upstream->key_due = result < 0 && (err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT);
    if (upstream->key_due)
        upstream->wrong_reason = "SecretUnavailable";
    else if (result < 0 && err->code != ERR_NOT_FOUND)
        upstream->wrong_reason = "SecretRefused";
    if (result < 0)
        return -1;
    secret_free(upstream->key);
    upstream->key = secret_copy(buf_span(&key));
    return 0;
}

/* ------------------------------------------------------------------ status */

static bool is_ready(const struct upstream_verdict *verdict)
{
    return strcmp(verdict->phase, "Ready") == 0 || strcmp(verdict->phase, "Degraded") == 0;
}

void upstream_tell(struct upstream *upstream)
{
    struct upstream_verdict verdict = upstream->verdict;

    if (upstream->wrong.code != ERR_NONE) {
        verdict.phase = "Failed";
        verdict.reason = upstream->wrong_reason;
        snprintf(verdict.message, sizeof(verdict.message), "%s", upstream->wrong.msg);
    }
    if (verdict.phase == NULL)
        return;
    if (is_ready(&verdict) && !keeper_is_live(upstream->all->keeper, upstream->id)) {
        verdict.phase = "Starting";
        verdict.reason = "UpstreamStarting";
        snprintf(verdict.message, sizeof(verdict.message), "the way to it is being opened");
    }
    CLEANUP_JSON json_t *status = json_pack("{s:s, s:i, s:I}", "phase", verdict.phase, "replicas",
                                            0, "observedGeneration", upstream->generation);
    report_condition(&upstream->report, status, "Ready", is_ready(&verdict), verdict.reason,
                     verdict.message, upstream->generation);
    report_tell(&upstream->report, role_peer(upstream->all->exporter->role, ROLE_API),
                "exporter.status", "ModelService", upstream->namespace, upstream->name, status);
}

/* ------------------------------------------------------------------ checks */

static void check_now(struct upstream *upstream)
{
    struct err err = ERR_INIT;

    if (upstream->checking || upstream->wrong.code != ERR_NONE)
        return;
    if (check_start(upstream, &err) == 0) {
        upstream->checking = true;
        return;
    }
    log_error("exporter.check", &err);
    loop_rearm(upstream->timer, SOON_MS, 0);
}

static void on_timer(void *ctx)
{
    struct upstream *upstream = ctx;

    if (upstream->key_due) /* secrets was away */
        upstream_renew_key(upstream);
    else
        check_now(upstream);
    if (upstream->report.told == NULL) /* api was away */
        upstream_tell(upstream);
}

static bool may_pass(const struct upstream_verdict *verdict)
{
    return strcmp(verdict->reason, "Unreachable") == 0 || strcmp(verdict->reason, "Timeout") == 0 ||
           strcmp(verdict->reason, "HealthCheckFailed") == 0;
}

/* One or two misses of an engine that worked are no reason to stop calling it; one good answer of
 * an engine that failed is a reason to call it again, unless its object wants more of them. */
static void soften(struct upstream *upstream, struct upstream_verdict *verdict)
{
    unsigned wanted = health_number(upstream, "successThreshold", 1);
    bool failed = strcmp(verdict->phase, "Failed") == 0;

    upstream->missed = failed ? upstream->missed + 1 : 0;
    upstream->good = failed ? 0 : upstream->good + 1;
    upstream->was_ready = upstream->was_ready || !failed;
    if (failed && upstream->was_ready && !upstream->is_out && may_pass(verdict) &&
        upstream->missed < health_number(upstream, "failureThreshold", MISSED_FAILED))
        verdict->phase = "Degraded";
    if (!failed && upstream->is_out && upstream->good < wanted) {
        verdict->phase = "Failed";
        verdict->reason = "Recovering";
        snprintf(verdict->message, sizeof(verdict->message),
                 "it is well again; %u of %u good answers in a row", upstream->good, wanted);
    }
    upstream->is_out = upstream->was_ready && strcmp(verdict->phase, "Failed") == 0;
}

void upstream_checked(struct upstream *upstream, const struct upstream_addresses *addresses,
                      const struct upstream_verdict *verdict)
{
    upstream->checking = false;
    if (upstream->wrong.code != ERR_NONE)
        return;
    upstream->verdict = *verdict;
    soften(upstream, &upstream->verdict);
    /* A name server that is away for a moment takes no address back, a refused address does. */
    if (addresses->count > 0 || strcmp(verdict->reason, "AddressRefused") == 0)
        upstream->addresses = *addresses;
    keeper_touch(upstream->all->keeper);
    upstream_tell(upstream);
    bool ready = strcmp(upstream->verdict.phase, "Ready") == 0;
    unsigned interval_sec = health_number(upstream, "intervalSeconds", READY_SEC);
    loop_rearm(upstream->timer, 1000ULL * (ready ? interval_sec : AGAIN_SEC), 0);
}

/* ------------------------------------------------------------------ changes */

static void start_over(struct upstream *upstream)
{
    upstream->serial = ++upstream->all->last_serial;
    upstream->checking = false;
    upstream->missed = 0;
    upstream->was_ready = false;
    upstream->is_out = false;
    upstream->good = 0;
    keeper_touch(upstream->all->keeper);
    if (upstream->wrong.code != ERR_NONE) {
        upstream_tell(upstream);
        loop_rearm(upstream->timer, upstream->key_due ? SOON_MS : 1000 * AGAIN_SEC, 0);
        return;
    }
    check_now(upstream);
}

void upstream_renew_key(struct upstream *upstream)
{
    struct err err = ERR_INIT;

    if (strcmp(upstream->wrong_reason, "InvalidUpstream") == 0)
        return;
    int result = take_key(upstream, &err);
    if (result < 0 && upstream->key_due && upstream->wrong.code == ERR_NONE) {
        /* The key that was good goes on being used until secrets is back. */
        loop_rearm(upstream->timer, SOON_MS, 0);
        return;
    }
    upstream->wrong = err;
    start_over(upstream);
}

void upstream_put(struct upstream *upstream, const json_t *object)
{
    json_int_t generation =
        json_integer_value(codec_json_at(object, "metadata", "generation", NULL));
    struct egress_url before = upstream->url;

    if (upstream->spec == NULL)
        report_adopt(&upstream->report, json_object_get(object, "status"));
    else if (upstream->generation == generation)
        return;
    json_decref(upstream->spec);
    upstream->spec = json_deep_copy(json_object_get(object, "spec"));
    upstream->generation = generation;
    err_clear(&upstream->wrong);
    if (take_spec(upstream, &upstream->wrong) == 0)
        (void)(take_key(upstream, &upstream->wrong) < 0);
    /* Nothing goes to an old address in the new name. */
    if (strcmp(before.host, upstream->url.host) != 0 || before.port != upstream->url.port)
        upstream->addresses.count = 0;
    start_over(upstream);
}

struct upstream *upstream_new(struct upstreams *all, const char *namespace, const char *name)
{
    struct upstream *upstream = mem_new(sizeof(*upstream));
    struct err err = ERR_INIT;

    upstream->all = all;
    upstream->namespace = mem_strdup(namespace);
    upstream->name = mem_strdup(name);
    upstream->wrong_reason = "";
    role_service_id(namespace, name, upstream->id);
    INVARIANT(loop_add_timer(all->exporter->loop, never_ms, 0, on_timer, upstream, &upstream->timer,
                             &err) == 0);
    LIST_INSERT_HEAD(&all->list, upstream, entry);
    return upstream;
}

void upstream_free(struct upstream *upstream)
{
    CLEANUP_FREE char *authorities =
        mem_printf("%s/ca-%s.pem", role_own_run_dir(upstream->all->exporter->role), upstream->id);

    unlink(authorities);
    LIST_REMOVE(upstream, entry);
    loop_remove(upstream->all->exporter->loop, upstream->timer);
    secret_free(upstream->key);
    buf_free(&upstream->ca_pem);
    json_decref(upstream->spec);
    report_free(&upstream->report);
    free(upstream->namespace);
    free(upstream->name);
    free(upstream);
}
