/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/text.h"

enum { CROWD = 32 };

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t text_decode(const uint8_t *p, size_t left, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80   ? 1
                 : p[0] < 0xC2 ? 0
                 : p[0] < 0xE0 ? 2
                 : p[0] < 0xF0 ? 3
                 : p[0] < 0xF5 ? 4
                               : 0;
    uint32_t value = len == 1   ? p[0]
                     : len == 2 ? p[0] & 0x1FU
                     : len == 3 ? p[0] & 0x0FU
                                : p[0] & 7U;

    *point = 0xFFFD;
    if (len == 0)
        return 1;
    for (size_t i = 1; i < len; i++) {
        if (i == left)
            return 0;
        if (!is_continuation(p[i]))
            return 1;
        value = value << 6 | (p[i] & 0x3FU);
    }
    if (value < least[len] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 1;
    *point = value;
    return len;
}

static size_t encode(uint32_t point, uint8_t out[4])
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xC0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xE0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | point >> 18);
    out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (point & 0x3F));
    return 4;
}

/* ------------------------------------------------------------------ look-alikes */

static bool between(uint32_t point, uint32_t low, uint32_t high)
{
    return point >= low && point <= high;
}

/* Letters of other scripts that look like one of ASCII in every common font (UTS #39). */
static uint32_t twin(uint32_t point)
{
    static const struct {
        uint16_t point;
        char ascii;
    } twins[] = {{0x0391, 'A'}, {0x0392, 'B'}, {0x0395, 'E'}, {0x0396, 'Z'}, {0x0397, 'H'},
                 {0x0399, 'I'}, {0x039A, 'K'}, {0x039C, 'M'}, {0x039D, 'N'}, {0x039F, 'O'},
                 {0x03A1, 'P'}, {0x03A4, 'T'}, {0x03A5, 'Y'}, {0x03A7, 'X'}, {0x03BF, 'o'},
                 {0x0405, 'S'}, {0x0406, 'I'}, {0x0408, 'J'}, {0x0410, 'A'}, {0x0412, 'B'},
                 {0x0415, 'E'}, {0x041A, 'K'}, {0x041C, 'M'}, {0x041D, 'H'}, {0x041E, 'O'},
                 {0x0420, 'P'}, {0x0421, 'C'}, {0x0422, 'T'}, {0x0425, 'X'}, {0x0430, 'a'},
                 {0x0435, 'e'}, {0x043E, 'o'}, {0x0440, 'p'}, {0x0441, 'c'}, {0x0443, 'y'},
                 {0x0445, 'x'}, {0x0455, 's'}, {0x0456, 'i'}, {0x0458, 'j'}, {0x04BB, 'h'},
                 {0x0501, 'd'}, {0x051B, 'q'}, {0x051D, 'w'}};

    for (size_t i = 0; i < ARRAY_LEN(twins); i++)
        if (twins[i].point == point)
            return (uint32_t)twins[i].ascii;
    return point;
}

/* Mathematical letters and digits come in alphabets of 52 and 10. */
static uint32_t mathematical(uint32_t point)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    if (point >= 0x1D7CE)
        return '0' + (point - 0x1D7CE) % 10;
    return point < 0x1D6A4 ? (uint32_t)letters[(point - 0x1D400) % 52] : point;
}

static uint32_t fold(uint32_t point)
{
    if (between(point, 0xFF01, 0xFF5E))
        return point - 0xFF01 + '!';
    if (between(point, 0x0391, 0x051D))
        return twin(point);
    if (between(point, 0x1D400, 0x1D7FF))
        return mathematical(point);
    if (between(point, 0x2010, 0x2015) || point == 0x2212 || point == 0xFE58 || point == 0xFE63)
        return '-';
    if (point == 0x00A0 || between(point, 0x2000, 0x200A) || point == 0x202F || point == 0x3000)
        return ' ';
    return point;
}

/* ------------------------------------------------------------------ what nobody sees */

static bool is_word(uint32_t point)
{
    return between(point, '0', '9') || between(point, 'a', 'z') || between(point, 'A', 'Z');
}

static bool is_right_to_left(uint32_t point)
{
    return between(point, 0x0590, 0x08FF) || between(point, 0xFB1D, 0xFDFF) ||
           between(point, 0xFE70, 0xFEFC) || between(point, 0x10800, 0x10FFF);
}

static bool is_bidi_control(uint32_t point)
{
    return between(point, 0x202A, 0x202E) || between(point, 0x2066, 0x2069);
}

static bool is_selector(uint32_t point)
{
    return between(point, 0xFE00, 0xFE0F) || between(point, 0xE0100, 0xE01EF);
}

static bool is_tag(uint32_t point)
{
    return between(point, 0xE0000, 0xE007F);
}

static bool is_invisible(uint32_t point)
{
    return point == 0x00AD || point == 0x034F || point == 0x061C ||
           between(point, 0x200B, 0x200F) || between(point, 0x2060, 0x2064) ||
           between(point, 0x206A, 0x206F) || point == 0xFEFF || between(point, 0xFFF9, 0xFFFB) ||
           is_selector(point) || is_tag(point);
}

/* A joiner is at home in scripts that join and among emoji, one selector behind anything, tags in
 * the flag of a region; a soft hyphen in a long word. None of them is within a word of ASCII, or in
 * a crowd. */
static bool is_suspicious(struct text_state *state, uint32_t point)
{
    if (is_tag(point)) {
        bool allowed = state->flag || state->before == 0x1F3F4;
        state->flag = allowed && point != 0xE007F;
        return !allowed;
    }
    if (is_selector(point))
        return ++state->selectors > 2 || (is_word(state->before) && point != 0xFE0F);
    if (point == 0x00AD || (point == 0xFEFF && state->before == 0))
        return false;
    return is_word(state->before);
}

size_t text_normalise(struct text_state *state, uint32_t point, uint8_t out[4],
                      enum text_hidden *hidden)
{
    *hidden = TEXT_SEEN;
    if (is_bidi_control(point) || is_invisible(point)) {
        if (is_bidi_control(point))
            *hidden = state->right_to_left ? TEXT_SEEN : TEXT_BIDI;
        else if (is_suspicious(state, point))
            *hidden = TEXT_INVISIBLE;
        out[0] = ' ';
        return ++state->unseen == CROWD;
    }
    state->unseen = 0;
    uint32_t folded = fold(point);
    state->before = folded;
    state->selectors = 0;
    state->flag = false;
    state->right_to_left |= is_right_to_left(point);
    return encode(folded, out);
}

void text_saw_plain(struct text_state *state, uint8_t last)
{
    state->before = last;
    state->unseen = 0;
    state->selectors = 0;
    state->flag = false;
}
