/* SPDX-License-Identifier: Apache-2.0 */
/* Is an outside engine there, may it be called, and does it take the key? */
#include "base/clock.h"
#include "base/mem.h"
#include "exporter/upstream.h"
#include "fetch/fetch.h"

#include <netdb.h>
#include <stdlib.h>

enum {
    ALL_MS = 10 * 1000,
    CONNECT_MS = 5000,
    HEADERS_MAX = 64 * 1024,
    WAIT_MS = 30 * 1000,
    HEADERS_COUNT = 16
};

struct check_job {
    struct job job; /* first, so that one is the other */
    struct upstreams *all;
    char *namespace, *name; /* to find it again */
    uint64_t serial;
    struct egress_url url;
    struct buf ca_pem;
    struct buf header; /* "Authorization: Bearer KEY", or empty */
    char *headers[HEADERS_COUNT + 1];
    char *health_path; /* NULL: it is asked for its models */
    struct upstream_addresses addresses;
    struct upstream_verdict verdict;
    struct err refused; /* the last address that was */
};

static void job_free(struct check_job *job)
{
    buf_free(&job->ca_pem);
    buf_free_wiped(&job->header);
    for (size_t i = 0; i < HEADERS_COUNT; i++)
        free(job->headers[i]);
    free(job->health_path);
    free(job->namespace);
    free(job->name);
    free(job);
}

static int conclude(struct check_job *job, const char *phase, const char *reason,
                    const char *message)
{
    job->verdict.phase = phase;
    job->verdict.reason = reason;
    snprintf(job->verdict.message, sizeof(job->verdict.message), "%s", message);
    return 0;
}

/* ------------------------------------------------------------------ in a thread */

static int on_address(void *ctx, const struct sockaddr *address, struct err *err)
{
    struct check_job *job = ctx;

    return egress_address_check(address, false, &job->all->exporter->networks, err);
}

static void free_addresses(struct addrinfo **found)
{
    if (*found != NULL)
        freeaddrinfo(*found);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The allowed ones of all that the name means; sorted, so that the order of a name server's answer
 * changes nothing. */
static void resolve(struct check_job *job)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    CLEANUP(free_addresses) struct addrinfo *found = NULL;
    struct upstream_addresses *out = &job->addresses;
    char port[8], message[384];

    snprintf(port, sizeof(port), "%u", job->url.port);
    int failed = getaddrinfo(job->url.host, port, &hints, &found);
    if (failed != 0) {
        snprintf(message, sizeof(message), "%s: %s", job->url.host, gai_strerror(failed));
        conclude(job, "Failed", "NameNotFound", message);
        return;
    }
    for (const struct addrinfo *at = found; at != NULL && out->count < UPSTREAM_ADDRESSES_MAX;
         at = at->ai_next)
        if (on_address(job, at->ai_addr, &job->refused) == 0)
            egress_address_text(at->ai_addr, out->text[out->count++]);
    qsort(out->text, out->count, sizeof(out->text[0]), compare);
    if (out->count == 0)
        conclude(job, "Failed", "AddressRefused", job->refused.msg);
}

static int ignore_data(void *ctx UNUSED, unsigned status UNUSED, struct span bytes UNUSED,
                       struct err *err UNUSED)
{
    return 0;
}

static void judge_failure(struct check_job *job, const struct err *err)
{
    const char *reason = err->code == ERR_TIMEOUT   ? "Timeout"
                         : err->code == ERR_DENIED  ? "CertificateRefused"
                         : err->code == ERR_INVALID ? "InvalidUpstream"
                                                    : "Unreachable";

    conclude(job, "Failed", reason, err->msg);
}

static void judge_status(struct check_job *job, unsigned status)
{
    char message[128];

    snprintf(message, sizeof(message), "it answers %u when it is asked %s", status,
             job->health_path == NULL ? "for its models" : "whether it is well");
    if (status == 401 || status == 403)
        conclude(job, "Failed", "KeyRefused",
                 job->header.len > 0 ? "it refuses the key" : "it wants a key");
    else if (job->health_path != NULL && (status < 200 || status > 299))
        conclude(job, "Failed", "HealthCheckFailed", message);
    else if (status >= 500)
        conclude(job, "Degraded", "UpstreamError", message);
    else if (status >= 300 && status < 400)
        conclude(job, "Failed", "UpstreamMoved", message);
    else
        conclude(job, "Ready", "UpstreamReady", "it answers, and takes the key");
}

static char *url_of(const struct check_job *job)
{
    const struct egress_url *url = &job->url;

    if (job->health_path != NULL)
        return mem_printf("https://%s:%u%s", url->host, url->port, job->health_path);
    return mem_printf("https://%s:%u%s/models%s%s", url->host, url->port, url->path,
                      url->query[0] != '\0' ? "?" : "", url->query);
}

