/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many operations in one request (RFC 7644 section 3.7). One that names a bulkId which is made by
 * another waits for that one, in whatever order they come; those that wait for each other are
 * refused. Each has its own record in the audit log.
 */
#include "idp/scim/scim_api.h"

#include "base/mem.h"
#include "codec/json.h"

#include <strings.h>

static const char reference[] = "bulkId:";

struct bulk {
    struct scim *scim;
    const json_t *operations;
    json_t *results; /* as many; null while not done */
    json_t *made;    /* bulkId to id */
    json_int_t fail_on, failed;
};

/* ------------------------------------------------------------------ bulkIds */

/* The text with what it refers to; NULL when that is not there yet. */
static json_t *resolve_text(const struct bulk *bulk, const char *text)
{
    const char *at = strstr(text, reference);

    if (at == NULL)
        return json_string(text);
    /* A whole value, or the end of a path. */
    const char *id = json_string_value(json_object_get(bulk->made, at + strlen(reference)));
    if (id == NULL)
        return NULL;
    CLEANUP_FREE char *whole = mem_printf("%.*s%s", (int)(at - text), text, id);
    return json_string(whole);
}

static json_t *resolve(const struct bulk *bulk, const json_t *value, unsigned depth)
{
    json_t *copy;
    const char *name;
    json_t *item;
    size_t i;

    if (json_is_string(value) &&
        strncmp(json_string_value(value), reference, sizeof(reference) - 1) == 0)
        return resolve_text(bulk, json_string_value(value));
    if ((!json_is_object(value) && !json_is_array(value)) || depth == 0)
        return json_deep_copy(value);
    copy = json_is_object(value) ? json_object() : json_array();
    json_object_foreach ((json_t *)(uintptr_t)value, name, item) {
        json_t *one = resolve(bulk, item, depth - 1);
        if (one == NULL || json_object_set_new(copy, name, one) < 0) {
            json_decref(copy);
            return NULL;
        }
    }
    json_array_foreach (value, i, item) {
        json_t *one = resolve(bulk, item, depth - 1);
        if (one == NULL || json_array_append_new(copy, one) < 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

/* ------------------------------------------------------------------ one */

/* "/Users" or "/Users/ID". False when it is neither. */
static bool read_path(const char *path, const struct scim_binding **binding, const char **id)
{
    const char *slash = path[0] == '/' ? strchr(path + 1, '/') : NULL;
    size_t len = slash == NULL ? strlen(path) : (size_t)(slash - path);
    CLEANUP_FREE char *endpoint = mem_strndup(path, len);

    *binding = path[0] == '/' ? scim_binding_of(endpoint + 1) : NULL;
    *id = slash == NULL ? "" : slash + 1;
    return *binding != NULL && strchr(*id, '/') == NULL;
}

static void record(const struct bulk *bulk, const struct scim_outcome *outcome)
{
    struct audit_event event = bulk->scim->request->event;

    event.status = (uint16_t)outcome->status;
    event.outcome = outcome->status < 400    ? AUDIT_SUCCESS
                    : outcome->status == 403 ? AUDIT_DENIED
                                             : AUDIT_FAILURE;
    serve_record(bulk->scim->idp->serve, &event);
}

static void run_one(const struct bulk *bulk, const json_t *operation, const char *path,
                    const json_t *data, struct scim_outcome *out)
{
    const char *method = codec_json_text(operation, "method", "");
    char upper[8] = "";
    struct scim_op op = {.method = upper,
                         .data = data,
                         .if_match = codec_json_text(operation, "version", NULL),
                         .attributes = "",
                         .excluded = ""};

    for (size_t i = 0; i + 1 < sizeof(upper) && method[i] != '\0'; i++)
        upper[i] = (char)(method[i] >= 'a' && method[i] <= 'z' ? method[i] - 32 : method[i]);
    if (strcmp(upper, "GET") == 0 || !read_path(path, &op.binding, &op.id))
        scim_refuse(out, 400, "invalidSyntax",
                    "an operation needs a method (POST, PUT, PATCH, DELETE) and a path "
                    "(/Users/ID): %.16s %.280s",
                    method, path);
    else if (strcmp(upper, "POST") == 0 && codec_json_text(operation, "bulkId", "")[0] == '\0')
        scim_refuse(out, 400, "invalidSyntax", "a POST needs a bulkId");
    else
        scim_run(bulk->scim, &op, out);
    record(bulk, out);
}

static json_t *result_of(const json_t *operation, const struct scim_outcome *outcome)
{
    const char *bulk_id = codec_json_text(operation, "bulkId", "");
    char status[8];
    json_t *result;

    snprintf(status, sizeof(status), "%u", outcome->status);
    result = json_pack("{s:s, s:s}", "method", codec_json_text(operation, "method", ""), "status",
                       status);
    INVARIANT(result != NULL);
    if (bulk_id[0] != '\0')
        json_object_set_new(result, "bulkId", json_string(bulk_id));
    if (outcome->location[0] != '\0')
        json_object_set_new(result, "location", json_string(outcome->location));
    if (outcome->version[0] != '\0')
        json_object_set_new(result, "version", json_string(outcome->version));
    if (outcome->status >= 400)
        json_object_set(result, "response", outcome->body);
    return result;
}

static void finish(struct bulk *bulk, size_t index, const struct scim_outcome *outcome)
{
    const json_t *operation = json_array_get(bulk->operations, index);
    const char *bulk_id = codec_json_text(operation, "bulkId", "");

    if (outcome->status >= 400)
        bulk->failed++;
    else if (bulk_id[0] != '\0' && outcome->id[0] != '\0')
        json_object_set_new(bulk->made, bulk_id, json_string(outcome->id));
    json_array_set_new(bulk->results, index, result_of(operation, outcome));
}

/* True when it could be done now. */
static bool try_one(struct bulk *bulk, size_t index)
{
    const json_t *operation = json_array_get(bulk->operations, index);
    const json_t *given = json_object_get(operation, "data");
    CLEANUP_JSON json_t *path = resolve_text(bulk, codec_json_text(operation, "path", ""));
    CLEANUP_JSON json_t *data =
        given == NULL ? json_object() : resolve(bulk, given, SCIM_DEPTH_MAX);
    struct scim_outcome outcome = {.status = 0};

    if (path == NULL || data == NULL)
        return false;
    run_one(bulk, operation, json_string_value(path), data, &outcome);
    finish(bulk, index, &outcome);
    scim_outcome_free(&outcome);
    return true;
}

/* ------------------------------------------------------------------ all */

static bool is_over(const struct bulk *bulk)
{
    return bulk->fail_on > 0 && bulk->failed >= bulk->fail_on;
}

/* Again and again, as long as something can be done. */
static void run_all(struct bulk *bulk)
{
    size_t count = json_array_size(bulk->operations);
    bool moved = true;

    while (moved && !is_over(bulk)) {
        moved = false;
        for (size_t i = 0; i < count && !is_over(bulk); i++)
            if (json_is_null(json_array_get(bulk->results, i)))
                moved |= try_one(bulk, i);
    }
}

/* What never could; and what was not begun, because too much had failed, is left out. */
static json_t *answer_of(struct bulk *bulk)
{
    json_t *answer = json_pack("{s:[s], s:[]}", "schemas",
                               "urn:ietf:params:scim:api:messages:2.0:BulkResponse", "Operations");
    bool over = is_over(bulk);

    for (size_t i = 0; i < json_array_size(bulk->results); i++) {
        if (json_is_null(json_array_get(bulk->results, i)) && !over) {
            struct scim_outcome outcome = {.status = 0};
            scim_refuse(&outcome, 409, "invalidValue",
                        "it refers to a bulkId that no operation has made");
            finish(bulk, i, &outcome);
            scim_outcome_free(&outcome);
        }
        json_t *result = json_array_get(bulk->results, i);
        if (!json_is_null(result))
            json_array_append(json_object_get(answer, "Operations"), result);
    }
    return answer;
}

void scim_bulk(struct scim *scim, const json_t *body, struct scim_outcome *out)
{
    CLEANUP_JSON json_t *results = json_array();
    CLEANUP_JSON json_t *made = json_object();
    struct bulk bulk = {.scim = scim,
                        .operations = json_object_get(body, "Operations"),
                        .results = results,
                        .made = made,
                        .fail_on = json_integer_value(json_object_get(body, "failOnErrors"))};
    size_t count = json_array_size(bulk.operations);

    if (count == 0) {
        scim_refuse(out, 400, "invalidSyntax", "Operations must be a list of at least one");
        return;
    }
    if (count > SCIM_BULK_OPERATIONS || scim->request->http->body.len > SCIM_BULK_BYTES) {
        scim_refuse(out, 413, "tooMany", "at most %d operations in %d bytes", SCIM_BULK_OPERATIONS,
                    SCIM_BULK_BYTES);
        return;
    }
    for (size_t i = 0; i < count; i++)
        json_array_append_new(results, json_null());
    run_all(&bulk);
    out->status = 200;
    out->body = answer_of(&bulk);
    /* The operations have records of their own. */
    scim->request->event.event = span_str("");
}
