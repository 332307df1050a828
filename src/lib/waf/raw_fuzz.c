/* SPDX-License-Identifier: Apache-2.0 */
/* All that is given out lies in the text, in order. */
#include "waf/raw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lies_within(struct span part, struct span whole)
{
    INVARIANT(part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    struct span name, value;
    struct err err = ERR_INIT;
    struct waf_raw raw;

    if (size == 0 || waf_raw_read(text, &raw, &err) < 0)
        return 0;
    lies_within(raw.method, text);
    lies_within(raw.uri, text);
    lies_within(raw.headers, text);
    lies_within(raw.body, text);
    for (struct span left = raw.headers; waf_raw_header(&left, &name, &value);) {
        lies_within(name, raw.headers);
        lies_within(value, raw.headers);
    }
    return 0;
}
