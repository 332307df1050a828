/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/wire.h"

enum { PRIVATE_NETWORK = 1, HAS_SEARCH = 2, HAS_SECRET = 4, NAME_MAX_LEN = 253 };

/* ------------------------------------------------------------------ rules of both sides */

/* Printable ASCII; what else stands in a URL, a header or a name could end it. */
static bool is_plain(struct span text, bool blanks)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] < (blanks ? ' ' : '!') || text.p[i] > '~')
            return false;
    return true;
}

static int check_text(const char *what, struct span text, size_t max, bool blanks, struct err *err)
{
    if (text.len == 0)
        return err_set(err, ERR_INVALID, "%s is missing", what);
    if (text.len > max)
        return err_set(err, ERR_TOO_LARGE, "%s of %zu bytes is longer than %zu", what, text.len,
                       max);
    if (!is_plain(text, blanks))
        return err_set(err, ERR_INVALID, "%s has a character that must not be in it", what);
    return 0;
}

static int check_endpoint(const struct egress_endpoint *endpoint, uint32_t timeout_ms,
                          struct err *err)
{
    TRY(check_text("the endpoint's name", span_str(endpoint->name), EGRESS_NAME_MAX, true, err));
    if (endpoint->ca_pem.len > EGRESS_CA_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s: the authorities are larger than %d bytes",
                       endpoint->name, EGRESS_CA_MAX);
    if (timeout_ms > EGRESS_TIMEOUT_MAX_MS)
        return err_set(err, ERR_INVALID, "%s: a timeout of %u ms is longer than %d", endpoint->name,
                       timeout_ms, EGRESS_TIMEOUT_MAX_MS);
    return 0;
}

static int check_header(const char *header, struct err *err)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t name = strspn(header, token);

    TRY(check_text("a header", span_str(header), EGRESS_HEADER_MAX, true, err));
    if (name == 0 || header[name] != ':')
        return err_set(err, ERR_INVALID, "a header must read \"Name: value\"");
    return 0;
}

static int check_list(const char *const *list, size_t max, const char *what, struct err *err)
{
    size_t count = 0;

    for (; list != NULL && list[count] != NULL; count++)
        TRY(check_text(what, span_str(list[count]), 256, false, err));
    return count > max ? err_set(err, ERR_TOO_LARGE, "more than %zu of %s", max, what) : 0;
}

static int check_headers(const char *const *headers, struct err *err)
{
    size_t count = 0;

    for (; headers != NULL && headers[count] != NULL; count++)
        TRY(check_header(headers[count], err));
    return count > EGRESS_HEADERS_MAX
               ? err_set(err, ERR_TOO_LARGE, "more than %d headers", EGRESS_HEADERS_MAX)
               : 0;
}

static int check_secret(const struct egress_secret *secret, struct err *err)
{
    if (secret->name == NULL)
        return 0;
    TRY(check_text("the namespace of a Secret", span_str(secret->namespace), NAME_MAX_LEN, false,
                   err));
    TRY(check_text("the name of a Secret", span_str(secret->name), NAME_MAX_LEN, false, err));
    return check_text("the key in a Secret", span_str(secret->key), NAME_MAX_LEN, false, err);
}

static int check_request_secret(const struct egress_request *request, struct err *err)
{
    if (request->secret.name == NULL)
        return 0;
    TRY(check_secret(&request->secret, err));
    if (request->secret_place > EGRESS_FORM)
        return err_set(err, ERR_INVALID, "%s: a secret has no such place", request->endpoint.name);
    return check_text("the user beside a secret", span_str(request->secret_user), 1024, true, err);
}

