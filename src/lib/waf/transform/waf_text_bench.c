/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU time of transformations and of multipart bodies, ours and libmodsecurity's, in this process.
 * ModSecurity's part is a difference of two whole requests: for a transformation, of requests with
 * RULES rules that use it and with as many that use none; for a body, of one as multipart/form-data
 * and as application/octet-stream.
 */
#include "waf/body/body.h"
#include "waf/oracle/oracle.h"
#include "waf/transform/transform.h"

#include "base/clock.h"
#include "base/mem.h"

enum { RULES = 64, VALUE = 1024, SLICES = 5, SLICE_NS = 100000000, ROOM = 1 << 22 };

static uint64_t cpu_ns(void)
{
    struct timespec ts;

    INVARIANT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* Nanoseconds a call, the best of some slices. */
static double measure(void (*run)(void *ctx), void *ctx)
{
    double best = 1e18;

    for (int i = 0; i < SLICES; i++) {
        uint64_t start = cpu_ns();
        uint64_t now = start;
        uint64_t count = 0;
        for (; now - start < SLICE_NS; now = cpu_ns())
            for (int k = 0; k < 32; k++, count++)
                run(ctx);
        double each = (double)(now - start) / (double)count;
        best = each < best ? each : best;
    }
    return best;
}

/* ------------------------------------------------------------------ ModSecurity */

struct theirs {
    struct oracle *oracle;
    struct oracle_request request;
    struct buf out;
};

static void run_theirs(void *ctx)
{
    struct theirs *theirs = ctx;

    buf_reset(&theirs->out);
    oracle_run(theirs->oracle, &theirs->request, &theirs->out);
}

static double time_theirs(const char *rules, const struct oracle_request *request)
{
    struct theirs theirs = {oracle_new(rules), *request, BUF_INIT(ROOM)};
    double ns = measure(run_theirs, &theirs);

    oracle_free(theirs.oracle);
    buf_free(&theirs.out);
    return ns;
}

static double time_rules(const char *name, struct span value)
{
    CLEANUP(buf_free) struct buf rules = BUF_INIT(1 << 16);
    struct oracle_request request = {.value = value};

    buf_put_str(&rules, "SecRuleEngine On\n");
    for (int i = 1; i <= RULES; i++)
        buf_printf(
            &rules,
            "SecRule REQUEST_HEADERS:X-Value \"@noMatch\" \"id:%d,phase:1,pass,nolog,t:%s\"\n", i,
            name);
    return time_theirs(buf_text(&rules), &request);
}

/* ------------------------------------------------------------------ transformations */

struct ours {
    enum waf_transform kind;
    struct span value;
    struct arena *arena;
};

static void run_ours(void *ctx)
{
    struct ours *ours = ctx;
    struct span out;

    arena_reset(ours->arena);
    waf_transform_run(ours->kind, ours->value, NULL, ours->arena, &out);
}

static void compare(enum waf_transform kind, const char *what, struct span value, double base)
{
    struct ours ours = {kind, value, arena_new(ROOM)};
    const char *name = waf_transform_name(kind);
    double here = measure(run_ours, &ours);
    double there = (time_rules(name, value) - base) / RULES;

    printf("%-20s %-8s %10.0f %14.0f %8.1f\n", name, what, here, there, there / here);
    arena_free(ours.arena);
}

static void fill(struct buf *out, const char *text)
{
    while (out->len + strlen(text) <= VALUE)
        buf_put_str(out, text);
}

static void transformations(void)
{
    static const enum waf_transform kinds[] = {
        WAF_T_LOWERCASE,         WAF_T_URL_DECODE_UNI, WAF_T_HTML_ENTITY_DECODE,
        WAF_T_JS_DECODE,         WAF_T_CSS_DECODE,     WAF_T_COMPRESS_WHITESPACE,
        WAF_T_REMOVE_WHITESPACE, WAF_T_REMOVE_NULLS,   WAF_T_REPLACE_COMMENTS,
        WAF_T_CMD_LINE,          WAF_T_NORMALISE_PATH, WAF_T_UTF8_TO_UNICODE,
        WAF_T_BASE64_DECODE_EXT,
    };
    CLEANUP(buf_free) struct buf plain = BUF_INIT(ROOM);
    CLEANUP(buf_free) struct buf odd = BUF_INIT(ROOM);

    fill(&plain, "please summarise the minutes of our last meeting, ");
    fill(&odd, "%3Cscript%3E &lt;b&gt; \\u0041\\x41  /*c*/ ../x/./y \xC3\xA4 ABC ^\"q\" ");
    double base_plain = time_rules("none", buf_span(&plain));
    double base_odd = time_rules("none", buf_span(&odd));
    printf("1 KB, ns                     %10s %14s %8s\n", "drun", "libmodsecurity", "ratio");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        compare(kinds[i], "plain", buf_span(&plain), base_plain);
        compare(kinds[i], "encoded", buf_span(&odd), base_odd);
    }
}

/* ------------------------------------------------------------------ multipart */

struct body {
    struct span text;
    struct arena *arena;
    uint64_t seen;
};

static void see_data(void *ctx, const struct waf_part *part, struct span bytes)
{
    struct body *body = ctx;

    (void)part;
    body->seen += bytes.len;
}

static void run_multipart(void *ctx)
{
    struct body *body = ctx;
    struct waf_multipart_limits limits = {0};
    struct waf_multipart_sink sink = {.file_data = see_data, .ctx = body};
    struct waf_multipart *mp;
    struct err err = ERR_INIT;

    arena_reset(body->arena);
    INVARIANT(waf_multipart_start(&mp, span_str("multipart/form-data; boundary=B"), &limits, &sink,
                                  body->arena, &err) == 0);
    INVARIANT(waf_multipart_feed(mp, body->text, &err) == 0);
    INVARIANT(waf_multipart_end(mp, &err) == 0);
}

static void multipart(const char *what, const struct buf *text)
{
    static const char rules[] = "SecRuleEngine On\nSecRequestBodyAccess On\n";
    struct body body = {buf_span(text), arena_new(ROOM), 0};
    struct oracle_request request = {.method = "POST",
                                     .content_type = "application/octet-stream",
                                     .chunks = &body.text,
                                     .chunk_count = 1};
    double here = measure(run_multipart, &body);
    double base = time_theirs(rules, &request);

    request.content_type = "multipart/form-data; boundary=B";
    double there = time_theirs(rules, &request) - base;
    printf("multipart, %-17s %10.0f %14.0f %8.1f\n", what, here, there, there / here);
    arena_free(body.arena);
}

static void put_part(struct buf *out, const char *disposition)
{
    buf_printf(out, "--B\r\nContent-Disposition: form-data; %s\r\n\r\n", disposition);
}

static void multiparts(void)
{
    CLEANUP(buf_free) struct buf form = BUF_INIT(ROOM);
    CLEANUP(buf_free) struct buf file = BUF_INIT(ROOM);

    for (int i = 0; i < 10; i++) {
        put_part(&form, "name=\"field\"");
        buf_put_str(&form, "a short value\r\n");
    }
    buf_put_str(&form, "--B--\r\n");
    put_part(&file, "name=\"f\"; filename=\"x.txt\"");
    for (int i = 0; i < 1024; i++)
        buf_put_str(&file, "a line of a text file that somebody uploads - 63 characters.\r\n");
    buf_put_str(&file, "\r\n--B--\r\n");
    multipart("10 fields", &form);
    multipart("64 KB text file", &file);
}

int main(void)
{
    transformations();
    multiparts();
    return 0;
}
