/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/keys_scan.h"

#include "auth/auth.h"

#include <string.h>

static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

void keys_scan(struct span text, keys_scan_fn *fn, void *ctx)
{
    size_t prefix = strlen(AUTH_KEY_PREFIX);
    size_t line = 1;

    for (size_t i = 0; i < text.len; i++) {
        struct span rest = span_of(text.p + i, text.len - i);
        struct err why = ERR_INIT;
        size_t len = prefix;
        line += text.p[i] == '\n';
        if (!span_has_prefix(rest, AUTH_KEY_PREFIX))
            continue;
        while (len < rest.len && is_word(rest.p[len]))
            len++;
        struct span found = span_of(rest.p, len);
        fn(ctx, line, found, auth_key_check(found, &why) == 0 ? NULL : why.msg);
        i += len - 1;
    }
}
