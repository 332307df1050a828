/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/compile/needs.h"
#include "waf/compile/phrases.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static bool is_letter(uint32_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

static bool is_common(uint32_t byte)
{
    return is_letter(byte) || (byte >= '0' && byte <= '9') ||
           (byte != 0 && byte < 0x80 && strchr(" .,-_/:", (int)byte) != NULL);
}

static bool has(const uint32_t needs[IMAGE_NEEDS], uint32_t byte)
{
    return (needs[byte / 32] >> (byte % 32) & 1) != 0;
}

static void add(uint32_t needs[IMAGE_NEEDS], uint32_t byte)
{
    needs[byte / 32] |= UINT32_C(1) << (byte % 32);
}

/* PCRE2 does not tell whether a letter's case matters. */
static void add_letter(uint32_t needs[IMAGE_NEEDS], uint32_t byte)
{
    add(needs, byte);
    if (is_letter(byte))
        add(needs, byte ^ 0x20);
}

static unsigned common_count(const uint32_t needs[IMAGE_NEEDS])
{
    unsigned count = 0;

    for (uint32_t byte = 0; byte < 256; byte++)
        count += has(needs, byte) && is_common(byte) ? 1 : 0;
    return count;
}

bool needs_are_rare(const uint32_t needs[IMAGE_NEEDS])
{
    return common_count(needs) == 0;
}

static void take_if_rarer(uint32_t needs[IMAGE_NEEDS], const uint32_t other[IMAGE_NEEDS])
{
    if (common_count(other) < common_count(needs))
        memcpy(needs, other, IMAGE_NEEDS * sizeof(*needs));
}

static uint32_t info(const pcre2_code *re, uint32_t what)
{
    uint32_t value = 0;

    return pcre2_pattern_info(re, what, &value) == 0 ? value : 0;
}

/* The first byte of every match. */
static void look_at_first(const pcre2_code *re, uint32_t needs[IMAGE_NEEDS])
{
    uint32_t first[IMAGE_NEEDS] = {0};
    const uint8_t *bytes = NULL;

    if (info(re, PCRE2_INFO_FIRSTCODETYPE) == 1) {
        add_letter(first, info(re, PCRE2_INFO_FIRSTCODEUNIT));
    } else {
        if (pcre2_pattern_info(re, PCRE2_INFO_FIRSTBITMAP, &bytes) != 0 || bytes == NULL)
            return;
        for (uint32_t byte = 0; byte < 256; byte++)
            if ((bytes[byte / 8] >> (byte % 8) & 1) != 0)
                add(first, byte);
    }
    take_if_rarer(needs, first);
}

/* A byte that is somewhere in every match. */
static void look_at_last(const pcre2_code *re, uint32_t needs[IMAGE_NEEDS])
{
    uint32_t last[IMAGE_NEEDS] = {0};

    if (info(re, PCRE2_INFO_LASTCODETYPE) != 1)
        return;
    add_letter(last, info(re, PCRE2_INFO_LASTCODEUNIT));
    take_if_rarer(needs, last);
}

void needs_of_regex(struct span pattern, uint32_t needs[IMAGE_NEEDS])
{
    int code;
    PCRE2_SIZE where;
    pcre2_code *re =
        pcre2_compile(pattern.p, pattern.len, PCRE2_DOTALL | PCRE2_MULTILINE, &code, &where, NULL);

    memset(needs, 0xff, IMAGE_NEEDS * sizeof(*needs));
    if (re == NULL)
        return;
    look_at_first(re, needs);
    look_at_last(re, needs);
    pcre2_code_free(re);
}

static void on_phrase(void *ctx, struct span phrase)
{
    uint32_t *needs = ctx;

    for (size_t i = 0; i < phrase.len; i++)
        if (!is_common(phrase.p[i])) {
            add(needs, phrase.p[i]);
            return;
        }
    if (phrase.len > 0)
        add_letter(needs, phrase.p[0]);
}

void needs_of_phrases(struct span trie, uint32_t needs[IMAGE_NEEDS])
{
    memset(needs, 0, IMAGE_NEEDS * sizeof(*needs));
    phrases_each(trie, on_phrase, needs);
}
