/* SPDX-License-Identifier: Apache-2.0 */
/* validateByteRange, validateUrlEncoding, validateUtf8Encoding: each matches what is not valid. */
#include "waf/operator/operator_internal.h"
#include "waf/transform/utf8.h"

#include "base/num.h"

/* ------------------------------------------------------------------ validateByteRange */

enum { TABLE_BYTES = 256 };

static struct span trimmed(struct span text)
{
    while (text.len > 0 && *text.p == ' ') {
        text.p++;
        text.len--;
    }
    while (text.len > 0 && text.p[text.len - 1] == ' ')
        text.len--;
    return text;
}

static int add_range(struct span text, uint8_t *table, struct err *err)
{
    const uint8_t *dash = memchr(text.p, '-', text.len);
    struct span head = span_of(text.p, dash == NULL ? text.len : (size_t)(dash - text.p));
    uint64_t first;
    uint64_t last;

    TRY(num_parse_u64(trimmed(head), 0, 255, "a byte of @validateByteRange", &first, err));
    last = first;
    if (dash != NULL) {
        struct span tail = span_of(dash + 1, text.len - head.len - 1);
        TRY(num_parse_u64(trimmed(tail), first, 255, "the end of a range of @validateByteRange",
                          &last, err));
    }
    memset(table + first, 1, last - first + 1);
    return 0;
}

/* Blob: 256 bytes, 1 where the byte is allowed. */
int op_prepare_byte_range(enum waf_op op, struct span argument, const char *dir, struct buf *blob,
                          struct err *err)
{
    uint8_t table[TABLE_BYTES] = {0};
    const uint8_t *p = argument.p;
    const uint8_t *end = argument.p + argument.len;

    (void)op;
    (void)dir;
    while (p <= end) {
        const uint8_t *comma = p == end ? NULL : memchr(p, ',', (size_t)(end - p));
        struct span range = span_of(p, (size_t)((comma == NULL ? end : comma) - p));
        TRY(add_range(trimmed(range), table, err));
        p += range.len + 1;
    }
    buf_put(blob, table, sizeof(table));
    return 0;
}

bool op_validate_byte_range(const struct op_call *call, struct waf_op_found *found)
{
    const uint8_t *table = call->blob.p;

    for (size_t i = 0; i < call->value.len; i++)
        if (!table[call->value.p[i]])
            return op_found_at(found, i, 1);
    return false;
}

/* ------------------------------------------------------------------ encodings */

static bool is_hex(uint8_t c)
{
    return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 0x20) - 'a') < 6;
}

bool op_validate_url_encoding(const struct op_call *call, struct waf_op_found *found)
{
    const uint8_t *start = call->value.p;
    const uint8_t *end = start + call->value.len;

    for (const uint8_t *p = start; p < end; p += 3) {
        p = memchr(p, '%', (size_t)(end - p));
        if (p == NULL)
            return false;
        if (end - p < 3 || !is_hex(p[1]) || !is_hex(p[2]))
            return op_found_at(found, (size_t)(p - start), (size_t)(end - p));
    }
    return false;
}

bool op_validate_utf8_encoding(const struct op_call *call, struct waf_op_found *found)
{
    size_t valid = utf8_valid_len(call->value);

    return valid < call->value.len && op_found_at(found, valid, call->value.len - valid);
}
