/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a request. nginx forgives what other servers understand otherwise; between two that
 * differ there is room for an attack (request smuggling, RFC 9112 section 11.2; paths that one
 * resolves and the other does not). So what has more than one reading is refused here, and rules,
 * routing and roles all see the one that is left.
 */
#include "gateway/module/edge.h"
#include "gateway/module/path.h"

#include <stdio.h>

static ngx_int_t refuse(ngx_http_request_t *r, const char *message)
{
    /* Where the next request begins is in doubt. */
    r->keepalive = 0;
    return edge_refuse(r, NGX_HTTP_BAD_REQUEST, "bad_request", message, 0);
}

/* ------------------------------------------------------------------ HTTP/1: the bytes of the head
 */

/* METHOD SP TARGET SP VERSION CR LF. The byte behind the line is nginx's to overwrite. */
static bool is_request_line(const ngx_http_request_t *r)
{
    const ngx_str_t *line = &r->request_line;
    size_t blanks = 0;

    if (line->len == 0)
        return false;
    for (size_t i = 0; i < line->len; i++)
        blanks += line->data[i] == ' ';
    return blanks == 2 && (line->data[line->len] == CR || line->data[line->len] == '\0') &&
           line->data[line->len + 1] == LF;
}

/* NAME ":" VALUE CR LF: nginx has written a NUL over the byte behind the name and over that behind
 * the value. */
static const char *field_fault(const ngx_table_elt_t *field)
{
    const u_char *end = field->value.data + field->value.len;

    if (field->value.data == field->key.data + field->key.len)
        return "A header line has no colon";
    if (end[0] != '\0')
        return NULL;
    for (end++; *end == ' '; end++)
        ;
    if (*end == CR)
        end++;
    return *end == LF ? NULL : "A header line does not end with CR LF";
}

static const char *head_fault(const ngx_http_request_t *r)
{
    const u_char *end = r->header_in->pos;

    if (!is_request_line(r))
        return "The request line is not METHOD TARGET VERSION with one blank between them and CR LF "
               "behind";
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *fields = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            const char *fault = field_fault(&fields[i]);
            if (fault != NULL)
                return fault;
        }
    }
    if (end - r->header_in->start >= 2 && (end[-1] != LF || end[-2] != CR))
        return "The headers do not end with CR LF";
    return NULL;
}

/* The authority of an absolute target counts; another one beside it is a trap. */
static bool is_authority_doubtful(const ngx_http_request_t *r)
{
    const ngx_table_elt_t *host = r->headers_in.host;
    size_t len = (size_t)(r->host_end - r->host_start);

    if (r->host_start == NULL || r->host_end == NULL || host == NULL)
        return false;
    return host->value.len < len || ngx_strncasecmp(host->value.data, r->host_start, len) != 0 ||
           (host->value.len > len && host->value.data[len] != ':');
}

/* ------------------------------------------------------------------ headers */

/* Looked up for every header of every request, so the lengths are known beforehand. */
struct name {
    const char *text; /* in lower case */
    size_t len;
};
#define NAME(text)                                                                                 \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static bool has_name(const ngx_table_elt_t *field, const struct name *name)
{
    return field->key.len == name->len && memcmp(field->lowcase_key, name->text, name->len) == 0;
}

static bool is(const ngx_str_t *text, const char *wanted)
{
    return text->len == strlen(wanted) &&
           ngx_strncasecmp(text->data, (u_char *)(uintptr_t)wanted, text->len) == 0;
}

/* Those of which one reader takes the first and another the last. */
enum { ENCODING, UPGRADE, TE };
static const struct name single[] = {
    [ENCODING] = NAME("content-encoding"),
    [UPGRADE] = NAME("upgrade"),
    [TE] = NAME("te"),
    NAME("authorization"),
    NAME("content-length"),
    NAME("content-type"),
    NAME("dpop"),
    NAME("expect"),
    NAME("host"),
    NAME("origin"),
    NAME("transfer-encoding"),
    NAME("range"),
    NAME("x-request-id"),
    NAME("if-match"),
    NAME("if-none-match"),
    NAME("forwarded"),
};

/* Of one connection, not of a request (RFC 9113 section 8.2.2). */
static const struct name hop_by_hop[] = {NAME("connection"), NAME("keep-alive"),
                                         NAME("proxy-connection"), NAME("transfer-encoding"),
                                         NAME("upgrade")};

struct met {
    const ngx_str_t *value[ARRAY_LEN(single)]; /* NULL: not there */
};

