/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/shape.h"

#include "base/attr.h"

struct cutter {
    struct span body;
    size_t at;
    size_t kept; /* up to here everything was given out */
    shape_piece_fn *piece;
    void *ctx;
    unsigned depth;
    bool is_array[SHAPE_DEPTH_MAX]; /* by depth */
    unsigned objects;               /* that are open */
    bool in_metadata;               /* of the object at the top */
};

static const char *const object_members[] = {"apiVersion", "kind", "metadata",
                                             "op",         "path", "from"};
static const char *const metadata_cut[] = {"annotations", "managedFields"};

static bool is_among(struct span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_eq(name, span_str(names[i])))
            return true;
    return false;
}

static bool is_cut(const struct cutter *cutter, struct span name)
{
    if (cutter->objects == 1)
        return !is_among(name, object_members, ARRAY_LEN(object_members));
    return cutter->objects == 2 && cutter->in_metadata &&
           is_among(name, metadata_cut, ARRAY_LEN(metadata_cut));
}

static bool more(const struct cutter *cutter)
{
    return cutter->at < cutter->body.len;
}

static uint8_t next(const struct cutter *cutter)
{
    return cutter->body.p[cutter->at];
}

static void skip_blanks(struct cutter *cutter)
{
    while (more(cutter) && (next(cutter) == ' ' || next(cutter) == '\t' || next(cutter) == '\n' ||
                            next(cutter) == '\r'))
        cutter->at++;
}

/* At the first quote; afterwards behind the last one, or at the end. */
static struct span take_string(struct cutter *cutter)
{
    size_t start = ++cutter->at;

    while (more(cutter) && next(cutter) != '"')
        cutter->at += next(cutter) == '\\' ? 2 : 1;
    if (cutter->at > cutter->body.len)
        cutter->at = cutter->body.len;
    struct span text = span_of(cutter->body.p + start, cutter->at - start);
    if (more(cutter))
        cutter->at++;
    return text;
}

/* Behind a whole value, whatever is in it. */
static void skip_value(struct cutter *cutter)
{
    unsigned open = 0;

    while (more(cutter)) {
        uint8_t c = next(cutter);
        if (c == '"') {
            (void)take_string(cutter);
        } else if (open == 0 && (c == ',' || c == '}' || c == ']')) {
            return;
        } else {
            cutter->at++;
            open += c == '{' || c == '[';
            open -= c == '}' || c == ']';
        }
        if (open == 0 && (c == '"' || c == '}' || c == ']'))
            return;
    }
}

static void give(struct cutter *cutter, size_t to)
{
    if (to > cutter->kept)
        cutter->piece(cutter->ctx, span_of(cutter->body.p + cutter->kept, to - cutter->kept));
}

static void cut_value(struct cutter *cutter)
{
    skip_blanks(cutter);
    give(cutter, cutter->at);
    skip_value(cutter);
    cutter->kept = cutter->at;
    cutter->piece(cutter->ctx, span_str("\"\""));
}

/* A text; a member's name is one with a colon behind it, in an object. */
static void on_string(struct cutter *cutter)
{
    struct span name = take_string(cutter);

    if (cutter->depth == 0 || cutter->is_array[cutter->depth - 1])
        return;
    skip_blanks(cutter);
    if (!more(cutter) || next(cutter) != ':')
        return;
    cutter->at++;
    if (is_cut(cutter, name))
        cut_value(cutter);
    else if (cutter->objects == 1)
        cutter->in_metadata = span_eq(name, span_str("metadata"));
}

/* False: it is nested too deep to be followed. */
static bool on_open(struct cutter *cutter, bool is_array)
{
    if (cutter->depth == SHAPE_DEPTH_MAX)
        return false;
    cutter->is_array[cutter->depth++] = is_array;
    cutter->objects += !is_array;
    return true;
}

static bool on_close(struct cutter *cutter)
{
    if (cutter->depth == 0)
        return false;
    cutter->objects -= !cutter->is_array[--cutter->depth];
    return true;
}

static bool step(struct cutter *cutter)
{
    uint8_t c = next(cutter);

    if (c == '"') {
        on_string(cutter);
        return true;
    }
    cutter->at++;
    if (c == '{' || c == '[')
        return on_open(cutter, c == '[');
    if (c == '}' || c == ']')
        return on_close(cutter);
    return true;
}

void shape_cut(enum shape shape, struct span body, shape_piece_fn *piece, void *ctx)
{
    struct cutter cutter = {.body = body, .piece = piece, .ctx = ctx};

    while (shape != SHAPE_WHOLE && more(&cutter) && step(&cutter))
        ;
    give(&cutter, body.len);
}
