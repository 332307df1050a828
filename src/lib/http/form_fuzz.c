/* SPDX-License-Identifier: Apache-2.0 */
/* What decodes is text without NUL, no longer than it was, and plain text decodes to itself. */
#include "http/http_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    struct span text = span_of(data, size);
    const char *out = http_form_decode(text, arena);

    if (out == NULL)
        return 0;
    INVARIANT(strlen(out) <= size);
    if (memchr(data, '%', size) == NULL && memchr(data, '+', size) == NULL)
        INVARIANT(span_eq_str(text, out));
    return 0;
}
