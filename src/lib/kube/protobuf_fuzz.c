/* SPDX-License-Identifier: Apache-2.0 */
/* What is read must be a value that the rest can work with. */
#include "codec/json.h"
#include "kube/kinds/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct kube_kind *const kinds[] = {&kube_secret, &kube_cluster_role,
                                                    &kube_service_account};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEANUP_JSON json_t *object = NULL;
        struct kube_causes causes = {0};
        struct err err = ERR_INIT;
        if (kube_protobuf_parse(span_of(data, size), kinds[i]->shape, &object, &err) < 0)
            continue;
        kube_schema_prune(kinds[i]->shape, object, NULL);
        kube_schema_defaults(kinds[i]->shape, object);
        kube_schema_validate(kinds[i]->shape, object, NULL, &causes);
        json_decref(causes.list);
    }
    return 0;
}
