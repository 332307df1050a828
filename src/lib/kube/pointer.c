/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6901. */
#include "base/mem.h"
#include "base/num.h"
#include "kube/patch.h"

/* "~1" is "/", "~0" is "~"; any other "~" is an error (section 3). */
static int unescape(const char *text, size_t len, char *out, struct err *err)
{
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] != '~') {
            out[at++] = text[i];
            continue;
        }
        i++;
        if (i == len || (text[i] != '0' && text[i] != '1'))
            return err_set(err, ERR_INVALID, "in a JSON pointer '~' must be followed by 0 or 1");
        out[at++] = text[i] == '0' ? '~' : '/';
    }
    out[at] = '\0';
    return 0;
}

int kube_pointer_walk(const char *pointer, kube_pointer_fn *fn, void *ctx, struct err *err)
{
    CLEANUP_FREE char *token = NULL;

    if (*pointer == '\0')
        return 0;
    token = mem_new(strlen(pointer) + 1);
    while (*pointer != '\0') {
        if (*pointer++ != '/')
            return err_set(err, ERR_INVALID, "a JSON pointer must begin with '/'");
        size_t len = strcspn(pointer, "/");
        TRY(unescape(pointer, len, token, err));
        pointer += len;
        TRY(fn(ctx, token, *pointer == '\0', err));
    }
    return 0;
}

int kube_pointer_index(const char *token, size_t count, bool add, size_t *out, struct err *err)
{
    uint64_t index;

    *out = count;
    if (add && strcmp(token, "-") == 0)
        return 0;
    if (num_parse_u64(span_str(token), 0, SIZE_MAX, "index", &index, err) < 0)
        return err_set(err, ERR_INVALID, "\"%.64s\" is no index of a list", token);
    if (index > count || (index == count && !add))
        return err_set(err, ERR_NOT_FOUND, "index %.64s is past the end of a list of %zu", token,
                       count);
    *out = (size_t)index;
    return 0;
}

static int step(void *ctx, const char *token, bool last UNUSED, struct err *err)
{
    json_t **at = ctx;
    size_t index;

    if (json_is_array(*at)) {
        TRY(kube_pointer_index(token, json_array_size(*at), false, &index, err));
        *at = json_array_get(*at, index);
    } else {
        *at = json_object_get(*at, token);
    }
    if (*at == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no \"%.64s\"", token);
    return 0;
}

json_t *kube_pointer_get(json_t *document, const char *pointer, struct err *err)
{
    json_t *at = document;

    return kube_pointer_walk(pointer, step, &at, err) < 0 ? NULL : at;
}
