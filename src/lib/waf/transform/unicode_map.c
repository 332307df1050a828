/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unicode.mapping: words between blanks and line ends. A word without a colon that is a number
 * names a code page; words "HHHH:HH" behind it map a code point to a byte of it. Other words are
 * remarks.
 */
#include "waf/transform/transform.h"

#include "base/mem.h"
#include "base/num.h"

enum { CODE_MAX = 0xFFFF, UNMAPPED = 0x100 };

/* What maps to a full stop in every code page (RFC 3490 section 3.1). */
static const uint16_t STOPS[] = {0x002E, 0x3002, 0xFF0E, 0xFF61};

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span next_word(struct cursor *cursor)
{
    while (cursor->left > 0 && blank(*cursor->p)) {
        cursor->p++;
        cursor->left--;
    }
    struct span word = span_of(cursor->p, 0);
    while (cursor->left > 0 && !blank(*cursor->p)) {
        cursor->p++;
        cursor->left--;
        word.len++;
    }
    return word;
}

/* Hex digits only; false when there are none, others, or the number is over max. */
static bool parse_hex(struct span text, uint32_t max, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i] | 0x20;
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f'))
            return false;
        *out = *out * 16 + (uint32_t)(digit ? c - '0' : c - 'a' + 10);
        if (*out > max)
            return false;
    }
    return text.len > 0;
}

static int add_pair(struct span word, size_t colon, const char *what, uint16_t *map,
                    struct err *err)
{
    uint32_t code;
    uint32_t byte;

    if (!parse_hex(span_of(word.p, colon), CODE_MAX, &code) ||
        !parse_hex(span_of(word.p + colon + 1, word.len - colon - 1), 0xFF, &byte))
        return err_set(err, ERR_INVALID, "%s: \"%.*s\" is no pair of a code point and a byte", what,
                       SPAN_ARG(word));
    map[code] = (uint16_t)byte;
    return 0;
}

/* Fills map[code] for the code page. Returns whether it was there. */
static int read_page(struct span text, uint32_t codepage, const char *what, uint16_t *map,
                     struct err *err)
{
    struct cursor cursor = cursor_of(text);
    bool here = false;
    bool found = false;

    for (struct span word; (word = next_word(&cursor)).len > 0;) {
        const uint8_t *colon = memchr(word.p, ':', word.len);
        struct err ignored = ERR_INIT;
        uint64_t number;
        if (colon != NULL && here)
            TRY(add_pair(word, (size_t)(colon - word.p), what, map, err));
        if (colon != NULL)
            continue;
        if (num_parse_u64(word, 0, UINT32_MAX, "code page", &number, &ignored) == 0)
            here = number == codepage;
        found |= here;
    }
    return found;
}

static void put_map(const uint16_t *map, struct buf *out)
{
    uint32_t count = 0;

    for (uint32_t code = 0; code <= CODE_MAX; code++)
        count += map[code] != UNMAPPED;
    buf_put(out, &count, sizeof(count));
    for (uint32_t code = 0; code <= CODE_MAX; code++) {
        uint32_t pair = code << 8 | map[code];
        if (map[code] != UNMAPPED)
            buf_put(out, &pair, sizeof(pair));
    }
}

int waf_unicode_map_parse(struct span text, uint32_t codepage, const char *what, struct buf *out,
                          struct err *err)
{
    CLEANUP_FREE uint16_t *map = mem_new_array(CODE_MAX + 1, sizeof(*map));

    for (size_t i = 0; i <= CODE_MAX; i++)
        map[i] = UNMAPPED;
    for (size_t i = 0; i < ARRAY_LEN(STOPS); i++)
        map[STOPS[i]] = '.';
    int found = read_page(text, codepage, what, map, err);
    TRY(found);
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "%s has no code page %u", what, codepage);
    put_map(map, out);
    return buf_check(out, what, err);
}

bool waf_unicode_map_valid(struct span bytes)
{
    struct waf_unicode_map head;
    uint32_t before = 0;

    if (bytes.len < sizeof(head))
        return false;
    memcpy(&head, bytes.p, sizeof(head));
    if ((bytes.len - sizeof(head)) / sizeof(uint32_t) != head.count ||
        bytes.len % sizeof(uint32_t) != 0)
        return false;
    for (uint32_t i = 0; i < head.count; i++) {
        uint32_t pair;
        memcpy(&pair, bytes.p + sizeof(head) + i * sizeof(pair), sizeof(pair));
        if (pair >> 8 > CODE_MAX || (i > 0 && pair >> 8 <= before >> 8))
            return false;
        before = pair;
    }
    return true;
}
