/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    char *path = arena_copy(arena, span_of(data, size));
    struct kube_route route;
    struct err err = ERR_INIT;

    if (path == NULL || kube_route_parse(path, arena, &route, &err) < 0)
        return 0;
    INVARIANT(strchr(route.name, '/') == NULL && strcmp(route.name, "..") != 0);
    INVARIANT(route.what != KUBE_ROUTE_RESOURCE || route.resource[0] != '\0');
    return 0;
}
