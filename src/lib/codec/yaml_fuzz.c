/* SPDX-License-Identifier: Apache-2.0 */
/* Every document that parses must print and parse back equal, as YAML and as JSON. */
#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip_yaml(const json_t *document)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 28);
    CLEANUP_JSON json_t *again = NULL;
    struct err err = ERR_INIT;

    codec_yaml_put(document, &text);
    INVARIANT(codec_yaml_parse(buf_span(&text), "again", &again, &err) == 0);
    INVARIANT(json_array_size(again) == 1 && json_equal(document, json_array_get(again, 0)));
}

static void round_trip_json(const json_t *document)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 28);
    CLEANUP_JSON json_t *again = NULL;
    struct err err = ERR_INIT;

    codec_json_put(document, &text);
    INVARIANT(codec_json_parse(buf_span(&text), "again", &again, &err) == 0);
    INVARIANT(json_equal(document, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_JSON json_t *documents = NULL;
    struct err err = ERR_INIT;

    if (codec_yaml_parse(span_of(data, size), "input", &documents, &err) < 0) {
        INVARIANT(err.code == ERR_INVALID);
        return 0;
    }
    for (size_t i = 0; i < json_array_size(documents); i++) {
        round_trip_yaml(json_array_get(documents, i));
        round_trip_json(json_array_get(documents, i));
    }
    return 0;
}
