/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/compile/lines.h"

#include "base/attr.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct example {
    const char *pattern;
    const char *made; /* NULL: refused */
    bool anchored;
    bool newline;
};

static const struct example examples[] = {
    {"", "", false, false},
    {"abc|d", "abc|d", false, false},
    {"^a$", "^a$", true, false},
    {"\\^a\\$", "\\^a\\$", false, false},
    {"[^a$]", "[^a$]", false, false},
    {"[]^$]", "[]^$]", false, false},
    {"[^]^$]b$", "[^]^$]b$", true, false},
    {"[\\]^$]", "[\\]^$]", false, false},
    {"[[:alpha:]^]", "[[:alpha:]^]", false, false},
    {"\\Aa\\z|b\\Z", "^a$|b$", true, false},
    {"\\\\A\\\\z", "\\\\A\\\\z", false, false},
    {"a\\n", "a\\n", false, true},
    {"[\\r\\n]+x", "[\\r\\n]+x", false, true},
    {"a\nb", "a\nb", false, true},
    {"(?:\\r?\\n)?\\z", "(?:\\r?\\n)?$", true, true},
    {"(?i:a)(?P<n>b)(?!c)(?<=d)", "(?i:a)(?P<n>b)(?!c)(?<=d)", false, false},
    {"(?-m:^a)", NULL, false, false},
    {"(?i-s)a", NULL, false, false},
    {"(?^)a", NULL, false, false},
    {"(?x)a #[", NULL, false, false},
    {"(?#[)\\A", NULL, false, false},
    {"(*CRLF)a$", NULL, false, false},
    {"\\Q^\\E", NULL, false, false},
    {"\\Ga", NULL, false, false},
    {"a\\Kb", NULL, false, false},
    {"[a", "[a", false, false},
    {"a\\", "a\\", false, false},
};

static void patterns_become_those_of_lines(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct lines lines;

    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *e = &examples[i];
        buf_reset(&out);
        bool good = lines_of(span_str(e->pattern), &lines, &out);
        if (good != (e->made != NULL))
            fail_msg("%s: %d", e->pattern, good);
        if (good && (!span_eq_str(buf_span(&out), e->made) || lines.anchored != e->anchored ||
                     lines.newline != e->newline))
            fail_msg("%s: %.*s, %d, %d", e->pattern, SPAN_ARG(buf_span(&out)), lines.anchored,
                     lines.newline);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(patterns_become_those_of_lines)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