static const char *complain(const ngx_table_elt_t *field, const char *of_what)
{
    static char message[96];

    snprintf(message, sizeof(message), "The header %.*s %s", (int)field->key.len,
             (const char *)field->key.data, of_what);
    return message;
}

static const char *note_field(const ngx_http_request_t *r, const ngx_table_elt_t *field,
                              struct met *met)
{
    for (size_t i = 0; r->http_version == NGX_HTTP_VERSION_20 && i < ARRAY_LEN(hop_by_hop); i++)
        if (has_name(field, &hop_by_hop[i]))
            return complain(field, "has no meaning in HTTP/2");
    for (size_t i = 0; i < ARRAY_LEN(single); i++) {
        if (!has_name(field, &single[i]))
            continue;
        if (met->value[i] != NULL)
            return complain(field, "is there twice");
        met->value[i] = &field->value;
        break;
    }
    return NULL;
}

static const char *note_fields(const ngx_http_request_t *r, struct met *met)
{
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *fields = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            const char *fault = note_field(r, &fields[i], met);
            if (fault != NULL)
                return fault;
        }
    }
    if (r->http_version == NGX_HTTP_VERSION_20 && met->value[TE] != NULL &&
        !is(met->value[TE], "trailers"))
        return "In HTTP/2 the header TE may only say trailers";
    return NULL;
}

static bool mentions(const ngx_str_t *value, const char *word)
{
    return value != NULL && ngx_strlcasestrn(value->data, value->data + value->len,
                                             (u_char *)(uintptr_t)word, strlen(word) - 1) != NULL;
}

/* ------------------------------------------------------------------ the path */

static struct span path_of(const ngx_http_request_t *r)
{
    struct span path = gw_span(r->unparsed_uri);
    const uint8_t *query = path.len == 0 ? NULL : memchr(path.p, '?', path.len);

    if (query != NULL)
        path.len = (size_t)(query - path.p);
    return path;
}

/* ------------------------------------------------------------------ the host */

/* A client that speaks to one host and asks for another was misled, or has one connection for
 * two (RFC 9110 section 15.5.20). Without a server name (an address in the URL) there is nothing to
 * compare. */
static bool is_misdirected(const ngx_http_request_t *r)
{
    const char *name =
        r->connection->ssl == NULL
            ? NULL
            : SSL_get_servername(r->connection->ssl->connection, TLSEXT_NAMETYPE_host_name);
    ngx_str_t host = r->headers_in.server;

    if (name == NULL || host.len == 0)
        return false;
    size_t len = strlen(name);
    if (len > 0 && name[len - 1] == '.')
        len--;
    return len != host.len || ngx_strncasecmp(host.data, (u_char *)(uintptr_t)name, len) != 0;
}

/* ------------------------------------------------------------------ all of it */

ngx_int_t edge_hygiene(ngx_http_request_t *r)
{
    struct met met = {0};
    const char *fault = NULL;

    if (r->http_version < NGX_HTTP_VERSION_10)
        return NGX_HTTP_CLOSE; /* HTTP/0.9 has no way to say why */
    if (r->http_version < NGX_HTTP_VERSION_20)
        fault = head_fault(r);
    if (fault == NULL && r->http_version < NGX_HTTP_VERSION_20 && is_authority_doubtful(r))
        fault = "The request line names another host than the header Host";
    if (fault == NULL)
        fault = note_fields(r, &met);
    if (fault == NULL)
        fault = edge_path_fault(path_of(r));
    if (fault == NULL && mentions(met.value[UPGRADE], "websocket"))
        fault = "Nothing here speaks WebSocket; streams are server-sent events";
    if (fault != NULL)
        return refuse(r, fault);
    const ngx_str_t *encoding = met.value[ENCODING];
    if (encoding != NULL && encoding->len > 0 && !is(encoding, "identity"))
        return edge_refuse(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type",
                           "Compressed request bodies are not taken; send it without "
                           "Content-Encoding",
                           0);
    /* nginx reads past what others would not in the frame of a chunk (an extension that ends with
     * LF alone), so nothing behind such a body is taken for another request. */
    if (r->headers_in.chunked && r->http_version < NGX_HTTP_VERSION_20)
        r->keepalive = 0;
    if (is_misdirected(r))
        return edge_refuse(r, NGX_HTTP_MISDIRECTED_REQUEST, "misdirected_request",
                           "The host of the request is not the one of its connection", 0);
    return NGX_DECLINED;
}
