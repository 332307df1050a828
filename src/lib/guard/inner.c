/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads in another encoding: base64, hex, percent. */
#include "guard/guard_internal.h"

#include "base/num.h"

static int value_64(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Both alphabets, with padding or without: an attacker's decoder takes them all. */
static void decode_64(struct span run, struct buf *out)
{
    uint32_t bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < run.len && value_64(run.p[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)value_64(run.p[i]);
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        buf_put_u8(out, (uint8_t)(bits >> count));
    }
}

static unsigned value_16(uint8_t c)
{
    return c <= '9' ? c - (unsigned)'0' : (c | 0x20U) - 'a' + 10;
}

static void decode_16(struct span run, size_t before, struct buf *out)
{
    for (size_t i = before; i + 1 < run.len; i += 2 + before)
        buf_put_u8(out, (uint8_t)(value_16(run.p[i]) << 4 | value_16(run.p[i + 1])));
}

static bool is_text(struct span bytes)
{
    uint32_t point;

    for (size_t at = 0; at < bytes.len;) {
        size_t len = text_decode(bytes.p + at, bytes.len - at, &point);
        bool blank = point == '\n' || point == '\r' || point == '\t';
        /* The run may have been cut in the middle of a character. */
        if (len == 0)
            return at > 0;
        if (point == 0xFFFD || (point < 0x20 && !blank) || point == 0x7F)
            return false;
        at += len;
    }
    return bytes.len > 0;
}

bool guard_decode(enum guard_encoding encoding, struct span run, struct buf *out)
{
    run.len = NUM_MIN(run.len, (size_t)GUARD_INNER_MAX);
    switch (encoding) {
    case ENCODING_BASE64: decode_64(run, out); break;
    case ENCODING_HEX: decode_16(run, 0, out); break;
    default: decode_16(run, 1, out); break;
    }
    return is_text(buf_span(out));
}

/* ------------------------------------------------------------------ looking into it */

struct inside {
    struct guard *guard;
    const struct pending *place;
    struct span text;
    unsigned depth;
    enum guard_action strongest;
};

static void found_inside(struct inside *inside, size_t number, struct span match)
{
    const struct detector *detector = &guard_table[number];
    struct pending found = *inside->place;

    if (detector->check != NULL && !detector->check(match))
        return;
    found.detector = number;
    found.action = (enum guard_action)inside->guard->policy.action[number];
    found.encoded = true;
    guard_found(inside->guard, &found);
    inside->strongest = NUM_MAX(inside->strongest, found.action);
}

static void look_for(struct inside *inside, size_t number)
{
    struct guard *guard = inside->guard;
    struct look look = {.text = inside->text.p, .len = inside->text.len, .last = true};
    size_t start;
    size_t end;

    while (rules_look(guard->rules, guard->data, number, &look, &start, &end) == FOUND_MATCH) {
        struct span match = span_of(inside->text.p + start, end - start);
        look.from = end;
        if (number < guard_table_len) {
            found_inside(inside, number, match);
            continue;
        }
        enum guard_action action =
            guard_look_inside(guard, (enum guard_encoding)(number - guard_table_len), match,
                              inside->place, inside->depth + 1);
        inside->strongest = NUM_MAX(inside->strongest, action);
    }
}

enum guard_action guard_look_inside(struct guard *guard, enum guard_encoding encoding,
                                    struct span run, const struct pending *place, unsigned depth)
{
    CLEANUP(buf_free_wiped) struct buf decoded = BUF_INIT(GUARD_INNER_MAX);
    struct inside inside = {.guard = guard, .place = place, .depth = depth};
    bool candidates[RULES_MAX];

    if (depth > GUARD_DEPTH_MAX || !guard_decode(encoding, run, &decoded))
        return GUARD_OFF;
    inside.text = buf_span(&decoded);
    bool told = rules_candidates(guard->rules, inside.text, candidates);
    for (size_t i = 0; i < guard->rules->count; i++)
        if (guard->enabled[i] && (!told || candidates[i]))
            look_for(&inside, i);
    return inside.strongest;
}
