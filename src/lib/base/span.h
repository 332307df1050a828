/* SPDX-License-Identifier: Apache-2.0 */
/* A view of bytes that somebody else owns. The bytes need not end in NUL. */
#ifndef DRUN_BASE_SPAN_H
#define DRUN_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *p;
    size_t len;
};

static inline struct span span_of(const void *p, size_t len)
{
    return (struct span){.p = p, .len = len};
}

static inline struct span span_str(const char *text)
{
    return span_of(text, strlen(text));
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool span_eq_str(struct span a, const char *text)
{
    return span_eq(a, span_str(text));
}

static inline bool span_has_prefix(struct span a, const char *prefix)
{
    size_t len = strlen(prefix);

    return a.len >= len && memcmp(a.p, prefix, len) == 0;
}

/* For printf: printf("%.*s", SPAN_ARG(s)). */
#define SPAN_ARG(s) (int)(s).len, (const char *)(s).p

#endif
