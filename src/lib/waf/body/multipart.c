/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multipart/form-data: pieces of lines, boundaries, and what looks like one. The flags are those of
 * ModSecurity, whose rules about them (200003, 200004) are older than this parser.
 */
#include "waf/body/multipart_internal.h"

#include "base/num.h"

#include <stdarg.h>

int multipart_error(struct waf_multipart *mp, struct err *err, const char *fmt, ...)
{
    char text[160];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    mp->flags.error = 1;
    return err_set(err, ERR_INVALID, "the multipart body is wrong near byte %llu: %s",
                   (unsigned long long)mp->at, text);
}

/* Where `text` is; NULL: nowhere. */
static const uint8_t *find(struct span in, const uint8_t *from, struct span text)
{
    return memmem(from, in.len - (size_t)(from - in.p), text.p, text.len);
}

static bool starts(struct span line, size_t at, struct span text)
{
    return line.len >= at + text.len && memcmp(line.p + at, text.p, text.len) == 0;
}

/* ------------------------------------------------------------------ boundaries */

/* The part before is over, and the next one begins unless it was the last. */
static int pass_boundary(struct waf_multipart *mp, bool final, struct err *err)
{
    if (mp->state != MULTIPART_BEFORE)
        TRY(multipart_part_end(mp, err));
    mp->boundaries++;
    mp->state = final ? MULTIPART_AFTER : MULTIPART_HEADERS;
    if (final)
        return 0;
    mp->part = arena_alloc(mp->arena, sizeof(*mp->part));
    mp->data_read = false;
    mp->reserve_len = 0;
    mp->part_size = 0;
    mp->value = NULL;
    mp->value_len = 0;
    mp->value_room = 0;
    mp->dropped = false;
    return arena_check(mp->arena, "the multipart body", err);
}

/* A line that begins with two dashes and the boundary. */
static int boundary_line(struct waf_multipart *mp, struct span line, struct err *err)
{
    struct span rest = span_of(line.p + 2 + mp->boundary.len, line.len - 2 - mp->boundary.len);
    bool final = rest.len >= 2 && rest.p[0] == '-' && rest.p[1] == '-';

    if (mp->boundaries > 0)
        mp->flags.unmatched_boundary = 2;
    if (final)
        rest = span_of(rest.p + 2, rest.len - 2);
    if (!span_eq_str(rest, "\r\n") && !span_eq_str(rest, "\n"))
        return multipart_error(mp, err, "something follows the boundary in its line");
    if (rest.len == 1)
        mp->flags.lf_line = 1;
    else
        mp->crlf_line = true;
    return pass_boundary(mp, final, err);
}

/* A line with two dashes in front that is not the boundary. */
static int almost_boundary(struct waf_multipart *mp, struct span line, struct err *err)
{
    size_t at = 2;

    if (mp->flags.boundary_quoted && line.p[2] == '"' && starts(line, 3, mp->boundary))
        return multipart_error(mp, err, "the boundary stands in quotes");
    while (at < line.len && multipart_space(line.p[at]))
        at++;
    if (at > 2 && starts(line, at, mp->boundary))
        return multipart_error(mp, err, "white space stands before the boundary");
    mp->flags.unmatched_boundary = 1;
    return 0;
}

/* Whether the boundary, with its dashes, stands anywhere inside. */
static bool hides_boundary(const struct waf_multipart *mp, struct span line)
{
    for (const uint8_t *at = line.p; (at = find(line, at, mp->boundary)) != NULL; at++)
        if (at - line.p >= 2 && at[-1] == '-' && at[-2] == '-')
            return true;
    return false;
}

/* 1: it was a boundary; 0: it is data. */
static int look_for_boundary(struct waf_multipart *mp, struct span line, struct err *err)
{
    /* Up to a NUL, as the parsers behind may read it. */
    const uint8_t *nul = memchr(line.p, '\0', line.len);
    struct span text = span_of(line.p, nul == NULL ? line.len : (size_t)(nul - line.p));

    if (text.len <= 3 || text.p[0] != '-' || text.p[1] != '-') {
        if (hides_boundary(mp, line))
            mp->flags.unmatched_boundary = 1;
        return 0;
    }
    if (!starts(text, 2, mp->boundary))
        return almost_boundary(mp, text, err);
    if (mp->after_bare_lf)
        mp->flags.lf_line = 1;
    if (mp->boundaries > 0 && !mp->data_read) {
        mp->flags.invalid_part = 1; /* it stands where data must begin */
        return 0;
    }
    return boundary_line(mp, line, err) < 0 ? -1 : 1;
}

/* ------------------------------------------------------------------ pieces */

