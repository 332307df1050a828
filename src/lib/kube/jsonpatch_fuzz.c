/* SPDX-License-Identifier: Apache-2.0 */
/* A document and a JSON patch, each one line. */
#include "base/buf.h"
#include "codec/json.h"
#include "kube/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    CLEANUP_JSON json_t *document = NULL;
    CLEANUP_JSON json_t *patch = NULL;
    CLEANUP(buf_free) struct buf text = BUF_INIT(64 << 20);
    struct err err = ERR_INIT;

    if (end == NULL)
        return 0;
    struct span first = span_of(data, (size_t)(end - data));
    struct span second = span_of(end + 1, size - first.len - 1);
    if (codec_json_parse(first, "document", &document, &err) < 0 ||
        codec_json_parse(second, "patch", &patch, &err) < 0)
        return 0;
    CLEANUP_JSON json_t *other = json_deep_copy(document);
    if (kube_patch_json(&document, patch, &err) == 0)
        codec_json_put(document, &text);
    if (kube_patch_merge(&other, patch, &err) == 0)
        codec_json_put(other, &text);
    return 0;
}