static int check_request(const struct egress_request *request, struct err *err)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = strlen(request->method);

    TRY(check_endpoint(&request->endpoint, request->timeout_ms, err));
    if (len == 0 || len > 16 || strspn(request->method, upper) != len)
        return err_set(err, ERR_INVALID, "%s: \"%.16s\" is no method", request->endpoint.name,
                       request->method);
    TRY(check_text("the URL", span_str(request->url), EGRESS_URL_MAX, false, err));
    if (!span_has_prefix(span_str(request->url), "https://"))
        return err_set(err, ERR_INVALID, "%s: the URL must begin with https://",
                       request->endpoint.name);
    TRY(check_headers(request->headers, err));
    TRY(check_list(request->answer_headers, EGRESS_HEADERS_MAX, "a wanted header", err));
    if (request->body.len > EGRESS_BODY_MAX || request->answer_max > EGRESS_BODY_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s: a body is at most %d bytes", request->endpoint.name,
                       EGRESS_BODY_MAX);
    return check_request_secret(request, err);
}

static int check_bind(const struct egress_bind *bind, struct err *err)
{
    struct span url = span_str(bind->url);

    TRY(check_endpoint(&bind->endpoint, bind->timeout_ms, err));
    TRY(check_text("the URL", url, EGRESS_URL_MAX, false, err));
    if (!span_has_prefix(url, "ldaps://") && !span_has_prefix(url, "ldap://"))
        return err_set(err, ERR_INVALID, "%s: the URL must begin with ldaps:// or ldap://",
                       bind->endpoint.name);
    TRY(check_secret(&bind->secret, err));
    if (bind->dn[0] == '\0' || (bind->password.len == 0) == (bind->secret.name == NULL))
        return err_set(err, ERR_UNAUTHENTICATED, "%s: a bind needs a DN and a password",
                       bind->endpoint.name);
    if (bind->password.len > 0 && memchr(bind->password.p, '\0', bind->password.len) != NULL)
        return err_set(err, ERR_UNAUTHENTICATED, "%s: a password has no NUL in it",
                       bind->endpoint.name);
    if (bind->scope > EGRESS_SCOPE_SUBTREE || bind->entries_max > EGRESS_ENTRIES_MAX)
        return err_set(err, ERR_INVALID, "%s: the search is malformed", bind->endpoint.name);
    return check_list(bind->attributes, EGRESS_ATTRIBUTES_MAX, "an attribute", err);
}

/* ------------------------------------------------------------------ pieces */

static void put_text(struct buf *out, const char *text)
{
    buf_put_block(out, span_str(text == NULL ? "" : text));
}

static void put_list(struct buf *out, const char *const *list)
{
    uint32_t count = 0;

    while (list != NULL && list[count] != NULL)
        count++;
    buf_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++)
        put_text(out, list[i]);
}

static void put_endpoint(struct buf *out, uint32_t flags, const struct egress_endpoint *endpoint,
                         uint32_t timeout_ms)
{
    buf_put_u32(out, flags | (endpoint->private_network ? PRIVATE_NETWORK : 0));
    buf_put_u32(out, timeout_ms == 0 ? EGRESS_TIMEOUT_MS : timeout_ms);
    put_text(out, endpoint->name);
    buf_put_block(out, endpoint->ca_pem);
}

/* "" when it is bad, with the cursor failed. */
static const char *get_text(struct cursor *in, struct arena *arena)
{
    struct span block = cursor_block(in);
    const char *text = NULL;

    if (!in->failed && (block.len == 0 || memchr(block.p, '\0', block.len) == NULL))
        text = arena_copy(arena, block);
    in->failed = in->failed || text == NULL;
    return text == NULL ? "" : text;
}

static const char *const *get_list(struct cursor *in, struct arena *arena, uint32_t max)
{
    uint32_t count = cursor_u32(in);

    in->failed = in->failed || count > max;
    if (in->failed || count == 0)
        return NULL;
    const char **list = arena_alloc_array(arena, count + 1, sizeof(*list));
    in->failed = list == NULL;
    for (uint32_t i = 0; i < count && !in->failed; i++)
        list[i] = get_text(in, arena);
    return list;
}

static uint32_t get_endpoint(struct cursor *in, struct arena *arena,
                             struct egress_endpoint *endpoint, uint32_t *timeout_ms)
{
    uint32_t flags = cursor_u32(in);

    *timeout_ms = cursor_u32(in);
    endpoint->name = get_text(in, arena);
    endpoint->ca_pem = cursor_block(in);
    endpoint->private_network = (flags & PRIVATE_NETWORK) != 0;
    in->failed = in->failed || *timeout_ms == 0;
    return flags & ~(uint32_t)PRIVATE_NETWORK;
}

