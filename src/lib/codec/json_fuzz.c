/* SPDX-License-Identifier: Apache-2.0 */
/* What parses must print in every style and parse back equal. */
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void put_fn(const json_t *value, struct buf *out);

static void round_trip(const json_t *value, put_fn *put)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 26);
    CLEANUP_JSON json_t *again = NULL;
    struct err err = ERR_INIT;

    put(value, &text);
    INVARIANT(codec_json_parse(buf_span(&text), "again", &again, &err) == 0);
    INVARIANT(json_equal(value, again));
}

/* Canonical numbers lose their type, so the text is what must come back. */
static void round_trip_canonical(const json_t *value)
{
    CLEANUP(buf_free) struct buf first = BUF_INIT(1 << 26);
    CLEANUP(buf_free) struct buf second = BUF_INIT(1 << 26);
    CLEANUP_JSON json_t *again = NULL;
    struct err err = ERR_INIT;

    if (codec_json_check_canonical(value, "input", &err) < 0)
        return;
    codec_json_put_canonical(value, &first);
    INVARIANT(codec_json_parse(buf_span(&first), "again", &again, &err) == 0);
    codec_json_put_canonical(again, &second);
    INVARIANT(span_eq(buf_span(&first), buf_span(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_JSON json_t *value = NULL;
    struct err err = ERR_INIT;

    if (codec_json_parse(span_of(data, size), "input", &value, &err) < 0) {
        INVARIANT(err.code == ERR_INVALID);
        return 0;
    }
    round_trip(value, codec_json_put);
    round_trip(value, codec_json_put_pretty);
    round_trip_canonical(value);
    return 0;
}
