/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries (RFC 7644 section 3.4.2, 3.4.3; cursors: RFC 9865). What matches is known by its name
 * first, in the order of names or of an attribute; then one page of it is shown. A cursor is the
 * name after which to go on, so that no page is lost or comes twice when others write meanwhile.
 */
#include "idp/scim/scim_api.h"

#include "base/enc.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"

#include <stdlib.h>
#include <strings.h>

struct query {
    const struct scim_binding *binding;
    const struct scim_filter *filter; /* NULL: all */
    const char *filter_text;
    struct scim_path sort;
    bool sorted, descending, by_cursor;
    char after[254]; /* the cursor; "" for the first page */
    int64_t start, count;
    const char *attributes, *excluded;
};

struct hit {
    char *name;
    json_t *resource; /* for the order; NULL without one */
};

struct hits {
    struct scim *scim;
    const struct query *query;
    struct hit *items;
    size_t count, room;
    bool too_many;
};

static void hits_free(struct hits *hits)
{
    for (size_t i = 0; i < hits->count; i++) {
        free(hits->items[i].name);
        json_decref(hits->items[i].resource);
    }
    free(hits->items);
}

/* ------------------------------------------------------------------ what is asked */

/* Of the query string or of the body; NULL when it is not there. */
static const char *text_arg(struct scim *scim, const json_t *search, const char *name)
{
    if (search == NULL)
        return http_request_query(scim->request->http, name);
    const json_t *value = json_object_get(search, name);
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        return arena_printf(scim->arena, "%lld", (long long)json_integer_value(value));
    if (!json_is_array(value))
        return NULL;
    CLEANUP(buf_free) struct buf list = BUF_INIT(8192);
    const json_t *item;
    size_t i;
    json_array_foreach (value, i, item)
        if (json_is_string(item))
            buf_printf(&list, "%s%s", i > 0 ? "," : "", json_string_value(item));
    return arena_strdup(scim->arena, buf_text(&list));
}

static int number_arg(struct scim *scim, const json_t *search, const char *name, int64_t otherwise,
                      int64_t *out, struct err *err)
{
    const char *text = text_arg(scim, search, name);
    char *end = NULL;

    *out = otherwise;
    if (text == NULL)
        return 0;
    *out = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0')
        return err_set(err, ERR_INVALID, "%s must be a number", name);
    return 0;
}

static int read_cursor(const char *cursor, struct query *query, const char **type, struct err *err)
{
    CLEANUP(buf_free) struct buf name = BUF_INIT(sizeof(query->after) - 1);

    query->by_cursor = true;
    if (enc_unbase64(ENC_BASE64URL, span_str(cursor), &name, err) < 0 || name.overflowed) {
        *type = "invalidCursor";
        return err_set(err, ERR_INVALID, "the cursor is none of ours");
    }
    snprintf(query->after, sizeof(query->after), "%s", buf_text(&name));
    return 0;
}

static int read_sort(struct scim *scim, const json_t *search, struct query *query,
                     const char **type, struct err *err)
{
    const char *by = text_arg(scim, search, "sortBy");
    const char *order = text_arg(scim, search, "sortOrder");

    if (by == NULL || by[0] == '\0')
        return 0;
    *type = "invalidPath";
    query->sorted = true;
    query->descending = order != NULL && strcasecmp(order, "descending") == 0;
    TRY(scim_path_parse(query->binding->resource, span_str(by), scim->arena, &query->sort, type,
                        err));
    *type = "invalidValue";
    return query->by_cursor ? err_set(err, ERR_INVALID,
                                      "sortBy goes with startIndex alone, not "
                                      "with a cursor")
                            : 0;
}

static int read_query(struct scim *scim, const json_t *search, struct query *query,
                      const char **type, struct err *err)
{
    const char *cursor = text_arg(scim, search, "cursor");

    *type = "invalidValue";
    query->filter_text = text_arg(scim, search, "filter");
    query->attributes = text_arg(scim, search, "attributes");
    query->excluded = text_arg(scim, search, "excludedAttributes");
    query->attributes = query->attributes == NULL ? "" : query->attributes;
    query->excluded = query->excluded == NULL ? "" : query->excluded;
    TRY(number_arg(scim, search, "startIndex", 1, &query->start, err));
    TRY(number_arg(scim, search, "count", SCIM_PAGE, &query->count, err));
    query->start = NUM_MAX(query->start, 1);
    query->count = NUM_MIN(NUM_MAX(query->count, 0), SCIM_PAGE_MAX);
    if (cursor != NULL)
        TRY(read_cursor(cursor, query, type, err));
    TRY(arena_check(scim->arena, "the query", err));
    return read_sort(scim, search, query, type, err);
}

/* ------------------------------------------------------------------ what matches */

static void add(struct hits *hits, const char *name, json_t *resource)
{
    if (hits->count == hits->room) {
        hits->room = hits->room == 0 ? 64 : 2 * hits->room;
        hits->items = mem_resize_array(hits->items, hits->room, sizeof(*hits->items));
    }
    hits->items[hits->count++] =
        (struct hit){.name = mem_strdup(name), .resource = json_incref(resource)};
}

static int look_at(void *ctx, const json_t *object, struct err *err)
{
    struct hits *hits = ctx;
    const struct query *query = hits->query;
    const char *name = codec_json_text(json_object_get(object, "metadata"), "name", "");
    CLEANUP_JSON json_t *shown = NULL;

    if (query->filter != NULL || query->sorted)
        shown = scim_show(hits->scim, query->binding, object);
    if (query->filter != NULL && !scim_filter_matches(query->filter, shown))
        return 0;
    if (query->sorted && hits->count >= SCIM_SORT_MAX) {
        hits->too_many = true;
        return err_set(err, ERR_INVALID,
                       "more than %d match; narrow the filter, or do without sortBy",
                       SCIM_SORT_MAX);
    }
    add(hits, name, query->sorted ? shown : NULL);
    return 0;
}

