/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/schema.h"

#include "base/mem.h"

#include <stdarg.h>

void kube_cause(struct kube_causes *causes, const char *reason, const char *path, const char *fmt,
                ...)
{
    va_list args;

    va_start(args, fmt);
    json_t *message = json_vsprintf(fmt, args);
    va_end(args);
    if (message == NULL)
        message = json_string("Invalid value");
    if (causes->list == NULL)
        causes->list = json_array();
    json_array_append_new(causes->list, json_pack("{s:s, s:o, s:s}", "reason", reason, "message",
                                                  message, "field", path));
}

const struct kube_kind *kube_kind_find(const char *group, const char *version, const char *plural)
{
    for (size_t i = 0; kube_kinds[i] != NULL; i++) {
        const struct kube_kind *kind = kube_kinds[i];
        if (kind->special != KUBE_SUBRESOURCE_KIND && strcmp(kind->plural, plural) == 0 &&
            strcmp(kind->group, group) == 0 && strcmp(kind->version, version) == 0)
            return kind;
    }
    return NULL;
}

const struct kube_kind *kube_kind_by_name(const char *group, const char *name)
{
    for (size_t i = 0; kube_kinds[i] != NULL; i++) {
        const struct kube_kind *kind = kube_kinds[i];
        if (strcmp(kind->kind, name) == 0 && strcmp(kind->group, group) == 0)
            return kind;
    }
    return NULL;
}

enum { KINDS_MAX = 128 };

/* Names are put together once a process, so that they can be handed around without an owner. */
static const char *cached(char *cache[KINDS_MAX], const struct kube_kind *kind, const char *fmt,
                          const char *first, const char *second)
{
    size_t at = 0;

    while (at < KINDS_MAX && kube_kinds[at] != NULL && kube_kinds[at] != kind)
        at++;
    INVARIANT(at < KINDS_MAX && kube_kinds[at] == kind);
    if (cache[at] == NULL)
        cache[at] = mem_printf(fmt, first, second);
    return cache[at];
}

const char *kube_kind_api_version(const struct kube_kind *kind)
{
    static char *cache[KINDS_MAX];

    if (kind->group[0] == '\0')
        return kind->version;
    return cached(cache, kind, "%s/%s", kind->group, kind->version);
}

const char *kube_kind_resource(const struct kube_kind *kind)
{
    static char *cache[KINDS_MAX];

    if (kind->group[0] == '\0')
        return kind->plural;
    return cached(cache, kind, "%s.%s", kind->plural, kind->group);
}

const struct kube_field *kube_shape_field(const struct kube_shape *shape, const char *name)
{
    for (const struct kube_field *field = shape->fields; field->name != NULL; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}
