/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/hit_text.h"

#include "base/attr.h"
#include "base/num.h"

#include <strings.h>

static bool contains(struct span text, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp((const char *)text.p + i, word, len) == 0)
            return true;
    return false;
}

static bool holds_secret(struct span variable)
{
    static const char *const words[] = {"authorization", "cookie",    "password",  "passwd",
                                        "secret",        "token",     "dpop",      "api-key",
                                        "apikey",        "assertion", "credential"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (contains(variable, words[i]))
            return true;
    return false;
}

static bool is_of_key(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '+' || c == '/' || c == '=';
}

static size_t run_at(struct span text, size_t at)
{
    size_t end = at;

    while (end < text.len && is_of_key(text.p[end]))
        end++;
    return end - at;
}

static void put_byte(uint8_t c, struct buf *out)
{
    if (c >= ' ' && c < 0x7f)
        buf_put_u8(out, c);
    else
        buf_printf(out, "\\x%02x", c);
}

static void put_match(struct span match, struct buf *out)
{
    size_t shown = NUM_MIN(match.len, (size_t)HIT_MATCH_MAX);

    for (size_t at = 0; at < shown;) {
        size_t run = run_at(match, at);
        if (run >= HIT_RUN_MAX) {
            buf_put_str(out, "***");
            at += run;
            continue;
        }
        /* To the end of the run, or one byte of what is none. */
        for (size_t end = NUM_MIN(at + NUM_MAX(run, (size_t)1), shown); at < end; at++)
            put_byte(match.p[at], out);
    }
    if (shown < match.len)
        buf_put_str(out, "...");
}

void hit_text_put(struct span variable, struct span match, struct buf *out)
{
    if (holds_secret(variable)) {
        buf_printf(out, "(%zu bytes, not shown)", match.len);
        return;
    }
    put_match(match, out);
}

/* What lies around a match: a run that begins before or ends behind the part is a run, too. */
static void put_around(struct span value, size_t from, size_t to, struct buf *out)
{
    while (from < to) {
        size_t begin = from;
        while (begin > 0 && from - begin < HIT_RUN_MAX && is_of_key(value.p[begin - 1]))
            begin--;
        size_t run = is_of_key(value.p[from]) ? run_at(value, begin) : 0;
        size_t end = NUM_MIN(NUM_MAX(begin + run, from + 1), to);
        if (run >= HIT_RUN_MAX)
            buf_put_str(out, "***");
        for (; from < end; from++)
            if (run < HIT_RUN_MAX)
                put_byte(value.p[from], out);
    }
}

void hit_text_put_in_place(struct span variable, struct span value, size_t at, size_t len,
                           struct buf *out)
{
    size_t from = at - NUM_MIN(at, (size_t)HIT_AROUND_MAX);
    size_t end = at + len;
    size_t to = end + NUM_MIN(value.len - end, (size_t)HIT_AROUND_MAX);

    if (holds_secret(variable)) {
        hit_text_put(variable, span_of(value.p + at, len), out);
        return;
    }
    buf_put_str(out, from > 0 ? "..." : "");
    put_around(value, from, at, out);
    buf_put_str(out, "\xc2\xab");
    put_match(span_of(value.p + at, len), out);
    buf_put_str(out, "\xc2\xbb");
    if (len <= HIT_MATCH_MAX) {
        put_around(value, end, to, out);
        buf_put_str(out, to < value.len ? "..." : "");
    }
}

void hit_text_put_word(struct span name, size_t max, struct buf *out)
{
    for (size_t i = 0; i < name.len && i < max; i++)
        if (strchr(" ,;", name.p[i]) == NULL)
            put_byte(name.p[i], out);
        else
            buf_printf(out, "\\x%02x", name.p[i]);
}