static void put_secret(struct buf *out, const struct egress_secret *secret)
{
    put_text(out, secret->namespace);
    put_text(out, secret->name);
    put_text(out, secret->key);
}

static void get_secret(struct cursor *in, struct arena *arena, struct egress_secret *secret)
{
    secret->namespace = get_text(in, arena);
    secret->name = get_text(in, arena);
    secret->key = get_text(in, arena);
}

/* ------------------------------------------------------------------ requests */

int egress_put_request(const struct egress_request *request, struct buf *out, struct err *err)
{
    TRY(check_request(request, err));
    put_endpoint(out, request->secret.name != NULL ? HAS_SECRET : 0, &request->endpoint,
                 request->timeout_ms);
    buf_put_u32(out, request->answer_max == 0 ? EGRESS_BODY_MAX : request->answer_max);
    put_text(out, request->method);
    put_text(out, request->url);
    put_list(out, request->headers);
    put_list(out, request->answer_headers);
    buf_put_block(out, request->body);
    if (request->secret.name != NULL) {
        put_secret(out, &request->secret);
        buf_put_u8(out, (uint8_t)request->secret_place);
        put_text(out, request->secret_user);
    }
    return buf_check(out, "a request to the outside", err);
}

int egress_get_request(struct span body, struct arena *arena, struct egress_request *out,
                       struct err *err)
{
    struct cursor in = cursor_of(body);

    *out = (struct egress_request){.method = ""};
    uint32_t flags = get_endpoint(&in, arena, &out->endpoint, &out->timeout_ms);
    out->answer_max = cursor_u32(&in);
    out->method = get_text(&in, arena);
    out->url = get_text(&in, arena);
    out->headers = get_list(&in, arena, EGRESS_HEADERS_MAX);
    out->answer_headers = get_list(&in, arena, EGRESS_HEADERS_MAX);
    out->body = cursor_block(&in);
    if (flags & HAS_SECRET) {
        get_secret(&in, arena, &out->secret);
        out->secret_place = (enum egress_place)cursor_u8(&in);
        out->secret_user = get_text(&in, arena);
    }
    in.failed = in.failed || (flags & ~(uint32_t)HAS_SECRET) != 0 || out->answer_max == 0;
    TRY(cursor_done(&in, "a request to the outside", err));
    return check_request(out, err);
}

int egress_put_bind(const struct egress_bind *bind, struct buf *out, struct err *err)
{
    TRY(check_bind(bind, err));
    put_endpoint(
        out, (bind->base != NULL ? HAS_SEARCH : 0) | (bind->secret.name != NULL ? HAS_SECRET : 0),
        &bind->endpoint, bind->timeout_ms);
    buf_put_u32(out, bind->entries_max == 0 ? EGRESS_ENTRIES_MAX : bind->entries_max);
    put_text(out, bind->url);
    put_text(out, bind->dn);
    buf_put_block(out, bind->password);
    put_text(out, bind->base);
    buf_put_u8(out, (uint8_t)bind->scope);
    put_text(out, bind->filter == NULL ? "(objectClass=*)" : bind->filter);
    put_list(out, bind->attributes);
    if (bind->secret.name != NULL)
        put_secret(out, &bind->secret);
    return buf_check(out, "a bind to a directory", err);
}

int egress_get_bind(struct span body, struct arena *arena, struct egress_bind *out, struct err *err)
{
    struct cursor in = cursor_of(body);

    *out = (struct egress_bind){.url = ""};
    uint32_t flags = get_endpoint(&in, arena, &out->endpoint, &out->timeout_ms);
    out->entries_max = cursor_u32(&in);
    out->url = get_text(&in, arena);
    out->dn = get_text(&in, arena);
    out->password = cursor_block(&in);
    const char *base = get_text(&in, arena);
    out->base = (flags & HAS_SEARCH) != 0 ? base : NULL;
    out->scope = (enum egress_scope)cursor_u8(&in);
    out->filter = get_text(&in, arena);
    out->attributes = get_list(&in, arena, EGRESS_ATTRIBUTES_MAX);
    if (flags & HAS_SECRET)
        get_secret(&in, arena, &out->secret);
    in.failed =
        in.failed || (flags & ~(uint32_t)(HAS_SEARCH | HAS_SECRET)) != 0 || out->entries_max == 0;
    TRY(cursor_done(&in, "a bind to a directory", err));
    return check_bind(out, err);
}

