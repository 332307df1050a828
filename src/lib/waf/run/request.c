/* SPDX-License-Identifier: Apache-2.0 */
/* The request line and the headers. */
#include "waf/run/run.h"

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX; what is none stays. */
static struct span decode(struct waf_tx *tx, struct span text)
{
    char *out;
    size_t len = 0;

    if (text.len == 0 || memchr(text.p, '%', text.len) == NULL)
        return text;
    out = tx_alloc(tx, text.len + 1);
    if (out == NULL)
        return text;
    for (size_t i = 0; i < text.len; i++) {
        int high = text.p[i] == '%' && i + 2 < text.len ? hex(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex(text.p[i + 2]) : -1;
        out[len++] = low >= 0 ? (char)(high << 4 | low) : (char)text.p[i];
        i += low >= 0 ? 2 : 0;
    }
    return span_of(out, len);
}

/* "http://host/path" is "/path". */
static struct span without_host(struct span uri)
{
    const uint8_t *colon;

    if (uri.len == 0 || uri.p[0] == '/')
        return uri;
    colon = memchr(uri.p, ':', uri.len);
    if (colon == NULL)
        return uri;
    size_t at = (size_t)(colon - uri.p) + 1;
    if (at + 2 > uri.len || memcmp(uri.p + at, "//", 2) != 0)
        return uri;
    const uint8_t *slash = memchr(uri.p + at + 2, '/', uri.len - at - 2);
    if (slash == NULL)
        return uri;
    return span_of(slash, uri.len - (size_t)(slash - uri.p));
}

static struct span basename_of(struct span path)
{
    size_t at = path.len;

    while (at > 0 && path.p[at - 1] != '/' && path.p[at - 1] != '\\')
        at--;
    return at > 0 ? span_of(path.p + at, path.len - at) : span_str("");
}

static bool on_query_argument(void *ctx, const struct waf_pair *pair)
{
    tx_add_argument(ctx, true, pair->name, pair->value);
    return true;
}

static void set_query(struct waf_tx *tx, struct span query)
{
    struct waf_pair_sink sink = {.pair = on_query_argument, .ctx = tx};
    struct waf_urlencoded flags = {0};
    struct err err = ERR_INIT;

    list_set(tx, VAR_QUERY_STRING, query);
    if (query.len == 0)
        return;
    if (waf_urlencoded_parse(query, (char)tx->engine->head->argument_separator, &sink, tx->arena,
                             &flags, &err) < 0)
        tx->events |= WAF_EVENT_MEMORY_LIMIT;
    if (flags.invalid_encoding)
        list_set(tx, VAR_URLENCODED_ERROR, span_str("1"));
}

static void set_line(struct waf_tx *tx, struct span method, struct span uri, struct span protocol)
{
    struct span parts[] = {method, span_str(" "), uri, span_str(" "), protocol};
    char *line = tx_alloc(tx, method.len + uri.len + protocol.len + 3);
    size_t len = 0;

    if (line == NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].len > 0)
            memcpy(line + len, parts[i].p, parts[i].len);
        len += parts[i].len;
    }
    list_set(tx, VAR_REQUEST_LINE, span_of(line, len));
}

void waf_tx_uri(struct waf_tx *tx, struct span method, struct span uri, struct span protocol)
{
    method = tx_copy(tx, method);
    uri = tx_copy(tx, uri);
    protocol = tx_copy(tx, protocol);
    const uint8_t *mark = uri.len > 0 ? memchr(uri.p, '?', uri.len) : NULL;
    size_t path_len = mark != NULL ? (size_t)(mark - uri.p) : uri.len;
    struct span path = decode(tx, span_of(uri.p, path_len));

    list_set(tx, VAR_REQUEST_METHOD, method);
    list_set(tx, VAR_REQUEST_PROTOCOL, protocol);
    list_set(tx, VAR_REQUEST_URI_RAW, uri);
    list_set(tx, VAR_REQUEST_URI, without_host(decode(tx, uri)));
    list_set(tx, VAR_REQUEST_FILENAME, path);
    list_set(tx, VAR_PATH_INFO, path);
    list_set(tx, VAR_REQUEST_BASENAME, basename_of(path));
    set_line(tx, method, uri, protocol);
    if (mark != NULL)
        set_query(tx, span_of(mark + 1, uri.len - path_len - 1));
}

/* ------------------------------------------------------------------ headers */

static struct span up_to(struct span text, char end)
{
    const uint8_t *p = text.len > 0 ? memchr(text.p, end, text.len) : NULL;

    return p != NULL ? span_of(text.p, (size_t)(p - text.p)) : text;
}

static bool on_cookie(void *ctx, const struct waf_pair *pair)
{
    struct waf_tx *tx = ctx;

    (void)list_add(tx, VAR_REQUEST_COOKIES, pair->name, pair->value);
    (void)list_add(tx, VAR_REQUEST_COOKIES_NAMES, pair->name, pair->name);
    return true;
}

static bool begins_nocase(struct span text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && span_eq_nocase(span_of(text.p, len), span_of(prefix, len));
}

static void set_content_type(struct waf_tx *tx, struct span value)
{
    tx->content_type = value;
    if (begins_nocase(value, "multipart/form-data")) {
        tx->processor = PROCESS_MULTIPART;
        list_set(tx, VAR_REQBODY_PROCESSOR, span_str("MULTIPART"));
    }
    if (begins_nocase(value, "application/x-www-form-urlencoded")) {
        tx->processor = PROCESS_URLENCODED;
        list_set(tx, VAR_REQBODY_PROCESSOR, span_str("URLENCODED"));
    }
}

void waf_tx_request_header(struct waf_tx *tx, struct span name, struct span value)
{
    struct waf_pair_sink cookies = {.pair = on_cookie, .ctx = tx};

    name = tx_copy(tx, name);
    value = tx_copy(tx, value);
    (void)list_add(tx, VAR_REQUEST_HEADERS, name, value);
    (void)list_add(tx, VAR_REQUEST_HEADERS_NAMES, name, name);
    if (span_eq_word(name, "authorization"))
        list_set(tx, VAR_AUTH_TYPE, up_to(value, ' '));
    else if (span_eq_word(name, "cookie"))
        waf_cookies_parse(value, &cookies);
    else if (span_eq_word(name, "content-type"))
        set_content_type(tx, value);
    else if (span_eq_word(name, "host"))
        list_set(tx, VAR_SERVER_NAME, up_to(value, ':'));
}

const struct waf_verdict *waf_tx_request_headers_end(struct waf_tx *tx)
{
    list_set_number(tx, VAR_ARGS_COMBINED_SIZE, (int64_t)tx->args_size);
    return run_phase(tx, 1);
}
