/* SPDX-License-Identifier: Apache-2.0 */
/* Texts with macros: "Matched %{TX.0} in %{MATCHED_VAR_NAME}". */
#include "waf/compile/compile.h"

/* %{NAME}, %{NAME.key} or %{NAME:key}. What names no variable is text. */
static bool parse_macro(struct compiler *c, struct span inside, struct image_part *out)
{
    size_t len = 0;
    enum waf_var var;

    while (len < inside.len && inside.p[len] != '.' && inside.p[len] != ':')
        len++;
    if (!waf_var_by_name(span_of(inside.p, len), &var))
        return false;
    struct span key = span_of(inside.p + len, inside.len - len);
    if (key.len > 0)
        key = span_of(key.p + 1, key.len - 1);
    *out = (struct image_part){.var = var};
    if (var == VAR_TX && key.len > 0)
        out->slot = 1 + compile_slot(c, key);
    out->text = compile_bytes(c, key);
    return true;
}

static void add_literal(struct compiler *c, struct vec *parts, struct span text)
{
    struct image_part *part;

    if (text.len == 0)
        return;
    part = arena_alloc(c->model->arena, sizeof(*part));
    if (part == NULL)
        return;
    *part = (struct image_part){.var = IMAGE_LITERAL, .text = compile_bytes(c, text)};
    vec_add(parts, part);
}

static const uint8_t *next_macro(struct span text, size_t from, size_t *len)
{
    for (size_t i = from; i + 3 < text.len; i++) {
        if (text.p[i] != '%' || text.p[i + 1] != '{')
            continue;
        const uint8_t *end = memchr(text.p + i, '}', text.len - i);
        if (end == NULL)
            return NULL;
        *len = (size_t)(end - (text.p + i)) + 1;
        return text.p + i;
    }
    return NULL;
}

static struct snapshot_ref put_parts(struct compiler *c, const struct vec *parts)
{
    struct snapshot_ref ref = {.at = snapshot_count(snapshot_writer_view(c->writer), IMAGE_PARTS),
                               .count = (uint32_t)parts->count};

    for (size_t i = 0; i < parts->count; i++)
        snapshot_writer_add(c->writer, IMAGE_PARTS, parts->items[i]);
    return ref;
}

struct snapshot_ref compile_parts(struct compiler *c, struct span text, bool *has_macros)
{
    struct vec parts = {0};
    size_t done = 0;
    size_t from = 0;
    size_t len;

    if (has_macros != NULL)
        *has_macros = false;
    for (const uint8_t *p; (p = next_macro(text, from, &len)) != NULL;) {
        struct image_part *part = arena_alloc(c->model->arena, sizeof(*part));
        size_t at = (size_t)(p - text.p);
        from = at + len;
        if (part == NULL || !parse_macro(c, span_of(p + 2, len - 3), part))
            continue;
        add_literal(c, &parts, span_of(text.p + done, at - done));
        vec_add(&parts, part);
        done = from;
        if (has_macros != NULL)
            *has_macros = true;
    }
    add_literal(c, &parts, span_of(text.p + done, text.len - done));
    struct snapshot_ref ref = put_parts(c, &parts);
    vec_free(&parts);
    return ref;
}
