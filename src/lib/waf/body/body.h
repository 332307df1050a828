/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies, query strings and cookies into names and values, as ModSecurity v3 reads them
 * (DIFFERENCES.md has the rest). Every parser here is written for hostile bytes: it works in one
 * pass, in the caller's arena (no heap but for libxml2 and zlib), and ends with an error that says
 * what and at which byte. What was delivered before an error stays delivered.
 */
#ifndef DRUN_WAF_BODY_H
#define DRUN_WAF_BODY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* One argument. Name and value lie in the arena or in the parsed text, and live as long as both. */
struct waf_pair {
    struct span name;  /* decoded */
    struct span value; /* decoded */
    size_t at;         /* where the pair begins in the parsed text */
};

/* Gets each pair in order. False stops the parser, which then returns 0: the receiver has had
 * enough (SecArgumentsLimit). */
struct waf_pair_sink {
    bool (*pair)(void *ctx, const struct waf_pair *pair);
    void *ctx;
};

/* ------------------------------------------------------------------ query strings, urlencoded */

struct waf_urlencoded {
    bool invalid_encoding; /* a % without two hex digits: URLENCODED_ERROR */
};

/* `separator`: SecArgumentSeparator, usually '&'. Bad encodings stand as they are and are flagged.
 * -1 only when the arena is full. */
