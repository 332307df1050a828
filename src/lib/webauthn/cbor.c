/* SPDX-License-Identifier: Apache-2.0 */
/* One item at a time out of libcbor's streaming decoder. */
#include "webauthn/webauthn_internal.h"

#include <cbor.h>

struct cbor_reader cbor_reader_of(struct span bytes)
{
    return (struct cbor_reader){.rest = bytes};
}

static void put_uint8(void *ctx, uint8_t value)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_UINT, .number = value};
}

static void put_uint16(void *ctx, uint16_t value)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_UINT, .number = value};
}

static void put_uint32(void *ctx, uint32_t value)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_UINT, .number = value};
}

static void put_uint64(void *ctx, uint64_t value)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_UINT, .number = value};
}

static void put_negint8(void *ctx, uint8_t value)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_NEGINT, .number = value};
}

static void put_negint16(void *ctx, uint16_t value)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_NEGINT, .number = value};
}

static void put_negint32(void *ctx, uint32_t value)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_NEGINT, .number = value};
}

static void put_negint64(void *ctx, uint64_t value)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_NEGINT, .number = value};
}

/* The types of lengths differ between the versions of libcbor; on 64 bits they are one. */
static void put_bytes(void *ctx, cbor_data data, size_t len)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_BYTES, .bytes = span_of(data, len)};
}

static void put_text(void *ctx, cbor_data data, size_t len)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_TEXT, .bytes = span_of(data, len)};
}

static void put_array(void *ctx, size_t count)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_ARRAY, .number = count};
}

static void put_map(void *ctx, size_t count)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_MAP, .number = count};
}

static void put_other(void *ctx)
{
    *(struct cbor_item *)ctx = (struct cbor_item){.kind = CBOR_OTHER};
}

static void put_bool(void *ctx, bool value UNUSED)
{
    put_other(ctx);
}

static void put_float(void *ctx, float value UNUSED)
{
    put_other(ctx);
}

static void put_double(void *ctx, double value UNUSED)
{
    put_other(ctx);
}

/* Indefinite lengths and tags leave the item without a kind. */
static void ignore(void *ctx UNUSED)
{
}

static void ignore_tag(void *ctx UNUSED, uint64_t tag UNUSED)
{
}

static const struct cbor_callbacks callbacks = {
    .uint8 = put_uint8,
    .uint16 = put_uint16,
    .uint32 = put_uint32,
    .uint64 = put_uint64,
    .negint8 = put_negint8,
    .negint16 = put_negint16,
    .negint32 = put_negint32,
    .negint64 = put_negint64,
    .byte_string = put_bytes,
    .byte_string_start = ignore,
    .string = put_text,
    .string_start = ignore,
    .array_start = put_array,
    .indef_array_start = ignore,
    .map_start = put_map,
    .indef_map_start = ignore,
    .tag = ignore_tag,
    .float2 = put_float,
    .float4 = put_float,
    .float8 = put_double,
    .undefined = put_other,
    .null = put_other,
    .boolean = put_bool,
    .indef_break = ignore,
};

bool cbor_read(struct cbor_reader *reader, struct cbor_item *out)
{
    *out = (struct cbor_item){0};
    if (reader->failed || reader->rest.len == 0) {
        reader->failed = true;
        return false;
    }
    struct cbor_decoder_result result =
        cbor_stream_decode(reader->rest.p, reader->rest.len, &callbacks, out);
    if (result.status != CBOR_DECODER_FINISHED || out->kind == 0 ||
        result.read > reader->rest.len) {
        *out = (struct cbor_item){0};
        reader->failed = true;
        return false;
    }
    reader->rest = span_of(reader->rest.p + result.read, reader->rest.len - result.read);
    return true;
}

static void skip(struct cbor_reader *reader, unsigned depth)
{
    struct cbor_item item;

    if (depth > CBOR_DEPTH_MAX)
        reader->failed = true;
    if (!cbor_read(reader, &item) || (item.kind != CBOR_ARRAY && item.kind != CBOR_MAP))
        return;
    /* Each item takes a byte at least, so that a count over what is left fails soon. */
    for (uint64_t i = 0; i < item.number && !reader->failed; i++) {
        skip(reader, depth + 1);
        if (item.kind == CBOR_MAP)
            skip(reader, depth + 1);
    }
}

struct span cbor_read_whole(struct cbor_reader *reader)
{
    struct span before = reader->rest;

    skip(reader, 0);
    return reader->failed ? span_of(NULL, 0) : span_of(before.p, before.len - reader->rest.len);
}

uint64_t cbor_read_count(struct cbor_reader *reader, enum cbor_kind kind)
{
    struct cbor_item item;

    if (cbor_read(reader, &item) && item.kind == kind)
        return item.number;
    reader->failed = true;
    return 0;
}

struct span cbor_read_bytes(struct cbor_reader *reader, enum cbor_kind kind)
{
    struct cbor_item item;

    if (cbor_read(reader, &item) && item.kind == kind)
        return item.bytes;
    reader->failed = true;
    return span_of(NULL, 0);
}

int64_t cbor_read_int(struct cbor_reader *reader)
{
    struct cbor_item item;

    if (cbor_read(reader, &item) && item.number <= INT64_MAX) {
        if (item.kind == CBOR_UINT)
            return (int64_t)item.number;
        if (item.kind == CBOR_NEGINT)
            return -1 - (int64_t)item.number;
    }
    reader->failed = true;
    return 0;
}
