/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifyCC, verifyCPF, verifySSN, verifySVNR: the argument is a regular expression; what it finds
 * must also have the check digits, or be in the ranges, of such numbers. Blob: the expression.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "waf/operator/operator_internal.h"

#include "base/mem.h"

#include <pcre2.h>

enum {
    DIGITS_MAX = 11,
    TRIES_MAX = 10000,    /* places of a value that are looked at */
    MATCH_LIMIT = 100000, /* steps of PCRE2 per place */
};

/* ------------------------------------------------------------------ the numbers */

/* The digits of the text, at most max + 1; returns how many. */
static size_t digits_of(struct span text, size_t max, uint8_t *out)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len && count <= max; i++)
        if (text.p[i] >= '0' && text.p[i] <= '9')
            out[count++] = text.p[i] - '0';
    return count;
}

/* ISO/IEC 7812 (Luhn), over any count of digits. */
static bool is_cc(struct span text)
{
    unsigned sum[2] = {0, 0}; /* when the first digit is doubled, when it is not */
    unsigned count = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.p[i] - '0';
        if (digit > 9)
            continue;
        unsigned twice = digit * 2 - (digit > 4 ? 9 : 0);
        sum[count & 1] += twice;
        sum[~count & 1] += digit;
        count++;
    }
    return count > 0 && sum[count & 1] % 10 == 0;
}

static bool all_equal(const uint8_t *d, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (d[i] != d[0])
            return false;
    return true;
}

/* Each digit one more than the one before it. */
static bool ascending(const uint8_t *d, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (d[i] != d[i - 1] + 1)
            return false;
    return true;
}

/* The digit behind the first `count` of a Brazilian CPF. */
static unsigned cpf_check(const uint8_t *d, size_t count)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += d[i] * (unsigned)(count + 1 - i);
    return sum % 11 < 2 ? 0 : 11 - sum % 11;
}

/* Digits behind the eleventh are not looked at, as in ModSecurity. */
static bool is_cpf(struct span text)
{
    enum { CPF = 11 };
    static const uint8_t counting[CPF] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0};
    uint8_t d[DIGITS_MAX + 1];

    if (digits_of(text, CPF, d) < CPF || all_equal(d, CPF) || memcmp(d, counting, CPF) == 0)
        return false;
    return d[9] == cpf_check(d, 9) && d[10] == cpf_check(d, 10);
}

/* United States: area, group and serial are not zero, the area is below 740 and not 666. */
static bool is_ssn(struct span text)
{
    enum { SSN = 9 };
    uint8_t d[DIGITS_MAX + 1];

    if (digits_of(text, SSN, d) != SSN || all_equal(d, SSN) || ascending(d, SSN))
        return false;
    unsigned area = d[0] * 100U + d[1] * 10U + d[2];
    bool group = d[3] + d[4] > 0;
    bool serial = d[5] + d[6] + d[7] + d[8] > 0;
    return area > 0 && area < 740 && area != 666 && group && serial;
}

/* Austria: the fourth digit checks the others. Digits behind the tenth are not looked at. */
static bool is_svnr(struct span text)
{
    enum { SVNR = 10 };
    static const uint8_t weights[SVNR] = {3, 7, 9, 0, 5, 8, 4, 2, 1, 6};
    static const uint8_t counting[SVNR] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0};
    uint8_t d[DIGITS_MAX + 1];
    unsigned sum = 0;

    if (digits_of(text, SVNR, d) < SVNR || all_equal(d, SVNR) || ascending(d, SVNR) ||
        memcmp(d, counting, SVNR) == 0)
        return false;
    for (size_t i = 0; i < SVNR; i++)
        sum += (unsigned)weights[i] * d[i];
    return sum % 11 % 10 == d[3];
}

static bool verify(enum waf_op op, struct span text)
{
    switch (op) {
    case WAF_OP_VERIFY_CC: return is_cc(text);
    case WAF_OP_VERIFY_CPF: return is_cpf(text);
    case WAF_OP_VERIFY_SSN: return is_ssn(text);
    default: return is_svnr(text);
    }
}

/* ------------------------------------------------------------------ the expression */

struct verify_state {
    struct waf_op_state base;
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
};

static void free_state(struct waf_op_state *base)
{
    struct verify_state *state = (struct verify_state *)base;

    pcre2_match_context_free(state->context);
    pcre2_match_data_free(state->match);
    pcre2_code_free(state->code);
    free(state);
}

static int compile(enum waf_op op, struct span pattern, pcre2_code **out, struct err *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    uint8_t why[128] = "";

    *out = pcre2_compile(pattern.p, pattern.len, PCRE2_DOTALL | PCRE2_MULTILINE, &code, &at, NULL);
    if (*out != NULL)
        return 0;
    pcre2_get_error_message(code, why, sizeof(why));
    return err_set(err, ERR_INVALID, "@%s: the expression is wrong at character %zu: %s",
                   waf_op_name(op), at + 1, (const char *)why);
}

int op_prepare_verify(enum waf_op op, struct span argument, const char *dir, struct buf *blob,
                      struct err *err)
{
    pcre2_code *code;

    (void)dir;
    TRY(compile(op, argument, &code, err));
    pcre2_code_free(code);
    buf_put_span(blob, argument);
    return 0;
}

int op_load_verify(enum waf_op op, struct span blob, struct waf_op_state **out, struct err *err)
{
    pcre2_code *code;

    TRY(compile(op, blob, &code, err));
    struct verify_state *state = mem_new(sizeof(*state));
    state->base.free = free_state;
    state->code = code;
    state->match = pcre2_match_data_create(1, NULL);
    state->context = pcre2_match_context_create(NULL);
    INVARIANT(state->match != NULL && state->context != NULL);
    pcre2_set_match_limit(state->context, MATCH_LIMIT);
    /* Without JIT it is slower and the same. */
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    *out = &state->base;
    return 0;
}

/* Looks behind the beginning of each find again, so that a number inside a longer find counts. */
bool op_verify(const struct op_call *call, struct waf_op_found *found)
{
    const struct verify_state *state = (const struct verify_state *)call->state;
    struct span value = call->value;
    size_t from = 0;

    for (int tries = 0; tries < TRIES_MAX && from < value.len; tries++) {
        if (pcre2_match(state->code, value.p, value.len, from, 0, state->match, state->context) < 0)
            return false;
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(state->match);
        size_t len = ends[1] > ends[0] ? ends[1] - ends[0] : 0;
        if (verify(call->op, span_of(value.p + ends[0], len))) {
            found->capture = span_of(value.p + ends[0], len);
            return op_found_at(found, ends[0], len);
        }
        from = ends[0] + 1;
    }
    return false;
}