/* ------------------------------------------------------------------ answers */

void egress_put_answer(const struct egress_answer *answer, struct buf *out)
{
    buf_put_u32(out, answer->status);
    buf_put_u32(out, (uint32_t)answer->header_count);
    for (size_t i = 0; i < answer->header_count; i++) {
        buf_put_block(out, answer->headers[i].name);
        buf_put_block(out, answer->headers[i].value);
    }
    buf_put_block(out, answer->body);
}

int egress_get_answer(struct span body, struct egress_answer *out, struct err *err)
{
    struct cursor in = cursor_of(body);

    out->status = cursor_u32(&in);
    uint32_t count = cursor_u32(&in);
    in.failed = in.failed || count > EGRESS_HEADERS_MAX || out->status > 999;
    for (out->header_count = 0; out->header_count < count && !in.failed; out->header_count++) {
        out->headers[out->header_count].name = cursor_block(&in);
        out->headers[out->header_count].value = cursor_block(&in);
    }
    out->body = cursor_block(&in);
    return cursor_done(&in, "an answer from the outside", err);
}

void egress_put_directory(const struct egress_directory *found, struct buf *out)
{
    buf_put_u32(out, (uint32_t)found->entry_count);
    for (size_t i = 0; i < found->entry_count; i++) {
        const struct egress_entry *entry = &found->entries[i];
        buf_put_block(out, entry->dn);
        buf_put_u32(out, (uint32_t)entry->attribute_count);
        for (size_t j = 0; j < entry->attribute_count; j++) {
            const struct egress_attribute *attribute = &entry->attributes[j];
            buf_put_block(out, attribute->name);
            buf_put_u32(out, (uint32_t)attribute->value_count);
            for (size_t k = 0; k < attribute->value_count; k++)
                buf_put_block(out, attribute->values[k]);
        }
    }
}

/* A count that what follows can hold, each of at least `least` bytes; so that a lie costs nothing.
 */
static uint32_t get_count(struct cursor *in, size_t least)
{
    uint32_t count = cursor_u32(in);

    in->failed = in->failed || count > in->left / least;
    return in->failed ? 0 : count;
}

static void get_attribute(struct cursor *in, struct arena *arena, struct egress_attribute *out)
{
    out->name = cursor_block(in);
    out->value_count = get_count(in, 4);
    out->values = arena_alloc_array(arena, out->value_count + 1, sizeof(*out->values));
    in->failed = in->failed || out->values == NULL;
    for (size_t i = 0; i < out->value_count && !in->failed; i++)
        out->values[i] = cursor_block(in);
}

static void get_entry(struct cursor *in, struct arena *arena, struct egress_entry *out)
{
    out->dn = cursor_block(in);
    out->attribute_count = get_count(in, 8);
    out->attributes = arena_alloc_array(arena, out->attribute_count + 1, sizeof(*out->attributes));
    in->failed = in->failed || out->attributes == NULL;
    for (size_t i = 0; i < out->attribute_count && !in->failed; i++)
        get_attribute(in, arena, &out->attributes[i]);
}

int egress_get_directory(struct span body, struct arena *arena, struct egress_directory *out,
                         struct err *err)
{
    struct cursor in = cursor_of(body);

    out->entry_count = get_count(&in, 8);
    out->entries = arena_alloc_array(arena, out->entry_count + 1, sizeof(*out->entries));
    in.failed = in.failed || out->entries == NULL;
    for (size_t i = 0; i < out->entry_count && !in.failed; i++)
        get_entry(&in, arena, &out->entries[i]);
    return cursor_done(&in, "a directory's answer", err);
}
