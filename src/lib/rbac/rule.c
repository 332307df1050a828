/* SPDX-License-Identifier: Apache-2.0 */
/* The semantics of k8s.io/api/rbac/v1, written to be read: the compiled evaluator is tested against
 * this one. */
#include "rbac/rule.h"

bool rbac_combined_resource(const struct rbac_request *request, char room[RBAC_TEXT_MAX],
                            struct span *out)
{
    struct span resource = request->resource;
    struct span sub = request->subresource;

    *out = resource;
    if (sub.len == 0)
        return true;
    if (resource.len + 1 + sub.len > RBAC_TEXT_MAX)
        return false;
    if (resource.len > 0)
        memcpy(room, resource.p, resource.len);
    room[resource.len] = '/';
    memcpy(room + resource.len + 1, sub.p, sub.len);
    *out = span_of(room, resource.len + 1 + sub.len);
    return true;
}

static bool list_has(const struct rbac_list *list, struct span item)
{
    for (size_t i = 0; i < list->count; i++)
        if (span_eq(list->items[i], item))
            return true;
    return false;
}

static bool list_allows(const struct rbac_list *list, struct span item)
{
    return list_has(list, span_str("*")) || list_has(list, item);
}

/* True for "*" + "/" + subresource. */
static bool is_any_with(struct span item, struct span subresource)
{
    return item.len == subresource.len + 2 && span_has_prefix(item, "*/") &&
           span_eq(span_of(item.p + 2, item.len - 2), subresource);
}

static bool list_has_any_with(const struct rbac_list *list, struct span subresource)
{
    for (size_t i = 0; i < list->count; i++)
        if (is_any_with(list->items[i], subresource))
            return true;
    return false;
}

static bool resource_matches(const struct rbac_list *list, const struct rbac_request *request)
{
    char room[RBAC_TEXT_MAX];
    struct span combined;

    if (list_has(list, span_str("*")))
        return true;
    if (rbac_combined_resource(request, room, &combined) && list_has(list, combined))
        return true;
    return request->subresource.len > 0 && list_has_any_with(list, request->subresource);
}

bool rbac_url_matches(struct span pattern, struct span path)
{
    if (span_eq(pattern, path))
        return true;
    if (pattern.len == 0 || pattern.p[pattern.len - 1] != '*')
        return false;
    while (pattern.len > 0 && pattern.p[pattern.len - 1] == '*')
        pattern.len--;
    return path.len >= pattern.len && span_eq(span_of(path.p, pattern.len), pattern);
}

static bool any_url_matches(const struct rbac_list *urls, struct span path)
{
    for (size_t i = 0; i < urls->count; i++)
        if (rbac_url_matches(urls->items[i], path))
            return true;
    return false;
}

bool rbac_rule_allows(const struct rbac_rule *rule, const struct rbac_request *request)
{
    if (!list_allows(&rule->verbs, request->verb))
        return false;
    if (request->path.len > 0)
        return any_url_matches(&rule->urls, request->path);
    return list_allows(&rule->groups, request->api_group) &&
           resource_matches(&rule->resources, request) &&
           (rule->names.count == 0 || list_has(&rule->names, request->name));
}

bool rbac_rules_allow(const struct rbac_rules *rules, const struct rbac_request *request)
{
    for (size_t i = 0; i < rules->count; i++)
        if (rbac_rule_allows(&rules->items[i], request))
            return true;
    return false;
}

/* ---------------------------------------------------------------- covering */

static bool resource_covered(const struct rbac_list *owned, struct span resource)
{
    if (list_allows(owned, resource))
        return true;
    const uint8_t *slash = resource.len > 0 ? memchr(resource.p, '/', resource.len) : NULL;
    if (slash == NULL)
        return false;
    size_t before = (size_t)(slash + 1 - resource.p);
    return list_has_any_with(owned, span_of(slash + 1, resource.len - before));
}

static bool rule_covers(const struct rbac_rule *owner, const struct rbac_tuple *tuple)
{
    if (!list_allows(&owner->verbs, tuple->verb))
        return false;
    if (tuple->url.p != NULL)
        return any_url_matches(&owner->urls, tuple->url);
    if (!list_allows(&owner->groups, tuple->group) ||
        !resource_covered(&owner->resources, tuple->resource))
        return false;
    return owner->names.count == 0 ||
           (tuple->name.p != NULL && list_has(&owner->names, tuple->name));
}

static bool rules_cover_tuple(const struct rbac_rules *owner, const struct rbac_tuple *tuple)
{
    for (size_t i = 0; i < owner->count; i++)
        if (rule_covers(&owner->items[i], tuple))
            return true;
    return false;
}

/* Resource, group and name by verb. */
static bool covers_resources(const struct rbac_rules *owner, const struct rbac_rule *rule,
                             struct span verb, struct rbac_tuple *tuple)
{
    static const struct span every_name = {0};
    struct rbac_list names = rule->names;

    if (names.count == 0)
        names = (struct rbac_list){&every_name, 1};
    for (size_t g = 0; g < rule->groups.count; g++)
        for (size_t r = 0; r < rule->resources.count; r++)
            for (size_t n = 0; n < names.count; n++) {
                *tuple = (struct rbac_tuple){.verb = verb,
                                             .group = rule->groups.items[g],
                                             .resource = rule->resources.items[r],
                                             .name = names.items[n]};
                if (!rules_cover_tuple(owner, tuple))
                    return false;
            }
    return true;
}

static bool covers_urls(const struct rbac_rules *owner, const struct rbac_rule *rule,
                        struct span verb, struct rbac_tuple *tuple)
{
    for (size_t u = 0; u < rule->urls.count; u++) {
        *tuple = (struct rbac_tuple){.verb = verb, .url = rule->urls.items[u]};
        if (!rules_cover_tuple(owner, tuple))
            return false;
    }
    return true;
}

bool rbac_rules_cover(const struct rbac_rules *owner, const struct rbac_rules *servant,
                      struct rbac_tuple *missing)
{
    for (size_t i = 0; i < servant->count; i++) {
        const struct rbac_rule *rule = &servant->items[i];
        for (size_t v = 0; v < rule->verbs.count; v++)
            if (!covers_resources(owner, rule, rule->verbs.items[v], missing) ||
                !covers_urls(owner, rule, rule->verbs.items[v], missing))
                return false;
    }
    return true;
}
