/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multipart bodies. The first line of the input is the boundary parameter as it stands in the
 * Content-Type. The result must not depend on how the body is cut, and must be ModSecurity's where
 * both took the body.
 */
#include "waf/body/body_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 15, TYPE_MAX = 200, ARENA_MAX = 1 << 24 };

struct result {
    struct body_list fields; /* files, too: name and filename */
    struct buf file_bytes;
    struct waf_multipart_flags flags;
    int rc;
    struct err err;
};

static void result_init(struct result *result)
{
    body_list_init(&result->fields);
    result->file_bytes = (struct buf)BUF_INIT(ARENA_MAX);
    result->err = (struct err)ERR_INIT;
}

static void result_free(struct result *result)
{
    body_list_free(&result->fields);
    buf_free(&result->file_bytes);
}

static void field(void *ctx, const struct waf_part *part, struct span value)
{
    struct result *result = ctx;

    body_list_add(&result->fields, part->name, value);
}

static void file_data(void *ctx, const struct waf_part *part, struct span bytes)
{
    struct result *result = ctx;

    (void)part;
    buf_put_span(&result->file_bytes, bytes);
}

static void file_end(void *ctx, const struct waf_part *part, uint64_t size)
{
    struct result *result = ctx;

    body_list_add(&result->fields, part->name, part->filename);
    buf_printf(&result->file_bytes, "|%llu|", (unsigned long long)size);
}

static void run(struct span type, struct span body, size_t step, struct result *result)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);
    struct waf_multipart_limits limits = {0};
    struct waf_multipart_sink sink = {field, file_data, file_end, result};
    struct waf_multipart *mp;

    result_init(result);
    result->rc = waf_multipart_start(&mp, type, &limits, &sink, arena, &result->err);
    for (size_t at = 0; at < body.len && result->rc == 0; at += step) {
        size_t len = body.len - at < step ? body.len - at : step;
        result->rc = waf_multipart_feed(mp, span_of(body.p + at, len), &result->err);
    }
    if (result->rc == 0)
        result->rc = waf_multipart_end(mp, &result->err);
    result->flags = waf_multipart_flags(mp);
}

static void put_flags(const struct waf_multipart_flags *f, struct buf *out)
{
    buf_printf(out, "%u%u%u%u%u%u%u%u%u%u%u%u%u", f->strict_error, f->boundary_quoted,
               f->boundary_whitespace, f->data_before, f->data_after, f->header_folding, f->lf_line,
               f->missing_semicolon, f->invalid_quoting, f->invalid_part, f->invalid_header_folding,
               f->crlf_lf_lines, f->unmatched_boundary);
}

static void check_same(const struct result *a, const struct result *b)
{
    INVARIANT(a->rc == b->rc);
    INVARIANT(memcmp(&a->flags, &b->flags, sizeof(a->flags)) == 0);
    INVARIANT(span_eq(buf_span(&a->fields.names), buf_span(&b->fields.names)));
    INVARIANT(span_eq(buf_span(&a->fields.values), buf_span(&b->fields.values)));
    INVARIANT(span_eq(buf_span(&a->file_bytes), buf_span(&b->file_bytes)));
}

/* ModSecurity leaves out line ends inside values; see DIFFERENCES.md. */
static bool has_line_end(const struct buf *hex)
{
    for (size_t i = 0; i + 1 < hex->len;) {
        if (hex->data[i] == '|') {
            i++;
            continue;
        }
        if (memcmp(hex->data + i, "0a", 2) == 0 || memcmp(hex->data + i, "0d", 2) == 0)
            return true;
        i += 2;
    }
    return false;
}

static void check_oracle(const char *type, struct span body, struct result *ours)
{
    static struct oracle *oracle;
    CLEANUP(body_list_free) struct body_list theirs;
    CLEANUP(buf_free) struct buf rest = BUF_INIT(256);
    CLEANUP(buf_free) struct buf flags = BUF_INIT(256);

    if (oracle == NULL)
        oracle = body_oracle_new(
            "", "ARGS_POST_NAMES|FILES_NAMES", "ARGS_POST|FILES",
            "%{REQBODY_ERROR}%{MULTIPART_STRICT_ERROR}%{MULTIPART_BOUNDARY_QUOTED}"
            "%{MULTIPART_BOUNDARY_WHITESPACE}%{MULTIPART_DATA_BEFORE}%{MULTIPART_DATA_AFTER}"
            "%{MULTIPART_HEADER_FOLDING}%{MULTIPART_LF_LINE}%{MULTIPART_MISSING_SEMICOLON}"
            "%{MULTIPART_INVALID_QUOTING}%{MULTIPART_INVALID_PART}"
            "%{MULTIPART_INVALID_HEADER_FOLDING}%{MULTIPART_CRLF_LF_LINES}"
            "%{MULTIPART_UNMATCHED_BOUNDARY}");
    body_list_init(&theirs);
    /* There ModSecurity 3.0.9 reads behind the end of the header. */
    if (strstr(ours->err.msg, "a quote is not closed") != NULL)
        return;
    struct oracle_request request = {
        .method = "POST", .content_type = type, .chunks = &body, .chunk_count = 1};
    body_oracle_run(oracle, &request, &theirs, &rest);
    if (rest.len > 0 && rest.data[0] == '0' && ours->rc < 0) {
        /* It took what we refuse: a part's header twice, and the empty boundary. */
        INVARIANT(strstr(ours->err.msg, "twice") != NULL ||
                  strstr(ours->err.msg, "boundary in the Content-Type is empty") != NULL);
        return;
    }
    if (ours->rc < 0)
        return;
    put_flags(&ours->flags, &flags);
    if (!span_eq_str(buf_span(&flags), buf_text(&rest) + 1) || rest.data[0] != '0') {
        fprintf(stderr, "flags: ours 0%s\nModSecurity %s\n", buf_text(&flags), buf_text(&rest));
        INVARIANT(!"the flags differ");
    }
    if (!has_line_end(&ours->fields.values))
        body_list_compare(&ours->fields, &theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size > INPUT_MAX ? INPUT_MAX : size);
    const uint8_t *line_end = input.len == 0 ? NULL : memchr(input.p, '\n', input.len);
    size_t line = line_end == NULL ? 0 : (size_t)(line_end - input.p);
    char type[TYPE_MAX + 64];
    CLEANUP(result_free) struct result whole = {0};
    CLEANUP(result_free) struct result pieces = {0};

    if (line_end == NULL || line > TYPE_MAX || memchr(input.p, '\0', line) != NULL)
        return 0;
    snprintf(type, sizeof(type), "multipart/form-data%.*s", (int)line, (const char *)input.p);
    struct span body = span_of(line_end + 1, input.len - line - 1);
    run(span_str(type), body, body.len + 1, &whole);
    run(span_str(type), body, 1 + size % 7, &pieces);
    check_same(&whole, &pieces);
    check_oracle(type, body, &whole);
    return 0;
}
