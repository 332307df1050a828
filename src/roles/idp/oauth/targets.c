/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/idp_internal.h"

#include "codec/json.h"
#include "idp/oauth/oauth.h"

static bool has(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
            return true;
    return false;
}

static bool is_allowed(const struct idp *idp, const struct client *client, const json_t *granted,
                       const char *target)
{
    if (json_array_size(granted) > 0)
        return has(granted, target);
    return strcmp(target, idp->url) == 0 || has(client->audiences, target);
}

/* A token for the platform is for nobody else: another resource could use it here. */
static bool mixes_the_platform(const struct idp *idp, const json_t *targets)
{
    return json_array_size(targets) > 1 && (has(targets, idp->url) || has(targets, IDP_AUDIENCE));
}

int targets_read(struct idp *idp, const struct client *client, const struct form *form,
                 const json_t *granted, json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *targets = NULL;

    *out = NULL;
    for (size_t i = 0; i < form->resource_count; i++) {
        const char *target = form->resource[i];
        if (strchr(target, '#') != NULL || strchr(target, ':') == NULL)
            return err_set(err, ERR_INVALID, "a resource must be an absolute URI");
        if (!is_allowed(idp, client, granted, target))
            return err_set(err, ERR_INVALID, "the client may not have tokens for this resource");
        if (targets == NULL)
            targets = json_array();
        if (!has(targets, target))
            json_array_append_new(targets, json_string(target));
    }
    if (mixes_the_platform(idp, targets))
        return err_set(err, ERR_INVALID, "a token for the platform can be for nothing else");
    *out = targets;
    targets = NULL;
    return 0;
}

json_t *targets_audience(const struct idp *idp, const json_t *targets, struct span scope)
{
    json_t *audience = json_array();
    const char *own = oauth_scope_has(scope, IDP_AUDIENCE) ? IDP_AUDIENCE : idp->url;
    const json_t *target;
    size_t i;

    json_array_foreach (targets, i, target)
        json_array_append_new(audience, strcmp(json_string_value(target), idp->url) == 0
                                            ? json_string(own)
                                            : json_string(json_string_value(target)));
    if (json_array_size(audience) == 0)
        json_array_append_new(audience, json_string(own));
    return audience;
}
