/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/mem.h"
#include "base/num.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAP = 64 };

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf)BUF_INIT(buf->max);
}

void buf_free_wiped(struct buf *buf)
{
    mem_wipe(buf->data, buf->cap);
    buf_free(buf);
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->overflowed = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

/* Doubles, up to the ceiling and its NUL. By copying, so that the old bytes can be erased: a buffer
 * may hold a secret. */
static void grow(struct buf *buf, size_t need)
{
    size_t cap = NUM_MAX(buf->cap, (size_t)FIRST_CAP);

    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap - 1 > buf->max)
        cap = buf->max + 1;
    uint8_t *data = mem_new(cap);
    if (buf->len > 0)
        memcpy(data, buf->data, buf->len);
    mem_wipe(buf->data, buf->cap);
    free(buf->data);
    buf->data = data;
    buf->cap = cap;
}

uint8_t *buf_reserve(struct buf *buf, size_t len)
{
    size_t end;
    size_t need;

    if (buf->overflowed || !num_add(buf->len, len, &end) || end > buf->max ||
        !num_add(end, 1, &need)) {
        buf->overflowed = true;
        return NULL;
    }
    if (need > buf->cap)
        grow(buf, need);
    return buf->data + buf->len;
}

void buf_expect(struct buf *buf, size_t len)
{
    size_t need = NUM_MIN(len, buf->max - NUM_MIN(buf->len, buf->max)) + buf->len + 1;

    if (!buf->overflowed && need > buf->cap)
        grow(buf, need);
}

void buf_commit(struct buf *buf, size_t len)
{
    INVARIANT(buf->data != NULL && len < buf->cap - buf->len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_put(struct buf *buf, const void *data, size_t len)
{
    bool fits = !buf->overflowed && len < buf->cap - buf->len;

    /* Nearly always, and most puts are short. */
    if (!fits && buf_reserve(buf, len) == NULL)
        return;
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_put_span(struct buf *buf, struct span bytes)
{
    buf_put(buf, bytes.p, bytes.len);
}

void buf_put_u8(struct buf *buf, uint8_t value)
{
    if (buf->overflowed || buf->cap - buf->len < 2) {
        buf_put(buf, &value, sizeof(value));
        return;
    }
    buf->data[buf->len++] = value;
    buf->data[buf->len] = '\0';
}

void buf_put_u16(struct buf *buf, uint16_t value)
{
    uint16_t wire = htole16(value);

    buf_put(buf, &wire, sizeof(wire));
}

void buf_put_u32(struct buf *buf, uint32_t value)
{
    uint32_t wire = htole32(value);

    buf_put(buf, &wire, sizeof(wire));
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    uint64_t wire = htole64(value);

    buf_put(buf, &wire, sizeof(wire));
}

void buf_put_block(struct buf *buf, struct span bytes)
{
    INVARIANT(bytes.len <= UINT32_MAX);
    buf_put_u32(buf, (uint32_t)bytes.len);
    buf_put_span(buf, bytes);
}

void buf_put_decimal(struct buf *buf, uint64_t value, size_t width)
{
    UNINITIALIZED uint8_t digits[NUM_DECIMAL_MAX];
    size_t len = (size_t)(num_put_decimal(digits, value) - digits);

    INVARIANT(width <= sizeof(digits));
    for (size_t i = len; i < width; i++)
        buf_put_u8(buf, '0');
    buf_put(buf, digits, len);
}

void buf_vprintf(struct buf *buf, const char *fmt, va_list args)
{
    va_list again;

    va_copy(again, args);
    size_t room = buf->overflowed ? 0 : buf->cap - buf->len;
    int len = vsnprintf(room > 0 ? (char *)buf->data + buf->len : NULL, room, fmt, again);
    va_end(again);
    INVARIANT(len >= 0);
    uint8_t *at = buf_reserve(buf, (size_t)len);
    if (at == NULL) {
        if (room > 0)
            buf->data[buf->len] = '\0';
        return;
    }
    if ((size_t)len >= room)
        vsnprintf((char *)at, (size_t)len + 1, fmt, args);
    buf_commit(buf, (size_t)len);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(buf, fmt, args);
    va_end(args);
}

int buf_check(const struct buf *buf, const char *what, struct err *err)
{
    if (buf->overflowed)
        return err_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", what, buf->max);
    return 0;
}

struct span buf_span(const struct buf *buf)
{
    return span_of(buf->data, buf->len);
}

const char *buf_text(const struct buf *buf)
{
    return buf->data == NULL ? "" : (const char *)buf->data;
}

char *buf_take(struct buf *buf)
{
    char *text = buf->data == NULL ? mem_strdup("") : (char *)buf->data;

    *buf = (struct buf)BUF_INIT(buf->max);
    return text;
}

struct cursor cursor_of(struct span bytes)
{
    return (struct cursor){.p = bytes.p, .left = bytes.len};
}

struct span cursor_bytes(struct cursor *cursor, size_t len)
{
    if (cursor->failed || len > cursor->left) {
        cursor->failed = true;
        return span_of("", 0);
    }
    struct span bytes = span_of(cursor->p, len);
    cursor->p += len;
    cursor->left -= len;
    return bytes;
}

uint8_t cursor_u8(struct cursor *cursor)
{
    struct span bytes = cursor_bytes(cursor, 1);

    return cursor->failed ? 0 : bytes.p[0];
}

uint16_t cursor_u16(struct cursor *cursor)
{
    uint16_t wire = 0;
    struct span bytes = cursor_bytes(cursor, sizeof(wire));

    if (!cursor->failed)
        memcpy(&wire, bytes.p, sizeof(wire));
    return le16toh(wire);
}

uint32_t cursor_u32(struct cursor *cursor)
{
    uint32_t wire = 0;
    struct span bytes = cursor_bytes(cursor, sizeof(wire));

    if (!cursor->failed)
        memcpy(&wire, bytes.p, sizeof(wire));
    return le32toh(wire);
}

uint64_t cursor_u64(struct cursor *cursor)
{
    uint64_t wire = 0;
    struct span bytes = cursor_bytes(cursor, sizeof(wire));

    if (!cursor->failed)
        memcpy(&wire, bytes.p, sizeof(wire));
    return le64toh(wire);
}

struct span cursor_block(struct cursor *cursor)
{
    return cursor_bytes(cursor, cursor_u32(cursor));
}

void cursor_text(struct cursor *cursor, char *text, size_t size)
{
    struct span bytes = cursor_block(cursor);

    text[0] = '\0';
    if (bytes.len == 0)
        return;
    if (bytes.len >= size || memchr(bytes.p, '\0', bytes.len) != NULL) {
        cursor->failed = true;
        return;
    }
    memcpy(text, bytes.p, bytes.len);
    text[bytes.len] = '\0';
}

int cursor_done(const struct cursor *cursor, const char *what, struct err *err)
{
    if (cursor->failed)
        return err_set(err, ERR_INVALID, "%s is too short or holds a malformed field", what);
    if (cursor->left > 0)
        return err_set(err, ERR_INVALID, "%s has %zu bytes after its end", what, cursor->left);
    return 0;
}
