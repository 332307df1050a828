/* SPDX-License-Identifier: Apache-2.0 */
/* One part: its header lines, its data, its end. */
#include "waf/body/multipart_internal.h"

#include "base/num.h"

/* ------------------------------------------------------------------ headers */

static struct span without_line_end(struct span line)
{
    while (line.len > 0 && (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\r'))
        line.len--;
    return line;
}

static bool same_name(struct span a, struct span b)
{
    return a.len == b.len && strncasecmp((const char *)a.p, (const char *)b.p, a.len) == 0;
}

static struct span copy(struct waf_multipart *mp, struct span text)
{
    return span_of(arena_copy(mp->arena, text), text.len);
}

/* The line continues the header before it. */
static int fold(struct waf_multipart *mp, struct span line, struct err *err)
{
    struct waf_part *part = mp->part;
    size_t at = 0;

    mp->flags.header_folding = 1;
    for (; at < line.len && multipart_space(line.p[at]); at++)
        if (line.p[at] != ' ' && line.p[at] != '\t')
            mp->flags.invalid_header_folding = 1;
    if (part->header_count == 0)
        return multipart_error(mp, err, "the first header line of a part begins with a blank");
    struct multipart_header *header = &mp->headers[part->header_count - 1];
    struct span more = without_line_end(span_of(line.p + at, line.len - at));
    if (header->value.len + 1 + more.len > MULTIPART_PIECE)
        return multipart_error(mp, err, "a header has over %d bytes", MULTIPART_PIECE);
    const char *whole = arena_printf(mp->arena, "%.*s: %.*s %.*s", SPAN_ARG(header->name),
                                     SPAN_ARG(header->value), SPAN_ARG(more));
    TRY(arena_check(mp->arena, "the multipart body", err));
    part->headers[part->header_count - 1] = span_str(whole);
    header->value = span_of(whole + header->name.len + 2, strlen(whole) - header->name.len - 2);
    return 0;
}

static int new_header(struct waf_multipart *mp, struct span line, struct err *err)
{
    struct waf_part *part = mp->part;
    const uint8_t *colon = memchr(line.p, ':', line.len);

    if (colon == NULL)
        return multipart_error(mp, err, "a header line of a part has no colon");
    if (colon == line.p)
        return multipart_error(mp, err, "a header line of a part has no name");
    if (part->header_count == MULTIPART_HEADER_MAX)
        return multipart_error(mp, err, "a part has over %d header lines", MULTIPART_HEADER_MAX);
    if (part->headers == NULL)
        part->headers = arena_alloc_array(mp->arena, MULTIPART_HEADER_MAX, sizeof(*part->headers));
    struct span kept = copy(mp, without_line_end(line));
    TRY(arena_check(mp->arena, "the multipart body", err));
    struct span name = span_of(kept.p, (size_t)(colon - line.p));
    struct span value = span_of(kept.p + name.len + 1, kept.len - name.len - 1);
    while (value.len > 0 && (*value.p == ' ' || *value.p == '\t'))
        value = span_of(value.p + 1, value.len - 1);
    for (size_t i = 0; i < part->header_count; i++)
        if (same_name(mp->headers[i].name, name))
            return multipart_error(mp, err, "a part has the header %.*s twice",
                                   (int)NUM_MIN(name.len, (size_t)40), (const char *)name.p);
    part->headers[part->header_count] = kept;
    mp->headers[part->header_count++] = (struct multipart_header){name, value};
    return 0;
}

/* The empty line: from here on it is data. */
static int end_of_headers(struct waf_multipart *mp, struct err *err)
{
    struct waf_part *part = mp->part;
    const struct multipart_header *found = NULL;

    for (size_t i = 0; i < part->header_count; i++)
        if (same_name(mp->headers[i].name, span_str("Content-Disposition")))
            found = &mp->headers[i];
    if (found == NULL)
        return multipart_error(mp, err, "a part has no Content-Disposition");
    TRY(multipart_disposition(mp, found->value, err));
    if (part->name.len == 0)
        return multipart_error(mp, err, "the Content-Disposition of a part has no name");
    part->is_file = part->filename.len > 0;
    /* Servers with cruder parsers must find it where it was found here. */
    if (part->is_file && memmem(found->value.p, found->value.len, "filename=", 9) == NULL)
        return multipart_error(mp, err, "the Content-Disposition of a part hides its filename");
    mp->state = MULTIPART_DATA;
    if (part->is_file && mp->limits.files_max > 0 && mp->files >= mp->limits.files_max) {
        mp->flags.file_limit_exceeded = 1;
        mp->dropped = true;
    }
    mp->files += part->is_file;
    return 0;
}

int multipart_header_line(struct waf_multipart *mp, struct span line, struct err *err)
{
    bool crlf = line.len > 1 && line.p[line.len - 2] == '\r';

    if (memchr(line.p, '\0', line.len) != NULL)
        return multipart_error(mp, err, "a header line of a part has a NUL");
    mp->no_files += line.len;
    if (crlf)
        mp->crlf_line = true;
    else
        mp->flags.lf_line = 1;
    if (line.len == 1 || (line.len == 2 && crlf)) {
        mp->part->at = (size_t)mp->at + line.len;
        return end_of_headers(mp, err);
    }
    return multipart_space(line.p[0]) ? fold(mp, line, err) : new_header(mp, line, err);
}

/* ------------------------------------------------------------------ data */

static int add_to_value(struct waf_multipart *mp, struct span bytes, struct err *err)
{
    size_t need = mp->value_len + bytes.len;

    if (need > mp->value_room) {
        size_t room = NUM_MAX(NUM_MAX(mp->value_room * 2, need), (size_t)MULTIPART_FIELD_FIRST);
        uint8_t *value = arena_alloc(mp->arena, room);
        TRY(arena_check(mp->arena, "the multipart body", err));
        if (mp->value_len > 0)
            memcpy(value, mp->value, mp->value_len);
        mp->value = value;
        mp->value_room = room;
    }
    if (bytes.len > 0)
        memcpy(mp->value + mp->value_len, bytes.p, bytes.len);
    mp->value_len = need;
    return 0;
}

static int put(struct waf_multipart *mp, struct span bytes, struct err *err)
{
    if (bytes.len == 0)
        return 0;
    mp->part_size += bytes.len;
    if (!mp->part->is_file) {
        mp->no_files += bytes.len;
        return add_to_value(mp, bytes, err);
    }
    if (mp->sink.file_data != NULL && !mp->dropped)
        mp->sink.file_data(mp->sink.ctx, mp->part, bytes);
    return 0;
}

int multipart_data(struct waf_multipart *mp, struct span piece, struct err *err)
{
    size_t line_end = 0;

    if (piece.p[piece.len - 1] == '\n')
        line_end = piece.len > 1 && piece.p[piece.len - 2] == '\r' ? 2 : 1;
    mp->data_read = true;
    TRY(put(mp, span_of(mp->reserve, mp->reserve_len), err));
    TRY(put(mp, span_of(piece.p, piece.len - line_end), err));
    memcpy(mp->reserve, piece.p + piece.len - line_end, line_end);
    mp->reserve_len = line_end;
    return 0;
}

int multipart_part_end(struct waf_multipart *mp, struct err *err)
{
    const struct waf_part *part = mp->part;

    (void)err;
    if (mp->state != MULTIPART_DATA || part->name.len == 0) {
        mp->flags.invalid_part = 1;
        return 0;
    }
    if (!part->is_file && mp->sink.field != NULL)
        mp->sink.field(mp->sink.ctx, part, span_of(mp->value, mp->value_len));
    if (part->is_file && mp->sink.file_end != NULL && !mp->dropped)
        mp->sink.file_end(mp->sink.ctx, part, mp->part_size);
    return 0;
}
