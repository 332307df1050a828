/* SPDX-License-Identifier: Apache-2.0 */
/* A value in nginx's configuration reads back as what it was, as far as it is printable, and never
 * ends before its last quote. */
#include "exporter/keeper.h"

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char dollar[] = "${drun_dollar}";

/* As nginx reads a quoted text, and then the variable in it. */
static void read_back(struct span text, struct buf *out)
{
    INVARIANT(text.len >= 2 && text.p[0] == '"' && text.p[text.len - 1] == '"');
    for (size_t i = 1; i < text.len - 1; i++) {
        INVARIANT(text.p[i] != '"');
        if (text.p[i] == '$') {
            INVARIANT(span_has_prefix(span_of(text.p + i, text.len - i), dollar));
            buf_put_u8(out, '$');
            i += strlen(dollar) - 1;
            continue;
        }
        i += text.p[i] == '\\';
        INVARIANT(i < text.len - 1);
        buf_put_u8(out, text.p[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(16 * 1024 * 1024);
    CLEANUP(buf_free) struct buf back = BUF_INIT(16 * 1024 * 1024);
    CLEANUP(buf_free) struct buf plain = BUF_INIT(16 * 1024 * 1024);

    nginx_conf_put_value(span_of(data, size), &text);
    for (size_t i = 0; i < size; i++)
        if (data[i] >= ' ' && data[i] <= '~')
            buf_put_u8(&plain, data[i]);
    read_back(buf_span(&text), &back);
    INVARIANT(span_eq(buf_span(&back), buf_span(&plain)));
    return 0;
}