static bool look_in_index(struct hits *hits, struct err *err)
{
    static const char *const attributes[] = {"userName", "displayName", "externalId", "id"};
    const struct query *query = hits->query;
    json_t *found[2] = {NULL, NULL};
    bool indexed = false;

    for (size_t i = 0; query->filter != NULL && !indexed && i < ARRAY_LEN(attributes); i++) {
        const char *text = scim_filter_demands(query->filter, attributes[i]);
        if (text == NULL)
            continue;
        if (strcmp(attributes[i], "id") != 0) {
            indexed = scim_index_find(hits->scim, query->binding, attributes[i], text, found);
            continue;
        }
        indexed = true;
        if (scim_find(hits->scim, query->binding, text, &found[0], err) < 0)
            err_clear(err);
    }
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        if (found[i] != NULL && look_at(hits, found[i], err) < 0)
            err_clear(err);
        json_decref(found[i]);
    }
    return indexed;
}

static const struct query *sorting; /* for qsort; one thread */

static int by_order(const void *a, const void *b)
{
    const struct hit *left = a, *right = b;
    int order = sorting->sorted ? scim_compare(&sorting->sort, left->resource, right->resource) : 0;

    if (order == 0)
        return strcmp(left->name, right->name);
    return sorting->descending ? -order : order;
}

/* ------------------------------------------------------------------ a page */

static size_t first_of(const struct hits *hits)
{
    size_t first = 0;

    if (!hits->query->by_cursor)
        return NUM_MIN((size_t)(hits->query->start - 1), hits->count);
    while (first < hits->count && hits->query->after[0] != '\0' &&
           strcmp(hits->items[first].name, hits->query->after) <= 0)
        first++;
    return first;
}

static int show_one(struct hits *hits, const struct hit *hit, json_t *list, struct err *err)
{
    const struct query *query = hits->query;
    CLEANUP_JSON json_t *object = NULL;
    CLEANUP_JSON json_t *shown = NULL;

    TRY(kube_object_get(serve_kube(hits->scim->idp->serve), query->binding->kind, "", hit->name,
                        &object, err));
    shown = scim_show(hits->scim, query->binding, object);
    TRY(scim_project(query->binding->resource, shown, query->attributes, query->excluded,
                     hits->scim->arena, err));
    return json_array_append(list, shown);
}

static void put_cursor(json_t *body, const char *name)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(512);

    enc_base64_put(ENC_BASE64URL, span_str(name), &text);
    json_object_set_new(body, "nextCursor", json_string(buf_text(&text)));
}

static int show_page(struct hits *hits, json_t *body, struct err *err)
{
    json_t *list = json_object_get(body, "Resources");
    size_t first = first_of(hits);
    size_t end = NUM_MIN(first + (size_t)hits->query->count, hits->count);

    for (size_t i = first; i < end; i++)
        TRY(show_one(hits, &hits->items[i], list, err));
    json_int_t shown = (json_int_t)json_array_size(list);
    json_object_set_new(body, "itemsPerPage", json_integer(shown));
    if (!hits->query->by_cursor)
        json_object_set_new(body, "startIndex", json_integer(hits->query->start));
    else if (end < hits->count && end > first)
        put_cursor(body, hits->items[end - 1].name);
    return 0;
}

static int list_one(struct scim *scim, struct query *query, json_t *body, const char **type,
                    struct err *err)
{
    CLEANUP(hits_free) struct hits hits = {.scim = scim, .query = query};

    *type = "invalidFilter";
    if (query->filter_text != NULL && query->filter_text[0] != '\0')
        TRY(scim_filter_parse(query->binding->resource, span_str(query->filter_text), scim->arena,
                              &query->filter, err));
    *type = "tooMany";
    if (!look_in_index(&hits, err))
        TRY(kube_object_each(serve_kube(scim->idp->serve), query->binding->kind, NULL, look_at,
                             &hits, err));
    sorting = query;
    if (hits.count > 1)
        qsort(hits.items, hits.count, sizeof(*hits.items), by_order);
    *type = "invalidPath";
    json_object_set_new(body, "totalResults",
                        json_integer(json_integer_value(json_object_get(body, "totalResults")) +
                                     (json_int_t)hits.count));
    return show_page(&hits, body, err);
}

void scim_list(struct scim *scim, const struct scim_binding *binding, const json_t *search,
               struct scim_outcome *out)
{
    struct query query = {.binding = binding};
    const char *type = NULL;
    struct err err = ERR_INIT;
    CLEANUP_JSON json_t *body = json_pack("{s:[s], s:i, s:[]}", "schemas",
                                          "urn:ietf:params:scim:api:messages:2.0:ListResponse",
                                          "totalResults", 0, "Resources");

    if (binding == NULL) {
        scim_refuse(out, 501, NULL, "search /Users or /Groups; both at once is not supported");
        return;
    }
    if (!scim_may(scim, "list", binding, "", out))
        return;
    if (read_query(scim, search, &query, &type, &err) < 0 ||
        list_one(scim, &query, body, &type, &err) < 0) {
        scim_refuse_err(out, type, &err);
        return;
    }
    out->status = 200;
    out->body = json_incref(body);
}
