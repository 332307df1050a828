/* SPDX-License-Identifier: Apache-2.0 */
/* The subresource scale: spec.replicas of an object, as autoscaling/v1 has it. */
#include "kube/kinds/kinds.h"
#include "kube/kube_internal.h"

bool kube_is_scale(const struct kube_call *call)
{
    return call->other != NULL && call->other->body == &kube_scale;
}

static json_t *number_of(const json_t *object, const char *part)
{
    const json_t *number = codec_json_at(object, part, "replicas", NULL);

    return json_integer(json_integer_value(number));
}

json_t *kube_scale_of(const json_t *object)
{
    static const char *const kept[] = {"name", "namespace", "uid", "resourceVersion",
                                       "creationTimestamp"};
    const json_t *meta = json_object_get(object, "metadata");
    json_t *shown = json_object();

    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        json_object_set(shown, kept[i], json_object_get(meta, kept[i]));
    return json_pack("{s:s, s:s, s:o, s:{s:o}, s:{s:o}}", "kind", kube_scale.kind, "apiVersion",
                     kube_kind_api_version(&kube_scale), "metadata", shown, "spec", "replicas",
                     number_of(object, "spec"), "status", "replicas", number_of(object, "status"));
}

int kube_put_scale(struct kube_call *call, json_t *scale, const json_t *old, int64_t revision)
{
    static const char *const conditions[] = {"uid", "resourceVersion"};
    json_t *object = kube_keep(call, json_deep_copy(old));
    const json_t *meta = json_object_get(scale, "metadata");
    struct kube_causes causes = {0};

    kube_schema_defaults(kube_scale.shape, scale);
    kube_schema_validate(kube_scale.shape, scale, NULL, &causes);
    if (causes.list != NULL) {
        kube_keep(call, causes.list);
        return kube_refuse_invalid(call, kube_name_of(old), &causes);
    }
    json_object_set(json_object_get(object, "spec"), "replicas",
                    codec_json_at(scale, "spec", "replicas", NULL));
    /* What the scale was made of must still be so, when it says what that was. */
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
        json_object_del(kube_meta(object), conditions[i]);
        json_object_set(kube_meta(object), conditions[i], json_object_get(meta, conditions[i]));
    }
    return kube_replace(call, object, old, revision);
}
