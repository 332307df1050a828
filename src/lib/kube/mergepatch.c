/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7386 section 2. */
#include "codec/json.h"
#include "kube/patch.h"

static json_t *merged(json_t *target, const json_t *patch)
{
    const char *name;
    json_t *value;

    if (!json_is_object(patch))
        return json_deep_copy(patch);
    json_t *result = json_is_object(target) ? json_incref(target) : json_object();
    json_object_foreach ((json_t *)patch, name, value) {
        if (json_is_null(value))
            json_object_del(result, name);
        else
            json_object_set_new(result, name, merged(json_object_get(result, name), value));
    }
    return result;
}

int kube_patch_merge(json_t **target, const json_t *patch, struct err *err)
{
    if (!json_is_object(patch))
        return err_set(err, ERR_INVALID, "a merge patch of an object must be an object");
    json_t *result = merged(*target, patch);
    json_decref(*target);
    *target = result;
    return 0;
}
