/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "codec/json.h"
#include "kube/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = mem_strndup(size > 0 ? (const char *)data : "", size);
    CLEANUP_JSON json_t *document =
        json_pack("{s:[i,{s:i}], s:i, s:i}", "a", 1, "b", 2, "~/", 3, "", 4);
    struct err err = ERR_INIT;
    json_t *found = kube_pointer_get(document, text, &err);

    INVARIANT((found == NULL) == (err.code != ERR_NONE));
    return 0;
}
