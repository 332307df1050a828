/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a JSON text, read once from left to right. For this folder. */
#ifndef DRUN_OPENAI_SCAN_H
#define DRUN_OPENAI_SCAN_H

#include "openai/openai.h"

struct scan {
    const uint8_t *start;
    const uint8_t *p;
    const uint8_t *end;
    const char *why; /* what is wrong at p; NULL: nothing yet */
};

struct scan_string {
    struct span raw; /* between the quotes */
    bool escaped;
};

struct scan_number {
    struct span text;
    bool whole; /* has neither fraction nor exponent */
    int64_t integer;
    double value;
};

/* Each returns false with `why` set when the bytes are not what it reads. */
static inline bool scan_fail(struct scan *scan, const char *why)
{
    scan->why = why;
    return false;
}

static inline void scan_space(struct scan *scan)
{
    /* Most texts have no blanks: one comparison tells. */
    while (scan->p < scan->end && *scan->p <= ' ' &&
           (*scan->p == ' ' || *scan->p == '\n' || *scan->p == '\r' || *scan->p == '\t'))
        scan->p++;
}

static inline bool scan_byte(struct scan *scan, char wanted, const char *why)
{
    if (scan->p == scan->end || *scan->p != (uint8_t)wanted)
        return scan_fail(scan, why);
    scan->p++;
    return true;
}

bool scan_string(struct scan *scan, struct scan_string *out);
bool scan_number(struct scan *scan, struct scan_number *out);
bool scan_word(struct scan *scan); /* true, false, null */
/* Any value; `depth` is how many containers are open around it. */
bool scan_value(struct scan *scan, unsigned depth);
/* Blanks up to the end. */
bool scan_end(struct scan *scan);

/* The length of the UTF-8 sequence at p, which is not ASCII (RFC 3629 section 4); 0 when it is
 * none. */
size_t scan_utf8(const uint8_t *p, const uint8_t *end);

/* Appends what the escape at p stands for; returns its length. */
size_t scan_escape_put(const uint8_t *p, const uint8_t *end, struct buf *out);

/* The string's own bytes into out[size], with a NUL; false when they do not fit. */
bool scan_string_copy(const struct scan_string *string, char *out, size_t size);

#endif
