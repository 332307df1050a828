/* SPDX-License-Identifier: Apache-2.0 */
/* What the transformations share. For this folder. */
#ifndef DRUN_WAF_TRANSFORM_INTERNAL_H
#define DRUN_WAF_TRANSFORM_INTERNAL_H

#include "waf/transform/transform.h"

#include "base/num.h"

struct transform {
    struct span in;
    const struct waf_unicode_map *map;
    struct arena *arena;
    uint8_t *room; /* of the new value */
    struct span out;
};

/* One transformation: true when t->out is a new value. */
typedef bool transform_fn(struct transform *t);

/* Room for a new value of at most `max` bytes (at least 1), whose first `same` are those of the old
 * one; returns where the next byte goes. NULL: the arena is full. */
static inline uint8_t *transform_begin(struct transform *t, size_t same, size_t max)
{
    t->room = arena_alloc(t->arena, max);
    if (t->room == NULL)
        return NULL;
    if (same > 0)
        memcpy(t->room, t->in.p, same);
    return t->room + same;
}

/* The new value ends at `end`. */
static inline bool transform_end(struct transform *t, const uint8_t *end)
{
    t->out = span_of(t->room, (size_t)(end - t->room));
    return !span_eq(t->in, t->out);
}

/*
 * Defines `static size_t name(const uint8_t *p, size_t len)`: the index of the first byte for which
 * `cond`, an expression of the byte `c`, holds; len when there is none. Written without a branch
 * per byte, so that compilers turn it into vector code.
 */
#define TRANSFORM_SCAN(name, cond)                                                                 \
    static size_t name(const uint8_t *p, size_t len)                                               \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; len - i >= TRANSFORM_BLOCK; i += TRANSFORM_BLOCK) {                                 \
            uint8_t any = 0;                                                                       \
            for (size_t k = 0; k < TRANSFORM_BLOCK; k++) {                                         \
                uint8_t c = p[i + k];                                                              \
                any |= (uint8_t)(cond);                                                            \
            }                                                                                      \
            if (any != 0)                                                                          \
                break;                                                                             \
        }                                                                                          \
        for (; i < len; i++) {                                                                     \
            uint8_t c = p[i];                                                                      \
            if (cond)                                                                              \
                break;                                                                             \
        }                                                                                          \
        return i;                                                                                  \
    }
/* As TRANSFORM_SCAN, `cond` being of the byte `c` and the one behind it, `n`. The last byte is
 * looked at with 0 behind it. */
#define TRANSFORM_SCAN_PAIRS(name, cond)                                                           \
    static size_t name(const uint8_t *p, size_t len)                                               \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; len - i > TRANSFORM_BLOCK; i += TRANSFORM_BLOCK) {                                  \
            uint8_t any = 0;                                                                       \
            for (size_t k = 0; k < TRANSFORM_BLOCK; k++) {                                         \
                uint8_t c = p[i + k];                                                              \
                uint8_t n = p[i + k + 1];                                                          \
                any |= (uint8_t)(cond);                                                            \
            }                                                                                      \
            if (any != 0)                                                                          \
                break;                                                                             \
        }                                                                                          \
        for (; i < len; i++) {                                                                     \
            uint8_t c = p[i];                                                                      \
            uint8_t n = i + 1 < len ? p[i + 1] : 0;                                                \
            if (cond)                                                                              \
                break;                                                                             \
        }                                                                                          \
        return i;                                                                                  \
    }
enum { TRANSFORM_BLOCK = 32 };

/* The index of the first such byte; len when there is none. */
static inline size_t transform_find(struct span in, uint8_t c)
{
    const uint8_t *at = in.len == 0 ? NULL : memchr(in.p, c, in.len);

    return at == NULL ? in.len : (size_t)(at - in.p);
}

/* ASCII only, whatever the locale. The conditions use no branch, for TRANSFORM_SCAN. */
#define IS_UPPER(c)  ((uint8_t)((c) - 'A') < 26)
#define IS_LOWER(c)  ((uint8_t)((c) - 'a') < 26)
#define IS_DIGIT(c)  ((uint8_t)((c) - '0') < 10)
#define IS_OCTAL(c)  ((uint8_t)((c) - '0') < 8)
#define IS_ALPHA(c)  ((uint8_t)(((c) | 0x20) - 'a') < 26)
#define IS_XDIGIT(c) (IS_DIGIT(c) | ((uint8_t)(((c) | 0x20) - 'a') < 6))
#define IS_SPACE(c)  (((c) == ' ') | ((uint8_t)((c) - '\t') < 5))

/* The value of a hex digit; of any other byte what ModSecurity makes of it (hexDecode depends on
 * that). */
static inline unsigned transform_digit(uint8_t c)
{
    return (c >= 'A' ? (unsigned)((c & 0xDF) - 'A') + 10 : (unsigned)(c - '0')) & 0xFF;
}

static inline uint8_t transform_byte(const uint8_t *two)
{
    return (uint8_t)(transform_digit(two[0]) * 16 + transform_digit(two[1]));
}

/* What a %uXXXX or \uXXXX is without a map: the low byte; the full-width forms of ASCII (U+FF01 to
 * U+FF5E) are their ASCII. `digits` are the four. */
static inline uint8_t transform_wide(const uint8_t digits[4])
{
    uint8_t low = transform_byte(digits + 2);
    bool full = (digits[0] | 0x20) == 'f' && (digits[1] | 0x20) == 'f';

    return full && low > 0x00 && low < 0x5F ? (uint8_t)(low + 0x20) : low;
}

static inline bool transform_four_digits(const uint8_t *p)
{
    return IS_XDIGIT(p[0]) && IS_XDIGIT(p[1]) && IS_XDIGIT(p[2]) && IS_XDIGIT(p[3]);
}

transform_fn transform_base64_decode, transform_base64_decode_ext, transform_base64_encode;
transform_fn transform_hex_decode, transform_hex_encode, transform_sql_hex_decode;
transform_fn transform_url_decode, transform_url_decode_uni, transform_url_encode;
transform_fn transform_js_decode, transform_css_decode, transform_escape_seq_decode;
transform_fn transform_html_entity_decode, transform_utf8_to_unicode;
transform_fn transform_lowercase, transform_uppercase, transform_cmd_line;
transform_fn transform_compress_whitespace, transform_remove_whitespace;
transform_fn transform_trim, transform_trim_left, transform_trim_right;
transform_fn transform_remove_nulls, transform_replace_nulls;
transform_fn transform_remove_comments, transform_remove_comments_char;
transform_fn transform_replace_comments;
transform_fn transform_normalise_path, transform_normalise_path_win;
transform_fn transform_length, transform_md5, transform_sha1;
transform_fn transform_parity_even, transform_parity_odd, transform_parity_zero;

#endif
