/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_internal.h"

#include <errno.h>
#include <strings.h>
#include <sys/socket.h>

const char *http_request_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection->mhd, MHD_HEADER_KIND, name);
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    const char *value = NULL;
    size_t len;

    enum MHD_Result found = MHD_lookup_connection_value_n(
        request->connection->mhd, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &len);
    if (found != MHD_YES)
        return NULL;
    return value == NULL ? "" : value;
}

struct each {
    http_query_fn *fn;
    void *ctx;
};

static enum MHD_Result each_value(void *ctx, enum MHD_ValueKind kind UNUSED, const char *name,
                                  const char *value)
{
    struct each *each = ctx;

    each->fn(each->ctx, name, value == NULL ? "" : value);
    return MHD_YES;
}

void http_request_each_query(const struct http_request *request, http_query_fn *fn, void *ctx)
{
    struct each each = {.fn = fn, .ctx = ctx};

    MHD_get_connection_values(request->connection->mhd, MHD_GET_ARGUMENT_KIND, each_value, &each);
}

static enum MHD_Result look_for_nul(void *ctx, enum MHD_ValueKind kind UNUSED, const char *name,
                                    size_t name_len, const char *value, size_t value_len)
{
    bool *found = ctx;

    *found |= memchr(name, '\0', name_len) != NULL ||
              (value != NULL && memchr(value, '\0', value_len) != NULL);
    return MHD_YES;
}

bool http_request_has_nul(const struct http_request *request)
{
    bool found = false;

    MHD_get_connection_values_n(request->connection->mhd, MHD_GET_ARGUMENT_KIND, look_for_nul,
                                &found);
    return found;
}

struct count {
    const char *name;
    size_t found;
};

static void count_one(void *ctx, const char *name, const char *value UNUSED)
{
    struct count *count = ctx;

    count->found += strcmp(name, count->name) == 0;
}

size_t http_request_query_count(const struct http_request *request, const char *name)
{
    struct count count = {.name = name};

    http_request_each_query(request, count_one, &count);
    return count.found;
}

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind UNUSED, const char *name,
                                    const char *value UNUSED)
{
    struct count *count = ctx;

    count->found += strcasecmp(name, count->name) == 0;
    return MHD_YES;
}

size_t http_request_header_count(const struct http_request *request, const char *name)
{
    struct count count = {.name = name};

    MHD_get_connection_values(request->connection->mhd, MHD_HEADER_KIND, count_header, &count);
    return count.found;
}

int http_request_peer_uid(const struct http_request *request, unsigned *uid, struct err *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (info == NULL || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return err_sys(err, "cannot tell who is at the other end of the socket");
    *uid = peer.uid;
    return 0;
}

static struct span take_until(struct span *rest, char end)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->p, end, rest->len) : NULL;
    struct span piece = at == NULL ? *rest : span_of(rest->p, (size_t)(at - rest->p));

    *rest =
        at == NULL ? span_of(rest->p + rest->len, 0) : span_of(at + 1, rest->len - piece.len - 1);
    return piece;
}

int http_request_each_form(const struct http_request *request, http_query_fn *fn, void *ctx,
                           struct err *err)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = http_request_header(request, "Content-Type");
    struct span rest = request->body;

    if (type == NULL || strncasecmp(type, form, strlen(form)) != 0 ||
        (type[strlen(form)] != '\0' && strchr("; ", type[strlen(form)]) == NULL))
        return err_set(err, ERR_INVALID, "the Content-Type must be %s", form);
    while (rest.len > 0) {
        struct span pair = take_until(&rest, '&');
        struct span value = pair;
        struct span name = take_until(&value, '=');
        char *decoded_name = http_form_decode(name, request->arena);
        char *decoded_value = http_form_decode(value, request->arena);
        if (decoded_name == NULL || decoded_value == NULL)
            return err_set(err, ERR_INVALID, "the form has a malformed field");
        if (pair.len > 0)
            fn(ctx, decoded_name, decoded_value);
    }
    return 0;
}
