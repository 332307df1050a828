/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"
#include "kube/kinds/kinds.h"
#include "kube/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    CLEANUP_JSON json_t *object =
        json_pack("{s:{s:s, s:{s:s, s:s}}}", "metadata", "name", "a", "labels", "a", "b", "n", "1");
    char *text = arena_copy(arena, span_of(data, size));
    struct kube_selector *selector;
    struct err err = ERR_INIT;

    if (text == NULL)
        return 0;
    if (kube_selector_labels(text, arena, &selector, &err) == 0)
        (void)kube_selector_matches_labels(selector, object);
    if (kube_selector_fields(text, &kube_user, arena, &selector, &err) == 0)
        (void)kube_selector_matches_fields(selector, object);
    return 0;
}
