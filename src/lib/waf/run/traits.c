/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes a text has, in one look: most values have none that a transformation would change,
 * and then none of it runs; and none that most patterns cannot be without, and then nobody looks
 * for them. Every mark has a bit, letters and digits share three. */
#include "waf/run/traits.h"

#define BIT(n)      (UINT64_C(1) << (n))
#define HAS_UPPER   BIT(32)
#define HAS_LOWER   BIT(33)
#define HAS_DIGIT   BIT(34)
#define HAS_SPACE   BIT(35)
#define HAS_NEWLINE BIT(36)
#define HAS_RETURN  BIT(37)
#define HAS_TAB     BIT(38) /* and vertical tabs, form feeds */
#define HAS_NUL     BIT(39)
#define HAS_CONTROL BIT(40) /* the others, DEL too */
#define HAS_HIGH    BIT(41)
#define HAS_NBSP    BIT(42) /* one of the two bytes of U+00A0 */

/* isspace(), and U+00A0 */
#define HAS_BLANK     (HAS_SPACE | HAS_NEWLINE | HAS_RETURN | HAS_TAB | HAS_NBSP)
#define HAS_PERCENT   BIT(4)
#define HAS_PLUS      BIT(10)
#define HAS_AMP       BIT(5)
#define HAS_BACKSLASH BIT(23)
#define HAS_SLASH     BIT(14)
#define HAS_DOT       BIT(13)
/* What cmdLine takes away or replaces: " ' ^ , ; */
#define HAS_QUOTE (BIT(1) | BIT(6) | BIT(25) | BIT(11) | BIT(16))
/* * - # < > ! */
#define HAS_COMMENT (BIT(9) | BIT(12) | BIT(2) | BIT(17) | BIT(19) | BIT(0))

static const uint64_t table[256] = {
    [0] = HAS_NUL,
    [1 ... 8] = HAS_CONTROL,
    ['\t'] = HAS_TAB,
    ['\n'] = HAS_NEWLINE,
    ['\v'] = HAS_TAB,
    ['\f'] = HAS_TAB,
    ['\r'] = HAS_RETURN,
    [14 ... 31] = HAS_CONTROL,
    [' '] = HAS_SPACE,
    ['0' ... '9'] = HAS_DIGIT,
    ['A' ... 'Z'] = HAS_UPPER,
    ['a' ... 'z'] = HAS_LOWER,
    [127] = HAS_CONTROL,
    [0x80 ... 0x9f] = HAS_HIGH,
    [0xa0] = HAS_HIGH | HAS_NBSP,
    [0xa1 ... 0xc1] = HAS_HIGH,
    [0xc2] = HAS_HIGH | HAS_NBSP,
    [0xc3 ... 0xff] = HAS_HIGH,
    ['!'] = BIT(0),
    ['"'] = BIT(1),
    ['#'] = BIT(2),
    ['$'] = BIT(3),
    ['%'] = BIT(4),
    ['&'] = BIT(5),
    ['\''] = BIT(6),
    ['('] = BIT(7),
    [')'] = BIT(8),
    ['*'] = BIT(9),
    ['+'] = BIT(10),
    [','] = BIT(11),
    ['-'] = BIT(12),
    ['.'] = BIT(13),
    ['/'] = BIT(14),
    [':'] = BIT(15),
    [';'] = BIT(16),
    ['<'] = BIT(17),
    ['='] = BIT(18),
    ['>'] = BIT(19),
    ['?'] = BIT(20),
    ['@'] = BIT(21),
    ['['] = BIT(22),
    ['\\'] = BIT(23),
    [']'] = BIT(24),
    ['^'] = BIT(25),
    ['_'] = BIT(26),
    ['`'] = BIT(27),
    ['{'] = BIT(28),
    ['|'] = BIT(29),
    ['}'] = BIT(30),
    ['~'] = BIT(31),
};

uint64_t traits_of(struct span text)
{
    uint64_t traits = 0;

    for (size_t i = 0; i < text.len; i++)
        traits |= table[text.p[i]];
    return traits;
}

uint64_t traits_of_byte(uint8_t byte)
{
    return table[byte];
}

static uint64_t needed(enum waf_transform step)
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
    default: return TRAITS_ALWAYS;
    }
}

/* A NUL is odd enough to let every step look at it. */
uint64_t traits_needed(enum waf_transform step)
{
    return step == WAF_T_NONE ? 0 : needed(step) | HAS_NUL;
}

uint64_t traits_decoded(enum waf_transform step)
{
    switch (step) {
    case WAF_T_NONE:
    case WAF_T_LOWERCASE:
    case WAF_T_UPPERCASE:
    case WAF_T_CMD_LINE:
    case WAF_T_REMOVE_WHITESPACE:
    case WAF_T_COMPRESS_WHITESPACE:
    case WAF_T_TRIM:
    case WAF_T_TRIM_LEFT:
    case WAF_T_TRIM_RIGHT:
    case WAF_T_REPLACE_COMMENTS:
    case WAF_T_NORMALISE_PATH: return HAS_NUL;
    default: return traits_needed(step);
    }
}
