/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU time of one request through OWASP CRS, ours and libmodsecurity3's, in this process:
 *   waf_bench RULES.conf...
 * A GET and JSON POSTs of 1 and 8 KB, as clients of the OpenAI API send them: prose, no attack.
 */
#include "waf/oracle/requests.h"

#include "base/clock.h"
#include "base/mem.h"
#include "snapshot/snapshot.h"

#include <stdio.h>

enum { SOURCES_MAX = 256, SLICES = 5, SLICE_NS = 200000000, BODY_MAX = 16 * 1024 };

static uint64_t cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

struct subject {
    struct waf_tx *tx;
    struct reference *reference;
    const struct request *request;
    struct buf *ids;
};

static void run_ours(const struct subject *subject)
{
    request_run(subject->tx, subject->request);
}

static void run_reference(const struct subject *subject)
{
    buf_reset(subject->ids);
    (void)reference_run(subject->reference, subject->request, subject->ids);
}

/* The best of five slices, in nanoseconds a request. */
static double measure(void (*run)(const struct subject *subject), const struct subject *subject)
{
    double best = 1e18;

    for (int i = 0; i < SLICES; i++) {
        uint64_t start = cpu_ns();
        uint64_t now = start;
        uint64_t count = 0;
        for (; now - start < SLICE_NS; now = cpu_ns(), count++)
            run(subject);
        double each = (double)(now - start) / (double)count;
        best = each < best ? each : best;
    }
    return best;
}

static void put_chat(struct buf *out, size_t size)
{
    static const char *const prose[] = {
        "Please summarise the minutes of our last meeting for the people who could not be there.",
        "The team agreed to move the release by a week, because two reviews are still open.",
        "Anna asked whether the new storage has room for the logs; Peter will check on Monday.",
        "Write it in three short paragraphs, in a friendly tone, and end with the open questions.",
    };

    buf_put_str(out, "{\"model\":\"llama-3.1-8b-instruct\",\"temperature\":0.7,\"max_tokens\":256,"
                     "\"stream\":true,\"messages\":[{\"role\":\"system\",\"content\":\"You are a "
                     "helpful assistant.\"}");
    for (size_t i = 0; out->len + 200 < size; i++)
        buf_printf(out, ",{\"role\":\"%s\",\"content\":\"%s\"}", i % 2 == 0 ? "user" : "assistant",
                   prose[i % ARRAY_LEN(prose)]);
    buf_put_str(out, ",{\"role\":\"user\",\"content\":\"");
    while (out->len + 4 < size)
        buf_put_str(out, "a bc d");
    buf_put_str(out, "\"}]}");
}

static void add_header(struct request *request, const char *name, const char *value)
{
    request->headers[request->header_count++] =
        (struct request_header){span_str(name), span_str(value)};
}

static void make_request(struct request *request, const char *method, const char *uri,
                         struct span body, char *length, size_t length_size)
{
    *request = (struct request){.method = span_str(method),
                                .uri = span_str(uri),
                                .protocol = span_str("HTTP/1.1"),
                                .body = body,
                                .status = 200};
    add_header(request, "Host", "models.example.com");
    add_header(request, "User-Agent", "OpenAI/Python 1.54.3");
    add_header(request, "Accept", "application/json");
    add_header(request, "Authorization", "Bearer sk-0123456789abcdef0123456789abcdef");
    if (body.len > 0) {
        snprintf(length, length_size, "%zu", body.len);
        add_header(request, "Content-Type", "application/json");
        add_header(request, "Content-Length", length);
    }
}

static void compare(const char *what, struct subject *subject)
{
    double ours = measure(run_ours, subject);
    double theirs = subject->reference != NULL ? measure(run_reference, subject) : 0;
    size_t hits;

    (void)waf_tx_hits(subject->tx, &hits);
    printf("%-24s %9.1f us %9.1f us   ratio %6.1f   (%zu hits)\n", what, ours / 1e3, theirs / 1e3,
           theirs / ours, hits);
    fflush(stdout);
}

static struct waf_engine *load(char **files, size_t count, struct snapshot **image)
{
    struct waf_source sources[SOURCES_MAX];
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(WAF_IMAGE_MAX);
    struct waf_engine *engine;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < count && i < SOURCES_MAX; i++)
        sources[i] = (struct waf_source){.path = files[i]};
    uint64_t start = clock_mono_ns();
    if (waf_compile(sources, count, NULL, &bytes, &err) < 0 ||
        snapshot_from_bytes(&waf_snapshot, buf_span(&bytes), image, &err) < 0 ||
        waf_engine_new(*image, NULL, &engine, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    printf("%u rules, image of %zu KiB, compiled in %.1f s\n", waf_rule_count(*image),
           bytes.len / 1024, (double)(clock_mono_ns() - start) / 1e9);
    return engine;
}

int main(int argc, char **argv)
{
    CLEANUP(buf_free) struct buf ids = BUF_INIT(BODY_MAX);
    CLEANUP(buf_free) struct buf small = BUF_INIT(BODY_MAX);
    CLEANUP(buf_free) struct buf large = BUF_INIT(BODY_MAX);
    struct snapshot *image;
    struct waf_engine *engine = load(argv + 1, (size_t)argc - 1, &image);
    struct request request;
    struct subject subject = {.tx = waf_tx_new(engine), .request = &request, .ids = &ids};
    char length[24];

    if (getenv("WAF_BENCH_OURS") == NULL)
        subject.reference = reference_new((const char *const *)argv + 1, (size_t)argc - 1);
    put_chat(&small, 1024);
    put_chat(&large, 8192);
    printf("%-24s %12s %12s\n", "", "drun", "libmodsecurity");
    make_request(&request, "GET", "/v1/models?limit=20&after=llama", span_str(""), length,
                 sizeof(length));
    compare("GET", &subject);
    make_request(&request, "POST", "/v1/chat/completions", buf_span(&small), length,
                 sizeof(length));
    compare("POST JSON, 1 KB", &subject);
    make_request(&request, "POST", "/v1/chat/completions", buf_span(&large), length,
                 sizeof(length));
    compare("POST JSON, 8 KB", &subject);
    waf_tx_free(subject.tx);
    waf_engine_free(engine);
    snapshot_free(image);
    reference_free(subject.reference);
    return 0;
}
