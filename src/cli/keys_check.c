/* SPDX-License-Identifier: Apache-2.0 */
/* drun keys check: is there a key in a text? Without asking anybody; for hooks and scanners. */
#include "auth/auth.h"
#include "base/fd.h"
#include "cli/keys.h"
#include "cli/keys_scan.h"

#include <string.h>
#include <unistd.h>

enum { INPUT_MAX = 64 << 20, SHOWN = 4 };

/* No more of it than tells it from others. */
static void print(void *ctx, size_t line, struct span key, const char *why)
{
    bool *found = ctx;
    size_t prefix = strlen(AUTH_KEY_PREFIX);
    int shown = key.len > prefix + 4 * SHOWN ? SHOWN : 0;

    printf("line %zu: %.*s…%.*s: %s\n", line, (int)prefix + shown, key.p, shown,
           key.p + key.len - shown, why == NULL ? "an API key of drun" : why);
    *found = *found || why == NULL;
}

int keys_check(bool *found, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf input = BUF_INIT(INPUT_MAX);

    *found = false;
    TRY(fd_read_all(STDIN_FILENO, "standard input", &input, err));
    TRY(buf_check(&input, "standard input", err));
    keys_scan(buf_span(&input), print, found);
    return 0;
}
