/* SPDX-License-Identifier: Apache-2.0 */
/* Of which service the gateway keeps answers, and what stands for the service in their keys. */
#include "api/api_internal.h"

#include "codec/json.h"

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static bool has_condition(const json_t *status, const char *type)
{
    const json_t *condition;
    size_t i;

    json_array_foreach (json_object_get(status, "conditions"), i, condition)
        if (strcmp(codec_json_text(condition, "type", ""), type) == 0)
            return strcmp(codec_json_text(condition, "status", ""), "True") == 0;
    return false;
}

/* While engines of before and of now answer side by side, nobody knows whose answer it is. */
static bool is_of_one_kind(const json_t *object)
{
    const json_t *status = json_object_get(object, "status");

    return number(status, "observedGeneration") ==
               number(json_object_get(object, "metadata"), "generation") &&
           !has_condition(status, "RollingOut");
}

void cache_of(const json_t *object, char room[CACHE_VERSION_SIZE], struct policy_cache_in *out)
{
    const json_t *cache = codec_json_at(object, "spec", "cache", NULL);
    const json_t *metadata = json_object_get(object, "metadata");

    if (cache == NULL || !is_of_one_kind(object))
        return;
    snprintf(room, CACHE_VERSION_SIZE, "%s/%" JSON_INTEGER_FORMAT "/%s",
             codec_json_text(metadata, "uid", ""), number(metadata, "generation"),
             codec_json_text(json_object_get(object, "status"), "modelDigest", ""));
    *out = (struct policy_cache_in){.version = room,
                                    .ttl_sec = (uint32_t)number(cache, "ttlSeconds"),
                                    .max_bytes = (uint32_t)number(cache, "maxBytes")};
}
