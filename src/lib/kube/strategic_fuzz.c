/* SPDX-License-Identifier: Apache-2.0 */
/* A ModelService and a strategic merge patch, each one line. Applying a patch without directives
 * twice gives what once gives. */
#include "base/buf.h"
#include "codec/json.h"
#include "kube/kinds/kinds.h"
#include "kube/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    CLEANUP_JSON json_t *document = NULL;
    CLEANUP_JSON json_t *patch = NULL;
    struct err err = ERR_INIT;

    if (end == NULL)
        return 0;
    struct span first = span_of(data, (size_t)(end - data));
    struct span second = span_of(end + 1, size - first.len - 1);
    if (codec_json_parse(first, "document", &document, &err) < 0 ||
        codec_json_parse(second, "patch", &patch, &err) < 0)
        return 0;
    if (kube_patch_strategic(&document, patch, kube_model_service.shape, &err) < 0)
        return 0;
    CLEANUP_JSON json_t *once = json_deep_copy(document);
    if (memchr(second.p, '$', second.len) != NULL || memchr(second.p, '\\', second.len) != NULL)
        return 0;
    INVARIANT(kube_patch_strategic(&document, patch, kube_model_service.shape, &err) == 0);
    INVARIANT(json_equal(once, document));
    return 0;
}
