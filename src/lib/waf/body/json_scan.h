/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a JSON text. Each returns false with `why` set when the bytes are not what it reads,
 * or when the arena is full. For this folder. */
#ifndef DRUN_WAF_JSON_SCAN_H
#define DRUN_WAF_JSON_SCAN_H

#include "waf/body/body.h"

struct json_scan {
    const uint8_t *start;
    const uint8_t *p;
    const uint8_t *end;
    struct arena *arena;
    const char *why;
    bool too_deep;
};

static inline bool json_scan_fail(struct json_scan *scan, const char *why)
{
    scan->why = why;
    return false;
}

static inline void json_scan_space(struct json_scan *scan)
{
    while (scan->p < scan->end && *scan->p <= ' ' &&
           (*scan->p == ' ' || *scan->p == '\n' || *scan->p == '\r' || *scan->p == '\t'))
        scan->p++;
}

static inline bool json_scan_is(const struct json_scan *scan, uint8_t c)
{
    return scan->p < scan->end && *scan->p == c;
}

static inline bool json_scan_take(struct json_scan *scan, uint8_t c, const char *why)
{
    if (!json_scan_is(scan, c))
        return json_scan_fail(scan, why);
    scan->p++;
    return true;
}

/* From its quote on; *out is unescaped, in the text itself when there was nothing to do. A
 * surrogate that has no partner becomes U+FFFD. */
bool json_scan_string(struct json_scan *scan, struct span *out);
/* As it is written. */
bool json_scan_number(struct json_scan *scan, struct span *out);
bool json_scan_word(struct json_scan *scan, const char *word, struct span *out);

#endif
