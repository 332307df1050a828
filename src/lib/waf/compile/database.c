/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/compile/database.h"
#include "waf/compile/lines.h"
#include "waf/compile/phrases.h"

#include "base/mem.h"

#include <hs/hs.h>

void database_free(struct expressions *e)
{
    for (size_t i = 0; i < e->count; i++)
        free(e->texts[i]);
    free(e->texts);
    free(e->flags);
    free(e->ids);
}

static void add_expression(struct expressions *e, char *text, unsigned flags, unsigned id)
{
    if (e->count == e->cap) {
        e->cap = e->cap == 0 ? 256 : 2 * e->cap;
        e->texts = mem_resize_array(e->texts, e->cap, sizeof(*e->texts));
        e->flags = mem_resize_array(e->flags, e->cap, sizeof(*e->flags));
        e->ids = mem_resize_array(e->ids, e->cap, sizeof(*e->ids));
    }
    e->texts[e->count] = text;
    e->flags[e->count] = flags;
    e->ids[e->count++] = id;
}

static bool is_known(const char *text, unsigned flags)
{
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *why = NULL;
    bool good = hs_expression_info(text, flags, &info, &why) == HS_SUCCESS;

    free(info);
    hs_free_compile_error(why);
    return good;
}

static bool add_regex(struct compiler *c, struct expressions *e, struct span text, unsigned id)
{
    unsigned flags = HS_FLAG_DOTALL | HS_FLAG_MULTILINE | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY;
    struct lines lines;

    buf_reset(&c->scratch);
    if (!lines_of(text, &lines, &c->scratch) || c->scratch.overflowed)
        return false;
    text = buf_span(&c->scratch);
    if (text.len > 0 && memchr(text.p, '\0', text.len) != NULL)
        return false;
    CLEANUP_FREE char *copy = mem_strndup((const char *)text.p, text.len);
    if (!is_known(copy, flags))
        flags |= HS_FLAG_PREFILTER;
    if (!is_known(copy, flags))
        return false;
    add_expression(e, copy, flags, id);
    e->anchored |= lines.anchored;
    copy = NULL;
    return true;
}

static void add_phrase(struct expressions *e, struct span phrase, unsigned id)
{
    char *text = mem_new(phrase.len * 4 + 1);

    for (size_t i = 0; i < phrase.len; i++)
        snprintf(text + i * 4, 5, "\\x%02x", phrase.p[i]);
    add_expression(e, text, HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH, id);
}

struct each_phrase {
    struct expressions *e;
    unsigned id;
};

static void on_phrase(void *ctx, struct span phrase)
{
    struct each_phrase *each = ctx;

    add_phrase(each->e, phrase, each->id);
}

bool database_add(struct compiler *c, struct expressions *e, uint32_t id)
{
    const struct snapshot *view = snapshot_writer_view(c->writer);
    const struct image_pattern *patterns = snapshot_records(view, IMAGE_PATTERNS);
    struct span bytes = image_bytes(view, patterns[id].bytes);
    struct each_phrase each = {.e = e, .id = id};

    if (patterns[id].kind == IMAGE_REGEX)
        return add_regex(c, e, bytes, id);
    phrases_each(bytes, on_phrase, &each);
    return true;
}

bool database_has(const struct expressions *e, uint32_t id)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->ids[i] == id)
            return true;
    return false;
}

static void drop(struct expressions *e, size_t at)
{
    free(e->texts[at]);
    e->count--;
    memmove(e->texts + at, e->texts + at + 1, (e->count - at) * sizeof(*e->texts));
    memmove(e->flags + at, e->flags + at + 1, (e->count - at) * sizeof(*e->flags));
    memmove(e->ids + at, e->ids + at + 1, (e->count - at) * sizeof(*e->ids));
}

/* What the database cannot take is first taken as a prefilter, then left out. */
static hs_database_t *build(struct expressions *e)
{
    while (e->count > 0) {
        hs_database_t *database = NULL;
        hs_compile_error_t *why = NULL;
        if (hs_compile_multi((const char *const *)e->texts, e->flags, e->ids, (unsigned)e->count,
                             HS_MODE_BLOCK, NULL, &database, &why) == HS_SUCCESS)
            return database;
        int at = why != NULL ? why->expression : -1;
        hs_free_compile_error(why);
        if (at < 0 || (size_t)at >= e->count)
            return NULL;
        if ((e->flags[at] & HS_FLAG_PREFILTER) == 0)
            e->flags[at] |= HS_FLAG_PREFILTER;
        else
            drop(e, (size_t)at);
    }
    return NULL;
}

int database_put(struct compiler *c, struct expressions *e, struct snapshot_ref *out,
                 struct err *err)
{
    hs_database_t *database = build(e);
    char *bytes = NULL;
    size_t len = 0;

    *out = (struct snapshot_ref){0};
    if (database == NULL)
        return 0;
    if (hs_serialize_database(database, &bytes, &len) != HS_SUCCESS) {
        hs_free_database(database);
        return err_set(err, ERR_INTERNAL, "the database of patterns cannot be written");
    }
    *out = compile_aligned(c, span_of(bytes, len));
    free(bytes);
    hs_free_database(database);
    return 0;
}