static void ask(struct check_job *job)
{
    struct fetch_options options = {
        .ca_pem = buf_span(&job->ca_pem),
        .direct = true,
        .https_only = true,
        .tls_1_2 = true,
        .connect_timeout_ms = CONNECT_MS,
        .timeout_ms = ALL_MS,
        .check = on_address,
        .check_ctx = job,
    };
    const char *headers[HEADERS_COUNT + 2] = {NULL};
    size_t count = 0;
    CLEANUP_FREE char *url = url_of(job);
    struct fetch_request request = {
        .method = "GET", .url = url, .headers = headers, .on_data = ignore_data};
    CLEANUP(fetch_free_ptr) struct fetch *fetch = NULL;
    CLEANUP(fetch_answer_free)
    struct fetch_answer answer = {.body = BUF_INIT(1), .headers = BUF_INIT(HEADERS_MAX)};
    struct err err = ERR_INIT;

    for (; job->headers[count] != NULL; count++)
        headers[count] = job->headers[count];
    if (job->header.len > 0)
        headers[count] = buf_text(&job->header);
    if (fetch_new(&options, &fetch, &err) < 0 || fetch_run(fetch, &request, &answer, &err) < 0)
        judge_failure(job, &err);
    else
        judge_status(job, answer.status);
}

static int run(struct job *generic, struct err *err UNUSED)
{
    struct check_job *job = (struct check_job *)(void *)generic;

    resolve(job);
    if (job->addresses.count > 0)
        ask(job);
    return 0;
}

/* ------------------------------------------------------------------ on the loop */

static struct upstream *find(const struct check_job *job)
{
    struct upstream *upstream;

    LIST_FOREACH (upstream, &job->all->list, entry)
        if (upstream->serial == job->serial && strcmp(upstream->name, job->name) == 0 &&
            strcmp(upstream->namespace, job->namespace) == 0)
            return upstream;
    return NULL;
}

static void done(struct job *generic)
{
    struct check_job *job = (struct check_job *)(void *)generic;
    struct upstream *upstream = find(job);

    if (generic->err.code != ERR_NONE)
        judge_failure(job, &generic->err);
    if (upstream != NULL && strcmp(job->verdict.reason, "AddressRefused") == 0 &&
        (upstream->verdict.reason == NULL ||
         strcmp(upstream->verdict.reason, "AddressRefused") != 0)) {
        CLEANUP_FREE char *what = mem_printf("ModelService/%s/%s", job->namespace, job->name);
        exporter_report_refusal(job->all->exporter, what, &job->refused);
    }
    if (upstream != NULL)
        upstream_checked(upstream, &job->addresses, &job->verdict);
    job_free(job);
}

static void take_headers(struct check_job *job, const struct upstream *upstream)
{
    const json_t *list = json_object_get(json_object_get(upstream->spec, "upstream"), "headers");
    const json_t *header;
    size_t i;

    json_array_foreach (list, i, header)
        if (i < HEADERS_COUNT)
            job->headers[i] = mem_printf("%s: %s", codec_json_text(header, "name", "X-None"),
                                         codec_json_text(header, "value", ""));
}

int check_start(struct upstream *upstream, struct err *err)
{
    struct check_job *job = mem_new(sizeof(*job));
    const char *prefix;
    const char *header = upstream_key_header(upstream, &prefix);

    *job = (struct check_job){.job = {.run = run, .done = done},
                              .all = upstream->all,
                              .namespace = mem_strdup(upstream->namespace),
                              .name = mem_strdup(upstream->name),
                              .serial = upstream->serial,
                              .url = upstream->url,
                              .ca_pem = BUF_INIT(2 * EGRESS_CA_MAX),
                              .header = BUF_INIT(8192)};
    if (upstream_health_path(upstream) != NULL)
        job->health_path = mem_strdup(upstream_health_path(upstream));
    buf_put_span(&job->ca_pem, buf_span(&upstream->ca_pem));
    take_headers(job, upstream);
    if (upstream->key != NULL) {
        buf_printf(&job->header, "%s: %s", header, prefix);
        buf_put_span(&job->header, secret_span(upstream->key));
    }
    egress_url_authority(&job->url, job->job.lane, sizeof(job->job.lane));
    job->job.until_ns = clock_mono_ns() + WAIT_MS * 1000000ULL;
    if (fetch_load(err) == 0 && pool_submit(upstream->all->exporter->pool, &job->job, err) == 0)
        return 0;
    job_free(job);
    return -1;
}
