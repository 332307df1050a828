/* SPDX-License-Identifier: Apache-2.0 */
/* The paths of RFC 7644 section 3.2, and what the server says about itself (section 4). */
#include "idp/scim/scim_api.h"

#include "base/mem.h"
#include "codec/json.h"

#include <strings.h>

#define MEDIA_TYPE "application/scim+json"

/* ------------------------------------------------------------------ about the server */

static json_t *config_of(const struct idp *idp)
{
    CLEANUP_FREE char *location = mem_printf("%s" SCIM_PREFIX "/ServiceProviderConfig", idp->url);
    json_t *config = json_pack(
        "{s:[s], s:{s:b}, s:{s:b, s:i, s:i}, s:{s:b, s:i}, s:{s:b}, s:{s:b}, s:{s:b}, "
        "s:{s:b, s:b, s:s, s:i, s:i}, s:[{s:s, s:s, s:s, s:b}], s:{s:s, s:s}}",
        "schemas", "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig", "patch",
        "supported", 1, "bulk", "supported", 1, "maxOperations", SCIM_BULK_OPERATIONS,
        "maxPayloadSize", SCIM_BULK_BYTES, "filter", "supported", 1, "maxResults", SCIM_PAGE_MAX,
        "changePassword", "supported", 0, "sort", "supported", 1, "etag", "supported", 1,
        "pagination", "cursor", 1, "index", 1, "defaultPaginationMethod", "index",
        "defaultPageSize", SCIM_PAGE, "maxPageSize", SCIM_PAGE_MAX, "authenticationSchemes", "type",
        "oauthbearertoken", "name", "OAuth Bearer Token", "description",
        "An API key, or an access token with the scope " SCIM_SCOPE " (RFC 6750)", "primary", 1,
        "meta", "resourceType", "ServiceProviderConfig", "location", location);

    INVARIANT(config != NULL);
    return config;
}

static json_t *list_of(json_t *items)
{
    json_int_t count = (json_int_t)json_array_size(items);
    json_t *list = json_pack("{s:[s], s:I, s:I, s:i, s:o}", "schemas",
                             "urn:ietf:params:scim:api:messages:2.0:ListResponse", "totalResults",
                             count, "itemsPerPage", count, "startIndex", 1, "Resources", items);

    INVARIANT(list != NULL);
    return list;
}

static json_t *all_schemas(const char *base)
{
    json_t *items = json_array();

    for (const struct scim_binding *one = scim_bindings; one->resource != NULL; one++) {
        json_array_append_new(items, scim_schema_json(one->resource->schema, base));
        if (one->resource->extension != NULL)
            json_array_append_new(items, scim_schema_json(one->resource->extension, base));
    }
    return items;
}

static json_t *all_types(const char *base)
{
    json_t *items = json_array();

    for (const struct scim_binding *one = scim_bindings; one->resource != NULL; one++)
        json_array_append_new(items, scim_resource_json(one->resource, base));
    return items;
}

/* All, or the one with this id; a filter is refused (section 4). */
static void describe(struct scim *scim, json_t *items, const char *id, struct scim_outcome *out)
{
    const json_t *item;
    size_t i;

    if (http_request_query(scim->request->http, "filter") != NULL) {
        scim_refuse(out, 403, NULL, "what the server says about itself takes no filter");
        json_decref(items);
        return;
    }
    out->status = 200;
    if (id[0] == '\0') {
        out->body = list_of(items);
        return;
    }
    json_array_foreach (items, i, item)
        if (strcmp(codec_json_text(item, "id", ""), id) == 0)
            out->body = json_incref((json_t *)(uintptr_t)item);
    json_decref(items);
    if (out->body == NULL)
        scim_refuse(out, 404, NULL, "there is none of that name");
}

static bool is_description(const char *endpoint)
{
    return strcmp(endpoint, "ServiceProviderConfig") == 0 || strcmp(endpoint, "Schemas") == 0 ||
           strcmp(endpoint, "ResourceTypes") == 0;
}

static bool run_description(struct scim *scim, const char *endpoint, const char *id,
                            struct scim_outcome *out)
{
    CLEANUP_FREE char *base = mem_printf("%s" SCIM_PREFIX, scim->idp->url);

    if (strcmp(endpoint, "ServiceProviderConfig") == 0 && id[0] == '\0') {
        out->status = 200;
        out->body = config_of(scim->idp);
    } else if (strcmp(endpoint, "Schemas") == 0) {
        describe(scim, all_schemas(base), id, out);
    } else if (strcmp(endpoint, "ResourceTypes") == 0) {
        describe(scim, all_types(base), id, out);
    } else {
        return false;
    }
    if (strcmp(scim->request->http->method, "GET") != 0) {
        scim_outcome_free(out);
        scim_refuse(out, 405, NULL, "this can be read alone");
    }
    return true;
}

/* ------------------------------------------------------------------ requests */

static const char *query_or_none(const struct scim *scim, const char *name)
{
    const char *value = http_request_query(scim->request->http, name);

    return value == NULL ? "" : value;
}

static struct scim_op op_of(struct scim *scim, const struct scim_binding *binding, const char *id,
                            const json_t *data)
{
    return (struct scim_op){.method = scim->request->http->method,
                            .binding = binding,
                            .id = id,
                            .data = data,
                            .if_match = http_request_header(scim->request->http, "If-Match"),
                            .if_none_match =
                                http_request_header(scim->request->http, "If-None-Match"),
                            .attributes = query_or_none(scim, "attributes"),
                            .excluded = query_or_none(scim, "excludedAttributes")};
}