/* A line or a part of a long one. */
static int take_piece(struct waf_multipart *mp, struct span piece, struct err *err)
{
    bool whole = piece.p[piece.len - 1] == '\n';
    int boundary = mp->at_line_start ? look_for_boundary(mp, piece, err) : 0;

    TRY(boundary);
    if (boundary == 0 && mp->state == MULTIPART_BEFORE) {
        mp->flags.data_before = 1;
    } else if (boundary == 0 && mp->state == MULTIPART_HEADERS) {
        if (!whole || piece.len == MULTIPART_PIECE)
            return multipart_error(mp, err, "a header line has over %d bytes", MULTIPART_PIECE);
        TRY(multipart_header_line(mp, piece, err));
    } else if (boundary == 0) {
        TRY(multipart_data(mp, piece, err));
    }
    mp->at += piece.len;
    mp->at_line_start = whole;
    if (whole)
        mp->after_bare_lf = piece.len > 1 ? piece.p[piece.len - 2] != '\r' : true;
    if (mp->limits.no_files_max > 0 && mp->no_files > mp->limits.no_files_max)
        return err_set(err, ERR_TOO_LARGE,
                       "the multipart body without its files has over %zu bytes",
                       mp->limits.no_files_max);
    return 0;
}

/* How many bytes at the front of `bytes`, behind `have` that were kept, complete a piece; 0: more
 * are needed. A CR is never the last byte of a piece, so that CR LF stays together. */
static size_t piece_end(struct span bytes, size_t have)
{
    size_t room = MULTIPART_PIECE - have;
    size_t len = NUM_MIN(bytes.len, room);
    const uint8_t *lf = memchr(bytes.p, '\n', len);

    if (lf != NULL)
        return (size_t)(lf - bytes.p) + 1;
    return len < room ? 0 : len;
}

static int feed(struct waf_multipart *mp, struct span chunk, struct err *err)
{
    while (chunk.len > 0 && mp->state != MULTIPART_AFTER) {
        size_t len = piece_end(chunk, mp->piece_len);
        size_t take = len == 0 ? chunk.len : len;
        struct span piece = span_of(chunk.p, take);
        if (len == 0 || mp->piece_len > 0) {
            memcpy(mp->piece + mp->piece_len, chunk.p, take);
            mp->piece_len += take;
            piece = span_of(mp->piece, mp->piece_len);
        }
        chunk = span_of(chunk.p + take, chunk.len - take);
        if (len == 0)
            return 0;
        bool keep_cr = piece.p[piece.len - 1] == '\r';
        piece.len -= keep_cr;
        mp->piece_len = 0;
        TRY(take_piece(mp, piece, err));
        if (keep_cr)
            mp->piece[mp->piece_len++] = '\r';
    }
    if (chunk.len > 0)
        mp->flags.data_after = 1;
    return 0;
}

/* ------------------------------------------------------------------ from outside */

static int known_failure(const struct waf_multipart *mp, struct err *err)
{
    if (mp->failed.code == ERR_NONE)
        return 0;
    *err = mp->failed;
    return -1;
}

static int remember(struct waf_multipart *mp, int rc, const struct err *err)
{
    if (rc < 0)
        mp->failed = *err;
    return rc;
}

int waf_multipart_start(struct waf_multipart **out, struct span content_type,
                        const struct waf_multipart_limits *limits,
                        const struct waf_multipart_sink *sink, struct arena *arena, struct err *err)
{
    struct waf_multipart *mp = arena_alloc(arena, sizeof(*mp));

    *out = mp;
    TRY(arena_check(arena, "the multipart body", err));
    mp->limits = *limits;
    mp->sink = *sink;
    mp->arena = arena;
    mp->at_line_start = true;
    return remember(mp, multipart_read_type(mp, content_type, err), err);
}

int waf_multipart_feed(struct waf_multipart *mp, struct span chunk, struct err *err)
{
    TRY(known_failure(mp, err));
    return remember(mp, feed(mp, chunk, err), err);
}

/* The last boundary may come without its line end. */
static int end(struct waf_multipart *mp, struct err *err)
{
    struct span line = span_of(mp->piece, mp->piece_len);

    if (mp->state == MULTIPART_AFTER || (mp->at == 0 && line.len == 0))
        return 0;
    if (mp->boundaries == 0)
        return err_set(err, ERR_INVALID, "the multipart body has no boundary");
    if (!mp->at_line_start || line.len != mp->boundary.len + 4 || !starts(line, 2, mp->boundary) ||
        memcmp(line.p, "--", 2) != 0 || memcmp(line.p + line.len - 2, "--", 2) != 0)
        return err_set(err, ERR_INVALID, "the multipart body ends without its last boundary");
    if (mp->after_bare_lf)
        mp->flags.lf_line = 1;
    if (!mp->data_read)
        mp->flags.invalid_part = 1;
    mp->piece_len = 0;
    return pass_boundary(mp, true, err);
}

int waf_multipart_end(struct waf_multipart *mp, struct err *err)
{
    TRY(known_failure(mp, err));
    return remember(mp, end(mp, err), err);
}

struct waf_multipart_flags waf_multipart_flags(const struct waf_multipart *mp)
{
    struct waf_multipart_flags f = mp->flags;

    f.crlf_lf_lines = mp->crlf_line && f.lf_line;
    f.strict_error = f.error || f.boundary_quoted || f.boundary_whitespace || f.data_before ||
                     f.data_after || f.header_folding || f.lf_line || f.missing_semicolon ||
                     f.invalid_quoting || f.invalid_part || f.invalid_header_folding ||
                     f.file_limit_exceeded;
    return f;
}

struct span waf_multipart_last_name(const struct waf_multipart *mp)
{
    return mp->last_name;
}

struct span waf_multipart_last_filename(const struct waf_multipart *mp)
{
    return mp->last_filename;
}
