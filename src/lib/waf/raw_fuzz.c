/* SPDX-License-Identifier: Apache-2.0 */
/* All that is given out lies in the text, in order. */
#include "waf/raw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lies_within(struct span part, struct span whole)
{
    INVARIANT(part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void read_headers(struct span headers)
{
    struct span name, value;

    for (struct span left = headers; waf_raw_header(&left, &name, &value);) {
        lies_within(name, headers);
        lies_within(value, headers);
    }
}

static void read_answer(struct span text)
{
    struct err err = ERR_INIT;
    struct waf_raw_answer raw;

    if (waf_raw_read_answer(text, &raw, &err) < 0)
        return;
    INVARIANT(raw.status >= 100 && raw.status <= 999);
    lies_within(raw.protocol, text);
    lies_within(raw.headers, text);
    lies_within(raw.body, text);
    read_headers(raw.headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    struct err err = ERR_INIT;
    struct waf_raw raw;

    if (size == 0)
        return 0;
    read_answer(text);
    if (waf_raw_read(text, &raw, &err) < 0)
        return 0;
    lies_within(raw.method, text);
    lies_within(raw.uri, text);
    lies_within(raw.headers, text);
    lies_within(raw.body, text);
    read_headers(raw.headers);
    return 0;
}
