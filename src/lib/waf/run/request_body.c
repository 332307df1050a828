/* SPDX-License-Identifier: Apache-2.0 */
/* From the bytes of a request's body to its variables. */
#include "waf/run/run.h"

static bool on_argument(void *ctx, const struct waf_pair *pair)
{
    tx_add_argument(ctx, false, pair->name, pair->value);
    return true;
}

static void body_error(struct waf_tx *tx, const char *what, const struct err *err)
{
    size_t len = strlen(what) + strlen(err->msg) + sizeof(" parsing error: ");
    char *text = tx_alloc(tx, len);

    list_set(tx, VAR_REQBODY_ERROR, span_str("1"));
    list_set(tx, VAR_REQBODY_PROCESSOR_ERROR, span_str("1"));
    if (text == NULL)
        return;
    snprintf(text, len, "%s parsing error: %s", what, err->msg);
    list_set(tx, VAR_REQBODY_ERROR_MSG, span_str(text));
    list_set(tx, VAR_REQBODY_PROCESSOR_ERROR_MSG, span_str(text));
}

static void process_urlencoded(struct waf_tx *tx, struct span body)
{
    struct waf_pair_sink sink = {.pair = on_argument, .ctx = tx};
    struct waf_urlencoded flags = {0};
    struct err err = ERR_INIT;

    if (waf_urlencoded_parse(body, (char)tx->engine->head->argument_separator, &sink, tx->arena,
                             &flags, &err) < 0)
        tx->events |= WAF_EVENT_MEMORY_LIMIT;
    if (flags.invalid_encoding)
        list_set(tx, VAR_URLENCODED_ERROR, span_str("1"));
}

static void process_json(struct waf_tx *tx, struct span body)
{
    struct waf_json_limits limits = {.depth_max = (unsigned)tx->engine->head->json_depth_limit};
    struct waf_pair_sink sink = {.pair = on_argument, .ctx = tx};
    struct err err = ERR_INIT;

    if (body.len > 0 && waf_json_parse(body, &limits, &sink, tx->arena, &err) < 0)
        body_error(tx, "JSON", &err);
}

static void process_xml(struct waf_tx *tx, struct span body)
{
    struct err err = ERR_INIT;

    tx->xml = waf_xml_new();
    tx->op.xml = tx->xml;
    if (waf_xml_feed(tx->xml, body, &err) < 0 || waf_xml_end(tx->xml, &err) < 0)
        body_error(tx, "XML", &err);
}

/* ------------------------------------------------------------------ multipart */

/* What a part gave, kept until the whole body has turned out to be good. */
struct part {
    const struct waf_part *part;
    struct span value; /* of a field; a file's content, where a rule asks for it */
    uint64_t size;     /* of a file */
};

struct parts {
    struct waf_tx *tx;
    struct part *items;
    size_t count;
    size_t cap;
    const struct waf_part *current; /* the file whose bytes came last */
    struct buf content;             /* of that file */
};

static struct part *add_part(struct parts *parts, const struct waf_part *part)
{
    if (!tx_grow(parts->tx, &parts->items, parts->count, &parts->cap, sizeof(*parts->items)))
        return NULL;
    parts->items[parts->count] = (struct part){.part = part};
    return &parts->items[parts->count++];
}

static void on_field(void *ctx, const struct waf_part *part, struct span value)
{
    struct part *kept = add_part(ctx, part);

    if (kept != NULL)
        kept->value = value;
}

static void on_file_data(void *ctx, const struct waf_part *part, struct span bytes)
{
    struct parts *parts = ctx;

    if (parts->current != part)
        buf_reset(&parts->content);
    parts->current = part;
    if (parts->tx->engine->uses[VAR_FILES_TMP_CONTENT])
        buf_put_span(&parts->content, bytes);
}

static void on_file_end(void *ctx, const struct waf_part *part, uint64_t size)
{
    struct parts *parts = ctx;
    struct part *kept = add_part(parts, part);

    if (kept == NULL)
        return;
    kept->size = size;
    if (parts->current == part)
        kept->value = tx_copy(parts->tx, buf_span(&parts->content));
}

