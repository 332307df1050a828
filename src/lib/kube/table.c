/* SPDX-License-Identifier: Apache-2.0 */
/* The form in which kubectl prints: meta.k8s.io Table. */
#include "base/clock.h"
#include "kube/kube_internal.h"

void kube_age(int64_t seconds, char out[32])
{
    int64_t s = seconds < 0 ? 0 : seconds, m = s / 60, h = m / 60, d = h / 24, y = d / 365;

    if (s < 120)
        snprintf(out, 32, "%llds", (long long)s);
    else if (m < 10 && s % 60 != 0)
        snprintf(out, 32, "%lldm%llds", (long long)m, (long long)(s % 60));
    else if (m < 180)
        snprintf(out, 32, "%lldm", (long long)m);
    else if (h < 8 && m % 60 != 0)
        snprintf(out, 32, "%lldh%lldm", (long long)h, (long long)(m % 60));
    else if (h < 48)
        snprintf(out, 32, "%lldh", (long long)h);
    else if (d < 8 && h % 24 != 0)
        snprintf(out, 32, "%lldd%lldh", (long long)d, (long long)(h % 24));
    else if (d < 730)
        snprintf(out, 32, "%lldd", (long long)d);
    else if (y < 8 && d % 365 != 0)
        snprintf(out, 32, "%lldy%lldd", (long long)y, (long long)(d % 365));
    else
        snprintf(out, 32, "%lldy", (long long)y);
}

static json_t *age_cell(const char *time, int64_t now)
{
    struct err err = ERR_INIT;
    int64_t then;
    char text[32];

    if (time == NULL || clock_parse(span_str(time), &then, &err) < 0)
        return json_string("<unknown>");
    kube_age(now - then, text);
    return json_string(text);
}

static json_t *joined(const json_t *list)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(4096);
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        if (json_is_string(item))
            buf_printf(&text, "%s%s", i > 0 ? "," : "", json_string_value(item));
    }
    return json_string(buf_text(&text));
}

static json_t *cell_of(const struct kube_column *column, const json_t *object, int64_t now)
{
    if (column->cell != NULL)
        return column->cell(object, now);
    json_t *value = (json_t *)kube_at_path(object, column->path);
    if (value == NULL)
        return json_null();
    if (strcmp(column->type, "date") == 0)
        return age_cell(json_string_value(value), now);
    if (json_is_array(value))
        return joined(value);
    return json_incref(value);
}

static json_t *row_of(const struct kube_kind *kind, json_t *object, const char *include, bool beta,
                      int64_t now)
{
    json_t *cells = json_array();
    const json_t *meta = json_object_get(object, "metadata");

    json_array_append_new(cells, json_string(kube_name_of(object)));
    for (const struct kube_column *c = kind->columns; c != NULL && c->name != NULL; c++)
        json_array_append_new(cells, cell_of(c, object, now));
    json_array_append_new(
        cells, age_cell(json_string_value(json_object_get(meta, "creationTimestamp")), now));
    json_t *row = json_pack("{s:o}", "cells", cells);
    if (strcmp(include, "Object") == 0)
        json_object_set(row, "object", object);
    else if (strcmp(include, "None") != 0)
        json_object_set_new(row, "object", kube_metadata_only(object, beta));
    return row;
}

static void add_definition(json_t *list, const char *name, const char *type, const char *format,
                           const char *doc, int priority)
{
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", name, "type", type,
                                    "format", format, "description", doc, "priority", priority));
}

static json_t *definitions(const struct kube_kind *kind)
{
    json_t *list = json_array();

    add_definition(list, "Name", "string", "name", "Unique among the kind's objects.", 0);
    for (const struct kube_column *c = kind->columns; c != NULL && c->name != NULL; c++)
        add_definition(list, c->name, strcmp(c->type, "date") == 0 ? "string" : c->type, "", c->doc,
                       c->priority);
    add_definition(list, "Age", "string", "", "How long ago the object was made.", 0);
    return list;
}

json_t *kube_table(const struct kube_kind *kind, const json_t *items, const json_t *list_meta,
                   const struct kube_accept *accept, const char *include, bool columns)
{
    static const char *const list_names[] = {"resourceVersion", "continue", "remainingItemCount"};
    json_t *rows = json_array(), *meta = json_object();
    int64_t now = clock_wall_sec();
    size_t i;
    json_t *item;

    json_array_foreach (items, i, item)
        json_array_append_new(rows, row_of(kind, item, include, accept->beta, now));
    for (size_t at = 0; at < ARRAY_LEN(list_names); at++) {
        json_t *value = json_object_get(list_meta, list_names[at]);
        if (value != NULL)
            json_object_set(meta, list_names[at], value);
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "kind", "Table", "apiVersion",
                     accept->beta ? "meta.k8s.io/v1beta1" : "meta.k8s.io/v1", "metadata", meta,
                     "columnDefinitions", columns ? definitions(kind) : json_array(), "rows", rows);
}
