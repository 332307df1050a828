/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a request's strings. */
#include "openai/walk.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 64 };

void openai_texts_free(struct openai_texts *texts)
{
    free(texts->text);
    *texts = (struct openai_texts){0};
}

const char *openai_role_name(enum openai_role role)
{
    static const char *const names[] = {
        [OPENAI_NO_ROLE] = "",          [OPENAI_SYSTEM] = "system",
        [OPENAI_USER] = "user",         [OPENAI_DEVELOPER] = "developer",
        [OPENAI_TOOL] = "tool",         [OPENAI_ASSISTANT] = "assistant",
        [OPENAI_FUNCTION] = "function",
    };

    return names[role];
}

void openai_text_decode(struct span raw, struct buf *out)
{
    const uint8_t *p = raw.p;
    const uint8_t *end = raw.p + raw.len;

    while (p < end) {
        const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
        const uint8_t *stop = slash == NULL ? end : slash;
        buf_put(out, p, (size_t)(stop - p));
        p = stop < end ? stop + scan_escape_put(stop, end, out) : end;
    }
}

/* ------------------------------------------------------------------ base64 and data URLs */

/* Some write a slash with an escape before it, as JSON allows. */
static bool is_escaped_slash(struct span text, size_t at)
{
    return text.p[at] == '\\' && at + 1 < text.len && text.p[at + 1] == '/';
}

/* RFC 4648 sections 4 and 5. */
static bool is_base64(struct span text)
{
    size_t padding = 0;

    while (padding < 2 && padding < text.len && text.p[text.len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.len - padding; i++) {
        uint8_t c = text.p[i];
        bool good = (uint8_t)((c | 0x20) - 'a') < 26 || (uint8_t)(c - '0') < 10 || c == '+' ||
                    c == '/' || c == '-' || c == '_' || is_escaped_slash(text, i);
        if (!good)
            return false;
    }
    return text.len > padding;
}

/* data:image/png;base64,... (RFC 2397): of the media type's characters none is a control. */
static bool is_data_url(struct span text)
{
    static const char mark[] = ";base64,";
    enum { TYPE_MAX = 128 };

    if (!span_has_prefix(text, "data:"))
        return false;
    const uint8_t *type = text.p + strlen("data:");
    size_t near = NUM_MIN(text.len - strlen("data:"), (size_t)TYPE_MAX);
    const uint8_t *at = memmem(type, near, mark, sizeof(mark) - 1);
    if (at == NULL)
        return false;
    for (const uint8_t *p = type; p < at; p++)
        if (*p <= ' ' || *p >= 0x7F ||
            (*p == '\\' && !is_escaped_slash(text, (size_t)(p - text.p))))
            return false;
    const uint8_t *from = at + sizeof(mark) - 1;
    return is_base64(span_of(from, (size_t)(text.p + text.len - from)));
}

static bool data_fits(struct walk *walk, struct span text, unsigned flags)
{
    if (text.len > OPENAI_DATA_MAX)
        return walk_fault(walk, WALK_HERE, "string_above_max_length",
                          "is longer than %d characters", OPENAI_DATA_MAX);
    if (((flags & BARE) == 0 && is_data_url(text)) || ((flags & LINK) == 0 && is_base64(text)))
        return true;
    return walk_fault(walk, WALK_HERE, "invalid_value", "must be %s",
                      (flags & BARE) != 0   ? "base64"
                      : (flags & DATA) != 0 ? "base64, or a data URL with it"
                                            : "a data URL: data:TYPE/SUBTYPE;base64,...");
}

/* Fills in the kind of a string that names or holds something. */
static bool data_kind(struct walk *walk, const struct schema *schema, struct span text,
                      uint8_t *kind)
{
    if ((schema->flags & (DATA | BARE)) != 0) {
        *kind = OPENAI_DATA;
        return data_fits(walk, text, schema->flags);
    }
    if (span_has_prefix(text, "https:") || span_has_prefix(text, "http:")) {
        walk->out->remote = true;
        return true;
    }
    *kind = OPENAI_DATA;
    return data_fits(walk, text, schema->flags);
}

/* ------------------------------------------------------------------ the table */

static bool make_room(struct walk *walk)
{
    struct openai_texts *texts = walk->texts;

    if (texts->count < texts->room)
        return true;
    if (texts->count == OPENAI_TEXTS_MAX)
        return walk_fault(walk, WALK_HERE, "too_many_texts",
                          "is one string more than the %d that a request may have",
                          OPENAI_TEXTS_MAX);
    texts->room =
        texts->room == 0 ? ROOM_FIRST : NUM_MIN(2 * texts->room, (size_t)OPENAI_TEXTS_MAX);
    texts->text = mem_resize_array(texts->text, texts->room, sizeof(*texts->text));
    return true;
}

bool walk_text(struct walk *walk, const struct schema *schema, const struct scan_string *string)
{
    uint8_t kind = (schema->flags & FREE) != 0                 ? walk->inside
                   : (schema->flags & (PROMPT | WRITTEN)) != 0 ? OPENAI_PROSE
                                                               : OPENAI_OTHER;

    if ((schema->flags & (DATA | BARE | LINK)) != 0 && !data_kind(walk, schema, string->raw, &kind))
        return false;
    if (walk->texts == NULL)
        return true;
    if (!make_room(walk))
        return false;
    walk->texts->text[walk->texts->count++] = (struct openai_text){
        .at = (uint32_t)(string->raw.p - walk->scan.start),
        .len = (uint32_t)string->raw.len,
        .index = walk->index,
        .kind = kind,
        .role = walk->role,
        .escaped = string->escaped,
    };
    return true;
}

void walk_texts_role(struct walk *walk, size_t from)
{
    for (size_t i = from; walk->texts != NULL && i < walk->texts->count; i++)
        walk->texts->text[i].role = walk->role;
}
