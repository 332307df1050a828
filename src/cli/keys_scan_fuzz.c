/* SPDX-License-Identifier: Apache-2.0 */
/* What is found lies in the text, begins like a key, and is one exactly when its check sum says so.
 */
#include "auth/auth.h"
#include "base/mem.h"
#include "cli/keys_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct span text;
    const uint8_t *end; /* of the one before */
    size_t lines;
};

static void look_at(void *ctx, size_t line, struct span key, const char *why)
{
    struct seen *seen = ctx;
    struct err err = ERR_INIT;

    INVARIANT(key.p >= seen->end && key.p + key.len <= seen->text.p + seen->text.len);
    INVARIANT(span_has_prefix(key, AUTH_KEY_PREFIX) && line <= seen->lines);
    INVARIANT((auth_key_check(key, &err) == 0) == (why == NULL));
    seen->end = key.p + key.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = {.text = span_of(data, size), .end = data, .lines = 1};

    for (size_t i = 0; i < size; i++)
        seen.lines += data[i] == '\n';
    keys_scan(seen.text, look_at, &seen);
    return 0;
}
