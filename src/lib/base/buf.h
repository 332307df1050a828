/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that grow up to a ceiling (buf), and a reader over bytes (cursor). Both remember the first
 * thing that went wrong and then do nothing more, so a codec is written straight through and asked
 * once at the end: buf_check() and cursor_done(). Numbers on the wire are little-endian.
 */
#ifndef DRUN_BASE_BUF_H
#define DRUN_BASE_BUF_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <stdarg.h>

struct buf {
    uint8_t *data; /* NUL-terminated one past len, so that text can be used as a C string */
    size_t len;
    size_t cap;
    size_t max;
    bool overflowed;
};

/* There is no buffer without a ceiling. */
#define BUF_INIT(max_len)                                                                          \
    {                                                                                              \
        .max = (max_len)                                                                           \
    }

void buf_free(struct buf *buf);
/* As buf_free, erasing the bytes first. */
void buf_free_wiped(struct buf *buf);
/* Empties it, keeps the memory, forgets an overflow. */
void buf_reset(struct buf *buf);

void buf_put(struct buf *buf, const void *data, size_t len);
void buf_put_span(struct buf *buf, struct span bytes);
/* Inline, so that the length of a literal is known when it is compiled. */
static inline void buf_put_str(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}
void buf_put_u8(struct buf *buf, uint8_t value);
void buf_put_u16(struct buf *buf, uint16_t value);
void buf_put_u32(struct buf *buf, uint32_t value);
void buf_put_u64(struct buf *buf, uint64_t value);
/* A u32 length, then the bytes. */
void buf_put_block(struct buf *buf, struct span bytes);
/* In decimal, with at least `width` digits. */
void buf_put_decimal(struct buf *buf, uint64_t value, size_t width);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *fmt, va_list args);
/* Makes room for len more bytes and returns where they go, or NULL past the ceiling; buf_commit()
 * then says how many were written. */
uint8_t *buf_reserve(struct buf *buf, size_t len) MUST_USE;
/* So many bytes will come: it grows now, once, and not by doubling (each time it copies and
 * erases). No promise: they are put as ever, and what is too much shows then. */
void buf_expect(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);

/* -1 with ERR_TOO_LARGE when anything was cut off. `what` names the thing: "request body". */
int buf_check(const struct buf *buf, const char *what, struct err *err) MUST_USE;
struct span buf_span(const struct buf *buf);
/* The bytes as a C string; "" when nothing was ever put. */
const char *buf_text(const struct buf *buf);
/* Hands the memory to the caller, who frees it; the buffer is empty again. */
char *buf_take(struct buf *buf) MUST_USE;

struct cursor {
    const uint8_t *p;
    size_t left;
    bool failed;
};

struct cursor cursor_of(struct span bytes);
uint8_t cursor_u8(struct cursor *cursor);
uint16_t cursor_u16(struct cursor *cursor);
uint32_t cursor_u32(struct cursor *cursor);
uint64_t cursor_u64(struct cursor *cursor);
struct span cursor_bytes(struct cursor *cursor, size_t len);
/* A u32 length, then the bytes. */
struct span cursor_block(struct cursor *cursor);
/* Copies a block into text[size] as a C string; fails when it is too long or has a NUL inside. */
void cursor_text(struct cursor *cursor, char *text, size_t size);
/* -1 with ERR_INVALID when something was short or a byte is left over. */
int cursor_done(const struct cursor *cursor, const char *what, struct err *err) MUST_USE;

#endif