int waf_urlencoded_parse(struct span text, char separator, const struct waf_pair_sink *sink,
                         struct arena *arena, struct waf_urlencoded *out, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ cookies */

/* A Cookie header (version 0 cookies). Nothing is decoded; nothing can fail. */
void waf_cookies_parse(struct span header, const struct waf_pair_sink *sink);

/* ------------------------------------------------------------------ JSON */

struct waf_json_limits {
    unsigned depth_max; /* SecRequestBodyJsonDepthLimit; v3's default is 10,000 */
};

/*
 * One JSON text into arguments named by their way: {"a":{"b":1}} is json.a.b, {"a":[1,2]} is
 * json.a.array_0 and json.a.array_1. Strings are unescaped, numbers stand as they were written,
 * null is empty. Strict RFC 8259 with valid UTF-8. -1 with ERR_INVALID at "byte N", with
 * ERR_TOO_LARGE when the nesting is over the limit or the arena is full.
 */
int waf_json_parse(struct span text, const struct waf_json_limits *limits,
                   const struct waf_pair_sink *sink, struct arena *arena, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ multipart/form-data */

/* The variables MULTIPART_*; each is 0 or 1 but unmatched_boundary, which v3 sets to 1 (a line
 * looks like a boundary) or 2 (the boundaries were matched to the end). */
struct waf_multipart_flags {
    uint8_t strict_error; /* any of: error and the flags down to file_limit_exceeded */
    uint8_t error;
    uint8_t boundary_quoted;
    uint8_t boundary_whitespace;
    uint8_t data_before;
    uint8_t data_after;
    uint8_t header_folding;
    uint8_t lf_line;
    uint8_t missing_semicolon;
    uint8_t invalid_quoting;
    uint8_t invalid_part;
    uint8_t invalid_header_folding;
    uint8_t file_limit_exceeded;
    uint8_t crlf_lf_lines; /* both kinds of line ends */
    uint8_t unmatched_boundary;
};

struct waf_multipart_limits {
    unsigned files_max;  /* SecUploadFileLimit: more are dropped, and flagged; 0: no limit */
    size_t no_files_max; /* SecRequestBodyNoFilesLimit: fields and headers together; 0: no limit */
};

/* One part, complete but for its data. Lives in the arena. */
struct waf_part {
    struct span name;     /* of Content-Disposition; its escapes resolved */
    struct span filename; /* len 0: none was given, or an empty one */
    bool is_file;
    struct span *headers; /* MULTIPART_PART_HEADERS: each line, folded ones joined */
    size_t header_count;
    size_t at; /* where its data begins in the body */
};

/* Any of the functions may be NULL. All spans live until the function returns, but for the part
 * and what field() gets, which lie in the arena. A part is delivered when it ends:
 *   field   a part that is no file, with its whole value (ARGS_POST)
 *   file_data  bytes of a file as they come, in order; the first call of a file has `part` unseen
 *           before, an empty file has none
 *   file_end   with the sum of its bytes (FILES, FILES_NAMES, FILES_SIZES; FILES_COMBINED_SIZE is
 *           the sum over all)
 * v3 shows nothing of a body that ends in an error: a caller who wants the same keeps what comes
 * here apart until waf_multipart_end() returned 0. */
struct waf_multipart_sink {
    void (*field)(void *ctx, const struct waf_part *part, struct span value);
    void (*file_data)(void *ctx, const struct waf_part *part, struct span bytes);
    void (*file_end)(void *ctx, const struct waf_part *part, uint64_t size);
    void *ctx;
};

struct waf_multipart; /* lies in the arena, nothing to free */

/* `content_type` is the whole header value; -1 with ERR_INVALID when its boundary is unusable
 * (*out can still be asked for its flags). The limits and the sink are copied. */
int waf_multipart_start(struct waf_multipart **out, struct span content_type,
                        const struct waf_multipart_limits *limits,
                        const struct waf_multipart_sink *sink, struct arena *arena,
                        struct err *err) MUST_USE;
/* Chunks of any size; the result does not depend on how the body was cut. After an error every
 * later call returns it again. */
int waf_multipart_feed(struct waf_multipart *mp, struct span chunk, struct err *err) MUST_USE;
/* The body has ended. -1 when it had not: no boundary at all, or not the last one. */
int waf_multipart_end(struct waf_multipart *mp, struct err *err) MUST_USE;
/* At any time, after errors too. */
struct waf_multipart_flags waf_multipart_flags(const struct waf_multipart *mp);
/* The name and filename that were seen last, of a part that failed too: MULTIPART_NAME and
 * MULTIPART_FILENAME. */
struct span waf_multipart_last_name(const struct waf_multipart *mp);
struct span waf_multipart_last_filename(const struct waf_multipart *mp);

/* ------------------------------------------------------------------ XML */

/* A document by libxml2: no network, no files, no external DTD; one that declares entities is
 * refused. Heap memory; libxml2's own limits on depth and size hold. The bytes are kept until the
 * end and parsed then, so that the cut cannot matter; at most 64 MiB. */
struct waf_xml;

struct waf_xml *waf_xml_new(void) MUST_USE;
void waf_xml_free(struct waf_xml *xml);
void waf_xml_free_ptr(struct waf_xml **xml);
/* -1 with ERR_INVALID, line and column. */
int waf_xml_feed(struct waf_xml *xml, struct span chunk, struct err *err) MUST_USE;
int waf_xml_end(struct waf_xml *xml, struct err *err) MUST_USE;

/* Prefixes of the rule's action `xmlns`. */
struct waf_xml_ns {
    const char *prefix;
    const char *href;
};

/* Each node that the XPath expression finds: one pair with an empty name and the node's text, in
 * the arena. Nothing without a document. -1 with ERR_INVALID for an expression that is none. */
int waf_xml_select(struct waf_xml *xml, const char *xpath, const struct waf_xml_ns *ns,
                   size_t ns_count, const struct waf_pair_sink *sink, struct arena *arena,
                   struct err *err) MUST_USE;
/* Whether the text is an XPath expression: for the rule compiler. */
int waf_xml_check_xpath(const char *xpath, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ Content-Encoding */

/* Compressed bodies opened under two ceilings: bytes that come out, and how many per byte that goes
 * in. Heap memory (zlib, brotli), one object for many bodies. */
struct waf_inflate;

struct waf_inflate_limits {
    size_t out_max;     /* bytes of one body */
    unsigned ratio_max; /* output per input, looked at from 64 KiB of output on; 0: any */
};

/* The coding named by Content-Encoding: gzip, x-gzip, deflate (zlib or raw), br, identity; one of
 * them, letters' case does not matter. False: none that is known here. */
bool waf_inflate_known(struct span content_encoding) MUST_USE;

struct waf_inflate *waf_inflate_new(const struct waf_inflate_limits *limits) MUST_USE;
void waf_inflate_free(struct waf_inflate *inflate);
void waf_inflate_free_ptr(struct waf_inflate **inflate);
/* Begins the next body. -1 with ERR_UNSUPPORTED for an unknown coding. */
int waf_inflate_start(struct waf_inflate *inflate, struct span content_encoding,
                      struct err *err) MUST_USE;
/* Appends to `out` what comes out of the chunk. -1: ERR_INVALID (no such data), ERR_TOO_LARGE (a
 * bomb); `out` then holds what came before. */
int waf_inflate_feed(struct waf_inflate *inflate, struct span chunk, struct buf *out,
                     struct err *err) MUST_USE;
/* -1 with ERR_INVALID when the data was cut off. */
int waf_inflate_end(struct waf_inflate *inflate, struct err *err) MUST_USE;

#endif
