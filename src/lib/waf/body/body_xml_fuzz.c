/* SPDX-License-Identifier: Apache-2.0 */
/* However an XML document is cut, it is taken or refused alike and holds the same text. */
#include "waf/body/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 14, OUT_MAX = 1 << 22 };

static bool put_value(void *ctx, const struct waf_pair *pair)
{
    buf_put_span(ctx, pair->value);
    buf_put_str(ctx, "|");
    return true;
}

static int run(struct span text, size_t step, struct buf *out)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(OUT_MAX);
    CLEANUP(waf_xml_free_ptr) struct waf_xml *xml = waf_xml_new();
    struct waf_pair_sink sink = {put_value, out};
    struct err err = ERR_INIT;
    int rc = 0;

    for (size_t at = 0; at < text.len && rc == 0; at += step)
        rc = waf_xml_feed(xml, span_of(text.p + at, text.len - at < step ? text.len - at : step),
                          &err);
    if (rc == 0)
        rc = waf_xml_end(xml, &err);
    INVARIANT((rc < 0) == (err.code != ERR_NONE));
    if (waf_xml_select(xml, "/*", NULL, 0, &sink, arena, &err) < 0 ||
        waf_xml_select(xml, "//@*", NULL, 0, &sink, arena, &err) < 0)
        INVARIANT(err.code == ERR_TOO_LARGE);
    INVARIANT(rc == 0 || out->len == 0);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size > INPUT_MAX ? INPUT_MAX : size);
    CLEANUP(buf_free) struct buf whole = BUF_INIT(OUT_MAX);
    CLEANUP(buf_free) struct buf pieces = BUF_INIT(OUT_MAX);

    int rc = run(text, text.len + 1, &whole);
    int rc_pieces = run(text, 1 + size % 11, &pieces);
    INVARIANT(rc == rc_pieces && span_eq(buf_span(&whole), buf_span(&pieces)));
    return 0;
}
