/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/body.h"

#include "base/mem.h"
#include "base/num.h"

#include <brotli/decode.h>
#include <inttypes.h>
#include <zlib.h>

enum { STEP = 16384, RATIO_FROM = 65536, ZLIB_BITS = 15, GZIP_BITS = 15 + 16 };

enum coding { CODING_NONE, CODING_IDENTITY, CODING_GZIP, CODING_DEFLATE, CODING_BROTLI };

struct waf_inflate {
    struct waf_inflate_limits limits;
    enum coding coding;
    z_stream zlib;
    bool zlib_made;
    BrotliDecoderState *brotli;
    uint64_t in;
    uint64_t out;
    bool begun;    /* a deflate stream's first byte was seen */
    bool ended;    /* the data says that it is complete */
    bool trailing; /* something that is no further member follows */
};

static enum coding coding_of(struct span name)
{
    static const struct {
        const char *name;
        enum coding coding;
    } table[] = {
        {"", CODING_IDENTITY},   {"identity", CODING_IDENTITY}, {"gzip", CODING_GZIP},
        {"x-gzip", CODING_GZIP}, {"deflate", CODING_DEFLATE},   {"br", CODING_BROTLI},
    };

    while (name.len > 0 && (*name.p == ' ' || *name.p == '\t'))
        name = span_of(name.p + 1, name.len - 1);
    while (name.len > 0 && (name.p[name.len - 1] == ' ' || name.p[name.len - 1] == '\t'))
        name.len--;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (name.len == strlen(table[i].name) &&
            strncasecmp((const char *)name.p, table[i].name, name.len) == 0)
            return table[i].coding;
    return CODING_NONE;
}

bool waf_inflate_known(struct span content_encoding)
{
    return coding_of(content_encoding) != CODING_NONE;
}

struct waf_inflate *waf_inflate_new(const struct waf_inflate_limits *limits)
{
    struct waf_inflate *flow = mem_new(sizeof(*flow));

    flow->limits = *limits;
    return flow;
}

static void drop_brotli(struct waf_inflate *flow)
{
    if (flow->brotli != NULL)
        BrotliDecoderDestroyInstance(flow->brotli);
    flow->brotli = NULL;
}

void waf_inflate_free(struct waf_inflate *flow)
{
    if (flow == NULL)
        return;
    drop_brotli(flow);
    if (flow->zlib_made)
        inflateEnd(&flow->zlib);
    free(flow);
}

void waf_inflate_free_ptr(struct waf_inflate **flow)
{
    waf_inflate_free(*flow);
}

static void start_zlib(struct waf_inflate *flow, int bits)
{
    int rc = flow->zlib_made ? inflateReset2(&flow->zlib, bits) : inflateInit2(&flow->zlib, bits);

    INVARIANT(rc == Z_OK);
    flow->zlib_made = true;
}

int waf_inflate_start(struct waf_inflate *flow, struct span content_encoding, struct err *err)
{
    drop_brotli(flow);
    flow->coding = coding_of(content_encoding);
    flow->in = 0;
    flow->out = 0;
    flow->begun = false;
    flow->trailing = false;
    flow->ended = flow->coding == CODING_IDENTITY;
    if (flow->coding == CODING_NONE)
        return err_set(err, ERR_UNSUPPORTED,
                       "the Content-Encoding is none of gzip, deflate, br and identity");
    if (flow->coding == CODING_GZIP)
        start_zlib(flow, GZIP_BITS);
    if (flow->coding == CODING_BROTLI) {
        flow->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
        INVARIANT(flow->brotli != NULL);
    }
    return 0;
}

/* ------------------------------------------------------------------ bytes */

/* `len` more bytes came out. */
static int count_out(struct waf_inflate *flow, struct buf *out, size_t len, struct err *err)
{
    unsigned ratio = flow->limits.ratio_max;

    flow->out += len;
    buf_commit(out, len);
    if (flow->out > flow->limits.out_max)
        return err_set(err, ERR_TOO_LARGE, "the body is larger than %zu bytes when uncompressed",
                       flow->limits.out_max);
    if (ratio > 0 && flow->out > RATIO_FROM && flow->out / ratio > flow->in)
        return err_set(err, ERR_TOO_LARGE, "the body grows more than %u times when uncompressed",
                       ratio);
    return 0;
}

