/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bodies: the first byte chooses the coding. Never more comes out than allowed, and the
 * cut does not matter. */
#include "waf/body/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 18, BUF_MAX = OUT_MAX + (1 << 16) };

static int run(const char *coding, struct span in, size_t step, struct buf *out)
{
    struct waf_inflate_limits limits = {.out_max = OUT_MAX};
    CLEANUP(waf_inflate_free_ptr) struct waf_inflate *inflate = waf_inflate_new(&limits);
    struct err err = ERR_INIT;
    int rc = waf_inflate_start(inflate, span_str(coding), &err);

    for (size_t at = 0; at < in.len && rc == 0; at += step)
        rc = waf_inflate_feed(inflate, span_of(in.p + at, in.len - at < step ? in.len - at : step),
                              out, &err);
    if (rc == 0)
        rc = waf_inflate_end(inflate, &err);
    INVARIANT(out->len <= BUF_MAX);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = {"gzip", "deflate", "br", "identity"};
    CLEANUP(buf_free) struct buf whole = BUF_INIT(BUF_MAX);
    CLEANUP(buf_free) struct buf pieces = BUF_INIT(BUF_MAX);

    if (size == 0)
        return 0;
    const char *coding = codings[data[0] % ARRAY_LEN(codings)];
    int rc = run(coding, span_of(data + 1, size - 1), size, &whole);
    int rc_pieces = run(coding, span_of(data + 1, size - 1), 1 + data[0] % 5U, &pieces);
    INVARIANT(rc == rc_pieces);
    INVARIANT(rc < 0 || span_eq(buf_span(&whole), buf_span(&pieces)));
    return 0;
}
