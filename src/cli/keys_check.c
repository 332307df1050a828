/* SPDX-License-Identifier: Apache-2.0 */
/* drun keys check: is there a key in a text? By form and check sum alone, without asking anybody;
 * for hooks and scanners. */
#include "cli/keys.h"

#include "auth/auth.h"
#include "base/fd.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_MAX = 64 << 20 };

static bool is_word(uint8_t c)
{
    return isalnum(c) != 0;
}

/* At `text`, which begins with the prefix. */
static bool look_at(struct span text, size_t line)
{
    size_t prefix = strlen(AUTH_KEY_PREFIX);
    struct err why = ERR_INIT;
    size_t len = prefix;

    while (len < text.len && is_word(text.p[len]))
        len++;
    bool real = auth_key_check(span_of(text.p, len), &why) == 0;
    printf("line %zu: %.*s…%.*s: %s\n", line, (int)(prefix + (len > prefix + 8 ? 4 : 0)), text.p,
           len > prefix + 8 ? 4 : 0, text.p + len - (len > prefix + 8 ? 4 : 0),
           real ? "an API key of drun" : why.msg);
    return real;
}

int keys_check(bool *found, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf input = BUF_INIT(INPUT_MAX);
    size_t line = 1;

    *found = false;
    TRY(fd_read_all(STDIN_FILENO, "standard input", &input, err));
    TRY(buf_check(&input, "standard input", err));
    for (size_t i = 0; i < input.len; i++) {
        struct span rest = span_of(input.data + i, input.len - i);
        line += input.data[i] == '\n';
        if (span_has_prefix(rest, AUTH_KEY_PREFIX) && look_at(rest, line))
            *found = true;
    }
    return 0;
}
