/* SPDX-License-Identifier: Apache-2.0 */
/* What objects are found by without looking at every one: some fields, and what the kind adds. */
#include "kube/kube_internal.h"

#include <ctype.h>

void kube_terms_add(struct kube_terms *terms, const char *name, const char *value)
{
    INVARIANT(terms->count < KUBE_TERMS_MAX);
    char *room = terms->items[terms->count];

    /* Nothing so long is looked for: an address has at most 254 characters. */
    int len = snprintf(room, KUBE_TERM_SIZE, "%s=%s", name, value);
    if (len >= KUBE_TERM_SIZE)
        return;
    for (char *at = room + strlen(name); *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    terms->count++;
}

void kube_terms_of(const struct kube_kind *kind, const json_t *object, struct kube_terms *out)
{
    out->count = 0;
    for (const char *const *path = kind->indexed; path != NULL && *path != NULL; path++) {
        const char *text = json_string_value(kube_at_path(object, *path));
        if (text != NULL && text[0] != '\0')
            kube_terms_add(out, *path, text);
    }
    if (kind->terms != NULL)
        kind->terms(object, out);
}

const char *kube_term_for(const struct kube_walk *walk, char room[KUBE_TERM_SIZE])
{
    struct kube_terms terms = {0};

    for (const char *const *path = walk->kind->indexed; path != NULL && *path != NULL; path++) {
        const char *value = kube_selector_demands(walk->fields, *path);
        if (value == NULL || value[0] == '\0')
            continue;
        kube_terms_add(&terms, *path, value);
        if (terms.count == 0)
            return NULL;
        snprintf(room, KUBE_TERM_SIZE, "%s", terms.items[0]);
        return room;
    }
    return NULL;
}
