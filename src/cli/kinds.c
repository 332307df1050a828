/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kinds.h"

#include "base/buf.h"
#include "base/mem.h"

#include <strings.h>

enum { PATH_MAX_LEN = 64 * 1024 };

static bool is_called(const struct kube_kind *kind, const char *name, size_t len)
{
    const char *const names[] = {kind->kind, kind->plural, kind->singular};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0)
            return true;
    for (size_t i = 0; kind->short_names != NULL && kind->short_names[i] != NULL; i++)
        if (strlen(kind->short_names[i]) == len && strncmp(kind->short_names[i], name, len) == 0)
            return true;
    return false;
}

int kinds_find(const char *name, const struct kube_kind **out, struct err *err)
{
    const char *dot = strchr(name, '.');
    size_t len = dot == NULL ? strlen(name) : (size_t)(dot - name);

    for (size_t i = 0; kube_kinds[i] != NULL; i++)
        if (is_called(kube_kinds[i], name, len) &&
            (dot == NULL || strcmp(kube_kinds[i]->group, dot + 1) == 0)) {
            *out = kube_kinds[i];
            return 0;
        }
    return err_set(err, ERR_NOT_FOUND, "there is no kind \"%s\"", name);
}

int kinds_of_object(const char *api_version, const char *kind, const struct kube_kind **out,
                    struct err *err)
{
    const char *slash = strchr(api_version, '/');
    size_t group_len = slash == NULL ? 0 : (size_t)(slash - api_version);
    const char *version = slash == NULL ? api_version : slash + 1;

    for (size_t i = 0; kube_kinds[i] != NULL; i++)
        if (strcmp(kube_kinds[i]->kind, kind) == 0 &&
            strcmp(kube_kinds[i]->version, version) == 0 &&
            strlen(kube_kinds[i]->group) == group_len &&
            strncmp(kube_kinds[i]->group, api_version, group_len) == 0) {
            *out = kube_kinds[i];
            return 0;
        }
    return err_set(err, ERR_NOT_FOUND, "there is no kind %s in %s", kind, api_version);
}

/* RFC 3986 section 3.3: what may stand in a segment as it is; "system:admin" stays readable. */
static void put_segment(struct buf *out, const char *text)
{
    static const char plain[] = "-._~:@!$&'()*+,;=";

    for (const char *c = text; *c != '\0'; c++)
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            strchr(plain, *c) != NULL)
            buf_put_u8(out, (uint8_t)*c);
        else
            buf_printf(out, "%%%02X", (unsigned)(uint8_t)*c);
}

char *kinds_path(const struct kube_kind *kind, const char *namespace, const char *name)
{
    CLEANUP(buf_free) struct buf path = BUF_INIT(PATH_MAX_LEN);
    bool core = kind->group[0] == '\0';

    buf_printf(&path, "/%s%s%s/%s/", core ? "api" : "apis", core ? "" : "/", kind->group,
               kind->version);
    if (kind->namespaced && namespace != NULL) {
        buf_put_str(&path, "namespaces/");
        put_segment(&path, namespace);
        buf_put_str(&path, "/");
    }
    buf_put_str(&path, kind->plural);
    if (name != NULL) {
        buf_put_str(&path, "/");
        put_segment(&path, name);
    }
    return mem_strdup(buf_text(&path));
}
