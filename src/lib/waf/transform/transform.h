/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transformations of SecLang (`t:lowercase`), as ModSecurity v3 does them; where v3 is unclear
 * or wrong, DIFFERENCES.md says what is done instead. Pure functions over bytes; NUL is a byte like
 * any other. Most values need no change: that is found by one scan and costs no memory.
 */
#ifndef DRUN_WAF_TRANSFORM_H
#define DRUN_WAF_TRANSFORM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum waf_transform {
    WAF_T_NONE, /* no transformation: forgets those before it, so it is the rule parser's affair */
    WAF_T_BASE64_DECODE,
    WAF_T_BASE64_DECODE_EXT,
    WAF_T_BASE64_ENCODE,
    WAF_T_CMD_LINE,
    WAF_T_COMPRESS_WHITESPACE,
    WAF_T_CSS_DECODE,
    WAF_T_ESCAPE_SEQ_DECODE,
    WAF_T_HEX_DECODE,
    WAF_T_HEX_ENCODE,
    WAF_T_HTML_ENTITY_DECODE,
    WAF_T_JS_DECODE,
    WAF_T_LENGTH, /* decimal */
    WAF_T_LOWERCASE,
    WAF_T_MD5, /* 16 raw bytes */
    WAF_T_NORMALISE_PATH,
    WAF_T_NORMALISE_PATH_WIN,
    WAF_T_PARITY_EVEN_7BIT,
    WAF_T_PARITY_ODD_7BIT,
    WAF_T_PARITY_ZERO_7BIT,
    WAF_T_REMOVE_COMMENTS,
    WAF_T_REMOVE_COMMENTS_CHAR,
    WAF_T_REMOVE_NULLS,
    WAF_T_REMOVE_WHITESPACE,
    WAF_T_REPLACE_COMMENTS,
    WAF_T_REPLACE_NULLS,
    WAF_T_SHA1, /* 20 raw bytes */
    WAF_T_SQL_HEX_DECODE,
    WAF_T_TRIM,
    WAF_T_TRIM_LEFT,
    WAF_T_TRIM_RIGHT,
    WAF_T_UPPERCASE,
    WAF_T_URL_DECODE,
    WAF_T_URL_DECODE_UNI,
    WAF_T_URL_ENCODE,
    WAF_T_UTF8_TO_UNICODE,
    WAF_T_COUNT
};

/* The name without "t:"; letters' case does not matter, `normalizePath` is `normalisePath`. False:
 * there is no such transformation. */
bool waf_transform_by_name(struct span name, enum waf_transform *out) MUST_USE;
/* As the documentation spells it; static. */
const char *waf_transform_name(enum waf_transform kind);

/* ------------------------------------------------------------------ the unicode map */

/* One code page of SecUnicodeMapFile: for `%uXXXX` of urlDecodeUni. Position-independent; the bytes
 * may lie in a mapped file, aligned on 4. */
struct waf_unicode_map {
    uint32_t count;
    uint32_t pairs[]; /* code point << 8 | byte, ascending */
};

/* Reads `codepage` out of the text of a unicode.mapping file and appends a struct waf_unicode_map
 * to `out`. `what` names the file in errors. -1 with ERR_INVALID or ERR_NOT_FOUND. */
int waf_unicode_map_parse(struct span text, uint32_t codepage, const char *what, struct buf *out,
                          struct err *err) MUST_USE;
/* Whether the bytes are such a map: to be asked once about bytes from a file. */
bool waf_unicode_map_valid(struct span bytes) MUST_USE;

/* ------------------------------------------------------------------ running */

/*
 * True: the value changed, *out is the new one; its bytes lie in the arena, or in `in` (a trimmed
 * value is a part of it). False: nothing changed and *out is `in`. So equal pointer and length mean
 * equal bytes, and the caller can share what was found for the value before.
 *
 * When the arena has no more room, the value is left as it is, and arena_check() says so: ask it
 * once behind all. The arena must have room for 6 bytes per byte of the value at most.
 * `map` may be NULL: no unicode map; only urlDecodeUni looks at it.
 */
bool waf_transform_run(enum waf_transform kind, struct span in, const struct waf_unicode_map *map,
                       struct arena *arena, struct span *out);

#endif
