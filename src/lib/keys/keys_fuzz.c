/* SPDX-License-Identifier: Apache-2.0 */
/* What both ends share, as an answer of kms would be read. What is taken is written the same. */
#include "keys/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct cursor *in, const struct buf *again, struct span input)
{
    if (!in->failed)
        INVARIANT(span_eq(buf_span(again), span_of(input.p, input.len - in->left)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(4096);
    struct span input = span_of(data, size);
    struct cursor in[3] = {cursor_of(input), cursor_of(input), cursor_of(input)};
    struct keys_public public = {0};
    struct keys_status status = {0};
    struct keys_event event = {0};

    keys_get_public(&in[0], &public);
    keys_put_public(&again, &public);
    compare(&in[0], &again, input);
    buf_reset(&again);
    keys_get_status(&in[1], &status);
    keys_put_status(&again, &status);
    compare(&in[1], &again, input);
    buf_reset(&again);
    keys_get_event(&in[2], &event);
    keys_put_event(&again, &event);
    compare(&in[2], &again, input);
    (void)keys_wrapped_version(input);
    return 0;
}
