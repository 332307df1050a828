/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/openai.h"
#include "openai/scan.h"

#include <string.h>

static void put_plain(uint8_t c, struct buf *out)
{
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7F)
        buf_printf(out, "\\u%04x", c);
    else
        buf_put_u8(out, c);
}

void openai_string_put(struct span text, struct buf *out)
{
    const uint8_t *p = text.p;
    const uint8_t *end = text.p + text.len;

    buf_put_u8(out, '"');
    while (p < end) {
        size_t len = *p < 0x80 ? 1 : scan_utf8(p, end);
        if (*p < 0x80)
            put_plain(*p, out);
        else if (len > 0)
            buf_put(out, p, len);
        else
            buf_put_str(out, "\xEF\xBF\xBD");
        p += len > 0 ? len : 1;
    }
    buf_put_u8(out, '"');
}

static void put_or_null(const char *name, const char *text, struct buf *out)
{
    buf_printf(out, ",\"%s\":", name);
    if (text == NULL || text[0] == '\0')
        buf_put_str(out, "null");
    else
        openai_string_put(span_str(text), out);
}

void openai_error_put(const char *message, const char *type, const char *param, const char *code,
                      struct buf *out)
{
    buf_put_str(out, "{\"error\":{\"message\":");
    openai_string_put(span_str(message), out);
    put_or_null("type", type, out);
    put_or_null("param", param, out);
    put_or_null("code", code, out);
    buf_put_str(out, "}}");
}
