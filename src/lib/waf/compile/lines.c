/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/compile/lines.h"

struct reader {
    struct span text;
    size_t at;
    struct lines *lines;
    struct buf *out;
};

static uint8_t peek(const struct reader *reader, size_t ahead)
{
    size_t at = reader->at + ahead;

    return at < reader->text.len ? reader->text.p[at] : 0;
}

static void copy(struct reader *reader, size_t len)
{
    for (; len > 0 && reader->at < reader->text.len; len--)
        buf_put(reader->out, reader->text.p + reader->at++, 1);
}

static void put_anchor(struct reader *reader, const char *anchor)
{
    reader->lines->anchored = true;
    buf_put_str(reader->out, anchor);
    reader->at += 2;
}

static void note_newline(struct reader *reader, const char *names)
{
    if (peek(reader, 1) != 0 && strchr(names, peek(reader, 1)) != NULL)
        reader->lines->newline = true;
}

static bool read_escape(struct reader *reader)
{
    note_newline(reader, "nrR");
    switch (peek(reader, 1)) {
    case 'A': put_anchor(reader, "^"); return true;
    case 'z':
    case 'Z': put_anchor(reader, "$"); return true;
    case 'G':
    case 'K':
    case 'Q': return false;
    default: copy(reader, 2); return true;
    }
}

/* Up to the bracket that ends it; one that comes first does not. */
static void read_class(struct reader *reader)
{
    copy(reader, peek(reader, 1) == '^' ? 2 : 1);
    copy(reader, peek(reader, 0) == ']' ? 1 : 0);
    while (reader->at < reader->text.len && peek(reader, 0) != ']') {
        if (peek(reader, 0) == '\\') {
            note_newline(reader, "nr");
            copy(reader, 2);
        } else if (peek(reader, 0) == '[' && peek(reader, 1) == ':') {
            while (reader->at < reader->text.len &&
                   !(peek(reader, 0) == ':' && peek(reader, 1) == ']'))
                copy(reader, 1);
            copy(reader, 2);
        } else {
            copy(reader, 1);
        }
    }
    copy(reader, 1);
}

/* Flags are taken when they switch nothing off, and leave blanks and # what they are. */
static bool read_group(struct reader *reader)
{
    size_t at = 2;

    if (peek(reader, 1) == '*')
        return false;
    if (peek(reader, 1) == '?') {
        while ((peek(reader, at) | 0x20) >= 'a' && (peek(reader, at) | 0x20) <= 'z' &&
               peek(reader, at) != 'x')
            at++;
        if (peek(reader, at) == '-' || peek(reader, at) == '^' || peek(reader, at) == 'x' ||
            peek(reader, at) == '#')
            return false;
    }
    copy(reader, 1);
    return true;
}

static bool read_one(struct reader *reader)
{
    switch (peek(reader, 0)) {
    case '\\': return read_escape(reader);
    case '(': return read_group(reader);
    case '[': read_class(reader); return true;
    case '^':
    case '$': reader->lines->anchored = true; break;
    case '\n':
    case '\r': reader->lines->newline = true; break;
    default: break;
    }
    copy(reader, 1);
    return true;
}

bool lines_of(struct span pattern, struct lines *lines, struct buf *out)
{
    struct reader reader = {.text = pattern, .lines = lines, .out = out};

    *lines = (struct lines){0};
    while (reader.at < pattern.len)
        if (!read_one(&reader))
            return false;
    return true;
}
