/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTPS request for another role. */
#include "fetch/fetch.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "egress/url.h"
#include "egress/wire.h"
#include "exporter/exporter_internal.h"
#include "wire/secrets.h"

#include <stdlib.h>

enum { ARENA_MAX = 512 * 1024, CONNECT_MS = 5000, HEADERS_MAX = 64 * 1024 };

struct fetch_job {
    struct job job; /* first, so that one is the other */
    struct exporter *exporter;
    struct ipc_ticket ticket;
    struct arena *arena;
    struct buf body; /* the message; the request points into it */
    struct egress_request request;
    struct buf with_secret; /* a header, or the body, with a Secret's value */
    const char *headers[EGRESS_HEADERS_MAX + 2];
    struct buf reply;
    bool refused; /* the address was */
};

static void job_free(struct fetch_job *job)
{
    buf_free_wiped(&job->body);
    buf_free_wiped(&job->with_secret);
    buf_free_wiped(&job->reply);
    arena_free(job->arena);
    free(job);
}

static int on_address(void *ctx, const struct sockaddr *address, struct err *err)
{
    struct fetch_job *job = ctx;
    int result = egress_address_check(address, job->request.endpoint.private_network,
                                      &job->exporter->networks, err);

    job->refused = result < 0;
    return result;
}

static void put_reply(struct fetch_job *job, const struct fetch_answer *from)
{
    struct egress_answer answer = {.status = from->status, .body = buf_span(&from->body)};
    const char *const *names = job->request.answer_headers;
    char *values[EGRESS_HEADERS_MAX];

    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        char *value = fetch_answer_header(from, names[i]);
        if (value == NULL)
            continue;
        values[answer.header_count] = value;
        answer.headers[answer.header_count++] =
            (struct egress_header){.name = span_str(names[i]), .value = span_str(value)};
    }
    egress_put_answer(&answer, &job->reply);
    for (size_t i = 0; i < answer.header_count; i++)
        free(values[i]);
}

static int run(struct job *generic, struct err *err)
{
    struct fetch_job *job = (struct fetch_job *)(void *)generic;
    const struct egress_request *request = &job->request;
    uint64_t now = clock_mono_ns();
    uint64_t left_ms = generic->until_ns > now ? (generic->until_ns - now) / 1000000 + 1 : 1;
    struct fetch_options options = {
        .ca_pem = request->endpoint.ca_pem,
        .direct = true,
        .https_only = true,
        .tls_1_2 = true,
        .connect_timeout_ms = left_ms < CONNECT_MS ? (unsigned)left_ms : CONNECT_MS,
        .timeout_ms = (unsigned)left_ms,
        .check = on_address,
        .check_ctx = job,
    };
    struct fetch_request ask = {.method = request->method,
                                .url = request->url,
                                .headers = request->headers,
                                .body = request->body};
    CLEANUP(fetch_free_ptr) struct fetch *fetch = NULL;
    CLEANUP(fetch_answer_free)
    struct fetch_answer answer = {.body = BUF_INIT(request->answer_max),
                                  .headers = BUF_INIT(HEADERS_MAX)};

    TRY(fetch_new(&options, &fetch, err));
    TRY(fetch_run(fetch, &ask, &answer, err));
    put_reply(job, &answer);
    return buf_check(&job->reply, "the answer", err);
}

static void done(struct job *generic)
{
    struct fetch_job *job = (struct fetch_job *)(void *)generic;
    const struct egress_endpoint *endpoint = &job->request.endpoint;

    if (generic->err.code != ERR_NONE) {
        if (job->refused)
            exporter_report_refusal(job->exporter, endpoint->name, &generic->err);
        err_wrap(&generic->err, "%s", endpoint->name);
        ipc_reply_error(&job->ticket, &generic->err);
    } else {
        ipc_reply(&job->ticket, buf_span(&job->reply));
    }
    job_free(job);
}

/* application/x-www-form-urlencoded, as RFC 6749 appendix B wants both parts. */
static void put_form(struct buf *out, struct span text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    for (size_t i = 0; i < text.len; i++)
        if (memchr(plain, text.p[i], sizeof(plain) - 1) != NULL)
            buf_put_u8(out, text.p[i]);
        else
            buf_printf(out, "%%%02X", text.p[i]);
}

static void put_basic(struct fetch_job *job, struct span secret)
{
    CLEANUP(buf_free_wiped) struct buf both = BUF_INIT(4 * EGRESS_HEADER_MAX);
    const char *const *given = job->request.headers;
    size_t count = 0;

    put_form(&both, span_str(job->request.secret_user));
    buf_put_u8(&both, ':');
    put_form(&both, secret);
    buf_put_str(&job->with_secret, "Authorization: Basic ");
    enc_base64_put(ENC_BASE64, buf_span(&both), &job->with_secret);
    for (; given != NULL && given[count] != NULL; count++)
        job->headers[count] = given[count];
    job->headers[count] = buf_text(&job->with_secret);
    job->request.headers = job->headers;
}

static void put_in_form(struct fetch_job *job, struct span secret)
{
    struct buf *body = &job->with_secret;

    buf_put_span(body, job->request.body);
    buf_put_str(body, body->len > 0 ? "&client_secret=" : "client_secret=");
    put_form(body, secret);
    job->request.body = buf_span(body);
}

static int put_secret(struct fetch_job *job, unsigned peer, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf secret = BUF_INIT(SECRETS_KEY_MAX);

    if (job->request.secret.name == NULL)
        return 0;
    TRY(sender_secret(job->exporter, peer, &job->request.secret, &secret, err));
    if (job->request.secret_place == EGRESS_BASIC)
        put_basic(job, buf_span(&secret));
    else
        put_in_form(job, buf_span(&secret));
    return buf_check(&job->with_secret, "the request with its secret", err);
}

static int prepare(struct fetch_job *job, struct span body, unsigned peer, struct err *err)
{
    struct egress_url url;

    buf_put_span(&job->body, body);
    TRY(egress_get_request(buf_span(&job->body), job->arena, &job->request, err));
    TRY(sender_check(peer, &job->request.endpoint, err));
    TRY(put_secret(job, peer, err));
    TRY(egress_url_parse(job->request.url, "https://", 443, &url, err));
    egress_url_authority(&url, job->job.lane, sizeof(job->job.lane));
    job->job.until_ns = clock_mono_ns() + job->request.timeout_ms * 1000000ULL;
    return fetch_load(err);
}

int fetch_handle(void *ctx, struct ipc_request *request, struct buf *reply UNUSED, struct err *err)
{
    struct exporter *exporter = ctx;
    struct fetch_job *job = mem_new(sizeof(*job));

    *job = (struct fetch_job){.job = {.run = run, .done = done},
                              .exporter = exporter,
                              .ticket = request->ticket,
                              .arena = arena_new(ARENA_MAX),
                              .body = BUF_INIT(IPC_BODY_MAX),
                              .with_secret = BUF_INIT(EGRESS_BODY_MAX + EGRESS_HEADER_MAX),
                              .reply = BUF_INIT(IPC_BODY_MAX)};
    if (prepare(job, request->body, request->peer, err) == 0 &&
        pool_submit(exporter->pool, &job->job, err) == 0)
        return IPC_LATER;
    job_free(job);
    return -1;
}