/* Section 3.11: the User of whoever asks. Programs are none. */
static void run_me(struct scim *scim, const json_t *data, struct scim_outcome *out)
{
    const struct auth_principal *who = scim->request->principal;
    CLEANUP(account_free) struct account account = {0};
    struct err err = ERR_INIT;
    char id[SCIM_ID_SIZE];

    if (account_load_same(scim->idp, (const char *)auth_text(who, who->name).p,
                          (const char *)auth_text(who, who->uid).p, &account, &err) < 0) {
        scim_refuse(out, 501, NULL, "the caller is no User");
        return;
    }
    scim_id_of(account.object, id);
    struct scim_op op = op_of(scim, &scim_bindings[0], id, data);
    scim_run(scim, &op, out);
}

static void run_resource(struct scim *scim, const struct scim_binding *binding, const char *id,
                         const json_t *data, struct scim_outcome *out)
{
    const char *method = scim->request->http->method;

    if (strcmp(id, ".search") == 0 && strcmp(method, "POST") == 0) {
        scim_list(scim, binding, data, out);
    } else if (id[0] == '\0' && strcmp(method, "GET") == 0) {
        scim_list(scim, binding, NULL, out);
    } else {
        struct scim_op op = op_of(scim, binding, id, data);
        scim_run(scim, &op, out);
    }
}

static void dispatch(struct scim *scim, const char *endpoint, const char *id, const json_t *data,
                     struct scim_outcome *out)
{
    const struct scim_binding *binding = scim_binding_of(endpoint);
    bool post = strcmp(scim->request->http->method, "POST") == 0;

    if (run_description(scim, endpoint, id, out))
        return;
    if (binding != NULL && strchr(id, '/') == NULL)
        run_resource(scim, binding, id, data, out);
    else if (strcmp(endpoint, "Bulk") == 0 && id[0] == '\0' && post)
        scim_bulk(scim, data, out);
    else if (strcmp(endpoint, "Me") == 0 && id[0] == '\0')
        run_me(scim, data, out);
    else if (strcmp(endpoint, ".search") == 0 && post)
        scim_list(scim, NULL, data, out);
    else
        scim_refuse(out, 404, NULL, "there is nothing at %.280s", scim->request->http->path);
}

/* ------------------------------------------------------------------ the way in and out */

static bool writes(const struct serve_request *request)
{
    const char *path = request->http->path;
    size_t len = strlen(path);
    bool searches = len >= 8 && strcmp(path + len - 8, "/.search") == 0;

    return strcmp(request->http->method, "GET") != 0 && !searches;
}

/* False when it was refused. */
static bool read_body(struct scim *scim, const char *endpoint, json_t **data,
                      struct scim_outcome *out)
{
    const struct http_request *http = scim->request->http;
    const char *type = http_request_header(http, "Content-Type");
    struct err err = ERR_INIT;

    if (strcmp(http->method, "GET") == 0 || strcmp(http->method, "DELETE") == 0 ||
        is_description(endpoint))
        return true;
    if (type == NULL || (strncasecmp(type, MEDIA_TYPE, strlen(MEDIA_TYPE)) != 0 &&
                         strncasecmp(type, "application/json", 16) != 0)) {
        scim_refuse(out, 415, NULL, "the Content-Type must be %s", MEDIA_TYPE);
        return false;
    }
    if (codec_json_parse(http->body, "the body", data, &err) == 0 && json_is_object(*data))
        return true;
    scim_refuse(out, 400, "invalidSyntax", "%s",
                err.code != ERR_NONE ? err.msg : "the body must be an object");
    return false;
}

static void send(struct scim *scim, const struct scim_outcome *out)
{
    struct http_answer *answer = scim->request->answer;

    if (out->location[0] != '\0')
        http_answer_header(answer, out->status == 201 ? "Location" : "Content-Location",
                           out->location);
    if (out->version[0] != '\0')
        http_answer_header(answer, "ETag", out->version);
    if (out->status == 503)
        reply_retry_after(scim->request, 1);
    if (out->status >= 400)
        scim->request->event.reason =
            serve_keep(scim->request, codec_json_text(out->body, "detail", ""));
    http_answer_header(answer, "Cache-Control", "no-store");
    buf_reset(&answer->body);
    if (out->body != NULL)
        codec_json_put(out->body, &answer->body);
    serve_answer(scim->request, out->status, out->body == NULL ? NULL : MEDIA_TYPE);
}

static void run(struct scim *scim, const char *path)
{
    const char *slash = strchr(path, '/');
    CLEANUP_FREE char *endpoint =
        mem_strndup(path, slash == NULL ? strlen(path) : (size_t)(slash - path));
    CLEANUP_JSON json_t *data = NULL;
    struct scim_outcome out = {.status = 0};

    if (read_body(scim, endpoint, &data, &out))
        dispatch(scim, endpoint, slash == NULL ? "" : slash + 1, data, &out);
    send(scim, &out);
    scim_outcome_free(&out);
}

bool scim_route(struct idp *idp, struct serve_request *request)
{
    static const char prefix[] = SCIM_PREFIX "/";
    const char *path = request->http->path;
    struct scim scim = {.idp = idp, .request = request, .arena = request->http->arena};

    if (strncmp(path, prefix, strlen(prefix)) != 0)
        return false;
    if (serve_authenticate_for(request, SCIM_SCOPE) < 0)
        return true;
    if (request->principal->source == AUTH_NOBODY) {
        http_answer_header(request->answer, "WWW-Authenticate", "Bearer realm=\"drun\"");
        struct scim_outcome out = {.status = 0};
        scim_refuse(&out, 401, NULL, "there is no credential");
        send(&scim, &out);
        scim_outcome_free(&out);
        return true;
    }
    if (!writes(request) || serve_step_up(request))
        run(&scim, path + strlen(prefix));
    return true;
}
