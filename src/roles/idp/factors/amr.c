/* SPDX-License-Identifier: Apache-2.0 */
/* How somebody signed in, as words of RFC 8176 with a blank between them. */
#include "idp/factors/factors.h"

#include "base/mem.h"

static bool has(const char *amr, struct span word)
{
    struct span rest = span_str(amr);
    struct span one;

    while (rest.len > 0) {
        const uint8_t *blank = memchr(rest.p, ' ', rest.len);
        one = blank == NULL ? rest : span_of(rest.p, (size_t)(blank - rest.p));
        if (span_eq(one, word))
            return true;
        rest = span_of(rest.p + one.len, rest.len - one.len);
        if (rest.len > 0)
            rest = span_of(rest.p + 1, rest.len - 1);
    }
    return false;
}

static void add(char amr[AMR_SIZE], struct span word)
{
    size_t len = strlen(amr);

    if (word.len == 0 || has(amr, word))
        return;
    INVARIANT(len + 1 + word.len < AMR_SIZE);
    snprintf(amr + len, AMR_SIZE - len, "%s%.*s", len > 0 ? " " : "", SPAN_ARG(word));
}

static bool has_any(const char *amr, const char *const *words)
{
    for (; *words != NULL; words++)
        if (has(amr, span_str(*words)))
            return true;
    return false;
}

void amr_add(char amr[AMR_SIZE], const char *more)
{
    static const char *const known[] = {"pwd", NULL};
    static const char *const held[] = {"otp", "sms", "hwk", "swk", NULL};

    while (*more != '\0') {
        size_t len = strcspn(more, " ");
        add(amr, span_of(more, len));
        more += len + (more[len] == ' ');
    }
    if (has_any(amr, known) && has_any(amr, held))
        add(amr, span_str("mfa"));
}