static void set_flags(struct waf_tx *tx, const struct waf_multipart *mp)
{
    struct waf_multipart_flags flags = waf_multipart_flags(mp);
    const struct {
        enum waf_var var;
        uint8_t value;
    } all[] = {
        {VAR_MULTIPART_STRICT_ERROR, flags.strict_error},
        {VAR_MULTIPART_BOUNDARY_QUOTED, flags.boundary_quoted},
        {VAR_MULTIPART_BOUNDARY_WHITESPACE, flags.boundary_whitespace},
        {VAR_MULTIPART_DATA_BEFORE, flags.data_before},
        {VAR_MULTIPART_DATA_AFTER, flags.data_after},
        {VAR_MULTIPART_HEADER_FOLDING, flags.header_folding},
        {VAR_MULTIPART_LF_LINE, flags.lf_line},
        {VAR_MULTIPART_MISSING_SEMICOLON, flags.missing_semicolon},
        {VAR_MULTIPART_INVALID_QUOTING, flags.invalid_quoting},
        {VAR_MULTIPART_INVALID_PART, flags.invalid_part},
        {VAR_MULTIPART_INVALID_HEADER_FOLDING, flags.invalid_header_folding},
        {VAR_MULTIPART_FILE_LIMIT_EXCEEDED, flags.file_limit_exceeded},
        {VAR_MULTIPART_CRLF_LF_LINES, flags.crlf_lf_lines},
        {VAR_MULTIPART_UNMATCHED_BOUNDARY, flags.unmatched_boundary},
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        list_set_number(tx, all[i].var, all[i].value);
    if (waf_multipart_last_name(mp).len > 0)
        list_set(tx, VAR_MULTIPART_NAME, waf_multipart_last_name(mp));
    if (waf_multipart_last_filename(mp).len > 0)
        list_set(tx, VAR_MULTIPART_FILENAME, waf_multipart_last_filename(mp));
}

static void show_part(struct waf_tx *tx, const struct part *kept)
{
    const struct waf_part *part = kept->part;

    for (size_t i = 0; i < part->header_count; i++)
        (void)list_add(tx, VAR_MULTIPART_PART_HEADERS, part->name, part->headers[i]);
    if (!part->is_file) {
        tx_add_argument(tx, false, part->name, kept->value);
        return;
    }
    (void)list_add(tx, VAR_FILES, part->name, part->filename);
    (void)list_add(tx, VAR_FILES_NAMES, part->name, part->name);
    (void)list_add(tx, VAR_FILES_SIZES, part->name, tx_number(tx, (int64_t)kept->size));
    if (tx->engine->uses[VAR_FILES_TMP_CONTENT] && kept->value.p != NULL)
        (void)list_add(tx, VAR_FILES_TMP_CONTENT, part->name, kept->value);
    tx->files_size += kept->size;
}

static void process_multipart(struct waf_tx *tx, struct span body)
{
    const struct image_head *head = tx->engine->head;
    struct waf_multipart_limits limits = {.files_max = (unsigned)head->upload_file_limit,
                                          .no_files_max = head->request_no_files_limit};
    struct parts parts = {.tx = tx, .content = BUF_INIT(body.len + 1)};
    struct waf_multipart_sink sink = {
        .field = on_field, .file_data = on_file_data, .file_end = on_file_end, .ctx = &parts};
    struct waf_multipart *mp = NULL;
    struct err err = ERR_INIT;

    int result = waf_multipart_start(&mp, tx->content_type, &limits, &sink, tx->arena, &err);
    if (result == 0)
        result = waf_multipart_feed(mp, body, &err);
    if (result == 0)
        result = waf_multipart_end(mp, &err);
    if (mp != NULL)
        set_flags(tx, mp);
    if (result < 0)
        body_error(tx, "Multipart", &err);
    for (size_t i = 0; result == 0 && i < parts.count; i++)
        show_part(tx, &parts.items[i]);
    list_set_number(tx, VAR_FILES_COMBINED_SIZE, (int64_t)tx->files_size);
    buf_free(&parts.content);
}

/* ------------------------------------------------------------------ all of it */

static void set_full_request(struct waf_tx *tx, struct span body)
{
    const struct list *headers = &tx->lists[VAR_REQUEST_HEADERS];
    size_t size = body.len + 3;
    size_t len = 0;

    if (!tx->engine->uses[VAR_FULL_REQUEST] && !tx->engine->uses[VAR_FULL_REQUEST_LENGTH])
        return;
    for (uint32_t i = 0; i < headers->count; i++)
        size += headers->items[i]->key.len + headers->items[i]->text.len + 3;
    char *text = tx_alloc(tx, size);
    if (text == NULL)
        return;
    for (uint32_t i = 0; i < headers->count; i++)
        len +=
            (size_t)snprintf(text + len, size - len, "%.*s: %.*s\n",
                             SPAN_ARG(headers->items[i]->key), SPAN_ARG(headers->items[i]->text));
    len += (size_t)snprintf(text + len, size - len, "\n\n");
    if (body.len > 0)
        memcpy(text + len, body.p, body.len);
    list_set(tx, VAR_FULL_REQUEST, span_of(text, len + body.len));
    list_set_number(tx, VAR_FULL_REQUEST_LENGTH, (int64_t)(len + body.len));
}

void process_request_body(struct waf_tx *tx)
{
    struct span body = buf_span(&tx->request_body);

    list_set_number(tx, VAR_REQBODY_ERROR, 0);
    list_set_number(tx, VAR_REQBODY_PROCESSOR_ERROR, 0);
    if ((tx->events & WAF_EVENT_REQUEST_BODY) == 0)
        list_set_number(tx, VAR_INBOUND_DATA_ERROR, 0);
    if (!tx->request_access)
        return;
    switch (tx->processor) {
    case PROCESS_URLENCODED: process_urlencoded(tx, body); break;
    case PROCESS_MULTIPART: process_multipart(tx, body); break;
    case PROCESS_JSON: process_json(tx, body); break;
    case PROCESS_XML: process_xml(tx, body); break;
    case PROCESS_NONE: break;
    }
    list_set_number(tx, VAR_ARGS_COMBINED_SIZE, (int64_t)tx->args_size);
    set_full_request(tx, body);
    if (body.len == 0)
        return;
    list_set(tx, VAR_REQUEST_BODY, body);
    list_set_number(tx, VAR_REQUEST_BODY_LENGTH, (int64_t)body.len);
}
