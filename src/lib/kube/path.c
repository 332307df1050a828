/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/path.h"

#include <stdarg.h>

static size_t append(struct kube_path *path, const char *fmt, ...) PRINTF_LIKE(2, 3);

static size_t append(struct kube_path *path, const char *fmt, ...)
{
    size_t before = path->len;
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(path->text + path->len, sizeof(path->text) - path->len, fmt, args);
    va_end(args);
    if (len > 0)
        path->len += (size_t)len;
    if (path->len >= sizeof(path->text))
        path->len = sizeof(path->text) - 1;
    return before;
}

size_t kube_path_name(struct kube_path *path, const char *name)
{
    return append(path, "%s%s", path->len > 0 ? "." : "", name);
}

size_t kube_path_index(struct kube_path *path, size_t index)
{
    return append(path, "[%zu]", index);
}

size_t kube_path_key(struct kube_path *path, const char *key)
{
    return append(path, "[%s]", key);
}

void kube_path_cut(struct kube_path *path, size_t len)
{
    path->len = len;
    path->text[len] = '\0';
}