static int reserve(struct buf *out, uint8_t **room, struct err *err)
{
    *room = buf_reserve(out, STEP);
    return *room == NULL ? buf_check(out, "the uncompressed body", err) : 0;
}

/* Behind a gzip member another one may follow; anything else there is not looked at, as gzip(1)
 * does. */
static bool next_member(struct waf_inflate *flow)
{
    if (flow->zlib.avail_in == 0)
        return false;
    flow->trailing |= flow->coding != CODING_GZIP || *flow->zlib.next_in != 0x1F;
    if (flow->trailing) {
        flow->zlib.avail_in = 0;
        return false;
    }
    INVARIANT(inflateReset(&flow->zlib) == Z_OK);
    return true;
}

static int feed_zlib(struct waf_inflate *flow, struct span chunk, struct buf *out, struct err *err)
{
    z_stream *zlib = &flow->zlib;
    uint8_t *room;

    zlib->next_in = (Bytef *)(uintptr_t)chunk.p;
    zlib->avail_in = (uInt)chunk.len;
    do {
        if (flow->ended && !next_member(flow))
            return 0;
        TRY(reserve(out, &room, err));
        zlib->next_out = room;
        zlib->avail_out = STEP;
        int rc = inflate(zlib, Z_NO_FLUSH);
        TRY(count_out(flow, out, STEP - zlib->avail_out, err));
        flow->ended = rc == Z_STREAM_END;
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return err_set(
                err, ERR_INVALID, "the compressed body is damaged at byte %" PRIu64 ": %s",
                flow->in - zlib->avail_in, zlib->msg == NULL ? "it cannot be decoded" : zlib->msg);
    } while (zlib->avail_in > 0 || zlib->avail_out == 0);
    return 0;
}

static int feed_brotli(struct waf_inflate *flow, struct span chunk, struct buf *out,
                       struct err *err)
{
    BrotliDecoderResult rc = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    uint8_t *room;

    while (!flow->ended && rc == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
        size_t left = STEP;
        TRY(reserve(out, &room, err));
        rc = BrotliDecoderDecompressStream(flow->brotli, &chunk.len, &chunk.p, &left, &room, NULL);
        TRY(count_out(flow, out, STEP - left, err));
        flow->ended = rc == BROTLI_DECODER_RESULT_SUCCESS;
        if (rc == BROTLI_DECODER_RESULT_ERROR)
            return err_set(err, ERR_INVALID, "the compressed body is damaged: %s",
                           BrotliDecoderErrorString(BrotliDecoderGetErrorCode(flow->brotli)));
    }
    return 0;
}

static int feed_plain(struct waf_inflate *flow, struct span chunk, struct buf *out, struct err *err)
{
    uint8_t *room = buf_reserve(out, chunk.len);

    if (room == NULL)
        return buf_check(out, "the body", err);
    memcpy(room, chunk.p, chunk.len);
    return count_out(flow, out, chunk.len, err);
}

static int feed_some(struct waf_inflate *flow, struct span chunk, struct buf *out, struct err *err)
{
    flow->in += chunk.len;
    switch (flow->coding) {
    case CODING_IDENTITY: return feed_plain(flow, chunk, out, err);
    case CODING_BROTLI: return feed_brotli(flow, chunk, out, err);
    default: return feed_zlib(flow, chunk, out, err);
    }
}

int waf_inflate_feed(struct waf_inflate *flow, struct span chunk, struct buf *out, struct err *err)
{
    INVARIANT(flow->coding != CODING_NONE);
    if (chunk.len > 0 && flow->coding == CODING_DEFLATE && !flow->begun) {
        /* RFC 9110 section 8.4.1.2: "deflate" is zlib's format, but some send it raw. The first
         * byte of zlib's says method 8. */
        start_zlib(flow, (*chunk.p & 0x0F) == 8 && *chunk.p >> 4 <= 7 ? ZLIB_BITS : -ZLIB_BITS);
        flow->begun = true;
    }
    while (chunk.len > 0) {
        size_t take = NUM_MIN(chunk.len, (size_t)STEP);
        TRY(feed_some(flow, span_of(chunk.p, take), out, err));
        chunk = span_of(chunk.p + take, chunk.len - take);
    }
    return 0;
}

int waf_inflate_end(struct waf_inflate *flow, struct err *err)
{
    if (!flow->ended && flow->in > 0)
        return err_set(err, ERR_INVALID, "the compressed body is cut off after %" PRIu64 " bytes",
                       flow->in);
    return 0;
}
