/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "http/http_internal.h"

char *http_form_decode(struct span text, struct arena *arena)
{
    char *out = arena_copy(arena, text);
    struct err err = ERR_INIT;
    size_t len = 0;

    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (text.len - i < 3 || enc_unhex(span_of(text.p + i + 1, 2), &c, 1, &err) < 0)
                return NULL;
            i += 2;
        }
        if (c == '\0')
            return NULL;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return out;
}
