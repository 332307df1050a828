/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the multipart parser. For this folder. */
#ifndef DRUN_WAF_MULTIPART_INTERNAL_H
#define DRUN_WAF_MULTIPART_INTERNAL_H

#include "waf/body/body.h"

enum {
    MULTIPART_PIECE = 4096,     /* a line is looked at in pieces of at most so many bytes */
    MULTIPART_HEADER_MAX = 64,  /* header lines of one part */
    MULTIPART_TYPE_MAX = 1024,  /* of the Content-Type header */
    MULTIPART_RESERVE = 2,      /* a line end, which may belong to the boundary behind it */
    MULTIPART_FIELD_FIRST = 256 /* room of a value to begin with */
};

enum multipart_state { MULTIPART_BEFORE, MULTIPART_HEADERS, MULTIPART_DATA, MULTIPART_AFTER };

struct multipart_header {
    struct span name;
    struct span value;
};

struct waf_multipart {
    struct waf_multipart_limits limits;
    struct waf_multipart_sink sink;
    struct arena *arena;
    struct err failed; /* the first error */
    struct waf_multipart_flags flags;
    bool crlf_line; /* a line ended in CR LF */
    struct span boundary;

    /* the lines */
    uint8_t piece[MULTIPART_PIECE];
    size_t piece_len;
    bool at_line_start; /* the piece begins a line */
    bool after_bare_lf; /* the line before ended in LF alone */
    bool cr_before;     /* the byte before the piece was a CR */
    uint64_t at;        /* of the piece in the body */

    /* the parts */
    enum multipart_state state;
    size_t boundaries;
    size_t files;
    size_t no_files; /* bytes of headers and fields */
    struct waf_part *part;
    bool data_read; /* of this part */
    struct multipart_header headers[MULTIPART_HEADER_MAX];
    uint8_t reserve[MULTIPART_RESERVE];
    size_t reserve_len;
    uint64_t part_size;
    uint8_t *value; /* of a field, so far */
    size_t value_len;
    size_t value_room;
    bool dropped; /* a file over the limit */
    struct span last_name;
    struct span last_filename;
};

static inline bool multipart_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Each notes the error in mp->flags and returns -1. */
int multipart_error(struct waf_multipart *mp, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* The boundary out of the Content-Type header. */
int multipart_read_type(struct waf_multipart *mp, struct span type, struct err *err) MUST_USE;
/* One header line of a part, with its line end; the empty one, too, which ends the headers. */
int multipart_header_line(struct waf_multipart *mp, struct span line, struct err *err) MUST_USE;
/* Name and filename out of a Content-Disposition value, into mp->part. */
int multipart_disposition(struct waf_multipart *mp, struct span value, struct err *err) MUST_USE;
/* Data of the part, a piece as it was read. */
int multipart_data(struct waf_multipart *mp, struct span piece, struct err *err) MUST_USE;
/* The part is over: it goes to the sink. */
int multipart_part_end(struct waf_multipart *mp, struct err *err) MUST_USE;

#endif
