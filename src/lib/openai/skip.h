/* SPDX-License-Identifier: Apache-2.0 */
/* Over the inside of strings, sixteen bytes at a time where the processor can. For this folder. */
#ifndef DRUN_OPENAI_SKIP_H
#define DRUN_OPENAI_SKIP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The first byte that may end a string: a quote or a backslash; or end. */
static inline const uint8_t *skip_text(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');

    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        int found =
            _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash)));
        if (found != 0)
            return p + __builtin_ctz((unsigned)found);
    }
#endif
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* As skip_text(), and stops at control characters and at bytes that are not ASCII too. */
static inline const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');
    const __m128i last_control = _mm_set1_epi8(0x1F);

    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash));
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, last_control), x);
        /* The top bit of x itself marks what is not ASCII. */
        int found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(ends, control), x));
        if (found != 0)
            return p + __builtin_ctz((unsigned)found);
    }
#endif
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

#endif
