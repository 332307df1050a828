/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes a text has, in one look: most values have none that a transformation would change,
 * and then none of it runs. */
#include "waf/run/traits.h"

enum trait {
    HAS_UPPER = 1,
    HAS_LOWER = 2,
    HAS_BLANK = 4, /* isspace(), and the two bytes of U+00A0 */
    HAS_NUL = 8,
    HAS_HIGH = 16,
    HAS_PERCENT = 32,
    HAS_PLUS = 64,
    HAS_AMP = 128,
    HAS_BACKSLASH = 256,
    HAS_QUOTE = 512, /* what cmdLine takes away or replaces: " ' ^ , ; */
    HAS_SLASH = 1024,
    HAS_DOT = 2048,
    HAS_COMMENT = 4096, /* * - # < > ! */
    ALWAYS = -1,
};

static const uint16_t table[256] = {
    [0] = HAS_NUL,
    [9 ... 13] = HAS_BLANK,
    [' '] = HAS_BLANK,
    ['A' ... 'Z'] = HAS_UPPER,
    ['a' ... 'z'] = HAS_LOWER,
    ['%'] = HAS_PERCENT,
    ['+'] = HAS_PLUS,
    ['&'] = HAS_AMP,
    ['\\'] = HAS_BACKSLASH,
    ['"'] = HAS_QUOTE,
    ['\''] = HAS_QUOTE,
    ['^'] = HAS_QUOTE,
    [','] = HAS_QUOTE,
    [';'] = HAS_QUOTE,
    ['/'] = HAS_SLASH,
    ['.'] = HAS_DOT,
    ['*'] = HAS_COMMENT,
    ['-'] = HAS_COMMENT,
    ['#'] = HAS_COMMENT,
    ['<'] = HAS_COMMENT,
    ['>'] = HAS_COMMENT,
    ['!'] = HAS_COMMENT,
    [0x80 ... 0x9f] = HAS_HIGH,
    [0xa0] = HAS_HIGH | HAS_BLANK,
    [0xa1 ... 0xc1] = HAS_HIGH,
    [0xc2] = HAS_HIGH | HAS_BLANK,
    [0xc3 ... 0xff] = HAS_HIGH,
};

uint32_t traits_of(struct span text)
{
    uint32_t traits = 0;

    for (size_t i = 0; i < text.len; i++)
        traits |= table[text.p[i]];
    return traits;
}

static uint32_t needed(enum waf_transform step)
{
    switch (step) {
    case WAF_T_NONE: return 0;
    case WAF_T_LOWERCASE: return HAS_UPPER;
    case WAF_T_UPPERCASE: return HAS_LOWER;
    case WAF_T_URL_DECODE:
    case WAF_T_URL_DECODE_UNI: return HAS_PERCENT | HAS_PLUS;
    case WAF_T_HTML_ENTITY_DECODE: return HAS_AMP;
    case WAF_T_JS_DECODE:
    case WAF_T_CSS_DECODE:
    case WAF_T_ESCAPE_SEQ_DECODE: return HAS_BACKSLASH;
    case WAF_T_CMD_LINE: return HAS_UPPER | HAS_BACKSLASH | HAS_QUOTE | HAS_BLANK;
    case WAF_T_REMOVE_NULLS:
    case WAF_T_REPLACE_NULLS: return HAS_NUL;
    case WAF_T_REMOVE_WHITESPACE:
    case WAF_T_COMPRESS_WHITESPACE: return HAS_BLANK;
    case WAF_T_TRIM:
    case WAF_T_TRIM_LEFT:
    case WAF_T_TRIM_RIGHT: return HAS_BLANK | HAS_NUL;
    case WAF_T_REMOVE_COMMENTS:
    case WAF_T_REMOVE_COMMENTS_CHAR: return HAS_SLASH | HAS_COMMENT | HAS_NUL;
    case WAF_T_REPLACE_COMMENTS: return HAS_SLASH;
    case WAF_T_NORMALISE_PATH:
    case WAF_T_NORMALISE_PATH_WIN: return HAS_SLASH | HAS_DOT | HAS_BACKSLASH;
    case WAF_T_UTF8_TO_UNICODE: return HAS_HIGH;
    default: return (uint32_t)ALWAYS;
    }
}

/* A NUL is odd enough to let every step look at it. */
uint32_t traits_needed(enum waf_transform step)
{
    return step == WAF_T_NONE ? 0 : needed(step) | HAS_NUL;
}
