/* SPDX-License-Identifier: Apache-2.0 */
/* Operators match where ModSecurity's do. The first line of the input is the argument of those that
 * expand macros, the rest is the value. */
#include "waf/operator/operator.h"
#include "waf/oracle/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 12, RULES_MAX = 1 << 14 };

/* NULL: the argument of the input. */
static const struct {
    enum waf_op op;
    const char *argument;
} CASES[] = {
    {WAF_OP_BEGINS_WITH, NULL},
    {WAF_OP_CONTAINS, NULL},
    {WAF_OP_CONTAINS_WORD, NULL},
    {WAF_OP_ENDS_WITH, NULL},
    {WAF_OP_EQ, NULL},
    {WAF_OP_GE, NULL},
    {WAF_OP_GT, NULL},
    {WAF_OP_LE, NULL},
    {WAF_OP_LT, NULL},
    {WAF_OP_STREQ, NULL},
    {WAF_OP_STRMATCH, NULL},
    {WAF_OP_WITHIN, NULL},
    {WAF_OP_DETECT_SQLI, ""},
    {WAF_OP_DETECT_XSS, ""},
    {WAF_OP_VALIDATE_URL_ENCODING, ""},
    {WAF_OP_VALIDATE_UTF8_ENCODING, ""},
    {WAF_OP_VALIDATE_BYTE_RANGE, "9,10,13,32-126"},
    {WAF_OP_IP_MATCH, "192.0.2.0/25,10.1.2.3,2001:db8::/33,::1,192.0.2.64/26"},
    {WAF_OP_VERIFY_CC, "[0-9][0-9 -]{3,20}[0-9]"},
    {WAF_OP_VERIFY_CPF, "([0-9]{3}[.]){2}[0-9]{3}-[0-9]{2}"},
    {WAF_OP_VERIFY_SSN, "[0-9]{3}-?[0-9]{2}-?[0-9]{4}"},
    {WAF_OP_VERIFY_SVNR, "[0-9]{4} ?[0-9]{6}"},
};

static struct oracle *make_oracle(void)
{
    CLEANUP(buf_free) struct buf rules = BUF_INIT(RULES_MAX);

    buf_put_str(&rules, "SecRuleEngine On\n");
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const char *argument =
            CASES[i].argument == NULL ? "%{REQUEST_HEADERS.X-Arg}" : CASES[i].argument;
        buf_printf(&rules,
                   "SecRule REQUEST_HEADERS:X-Value \"@%s%s%s\" "
                   "\"id:%zu,phase:1,pass,nolog,setvar:'tx.r%zu=1'\"\n",
                   waf_op_name(CASES[i].op), *argument == '\0' ? "" : " ", argument, i + 1, i);
    }
    buf_put_str(&rules, "SecAction \"id:100,phase:1,nolog,deny,status:302,redirect:'");
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        buf_printf(&rules, "%%{tx.r%zu}|", i);
    buf_put_str(&rules, "'\"\n");
    return oracle_new(buf_text(&rules));
}

struct prepared {
    struct buf blob;
    struct waf_op_state *state;
};

static struct prepared *prepare_all(void)
{
    static struct prepared prepared[ARRAY_LEN(CASES)]; /* kept from input to input */
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const char *argument = CASES[i].argument == NULL ? "" : CASES[i].argument;
        prepared[i].blob = (struct buf)BUF_INIT(RULES_MAX);
        INVARIANT(waf_op_prepare(CASES[i].op, span_str(argument), NULL, &prepared[i].blob, &err) ==
                  0);
        INVARIANT(waf_op_load(CASES[i].op, buf_span(&prepared[i].blob), &prepared[i].state, &err) ==
                  0);
    }
    return prepared;
}

static bool many_digits(struct span text)
{
    size_t digits = 0;

    for (size_t i = 0; i < text.len; i++)
        digits += text.p[i] >= '0' && text.p[i] <= '9';
    return digits > 9;
}

/* See DIFFERENCES.md. */
static bool differs(enum waf_op op, struct span argument, struct span value)
{
    if (op == WAF_OP_EQ)
        return many_digits(argument) || many_digits(value);
    if (op == WAF_OP_VERIFY_SVNR)
        return memmem(value.p, value.len, "8888", 4) != NULL ||
               memmem(value.p, value.len, "9999", 4) != NULL;
    return op == WAF_OP_IP_MATCH && value.len > 0 && memchr(value.p, '\0', value.len) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct oracle *oracle;
    static struct prepared *prepared;
    struct span input = span_of(data, size > INPUT_MAX ? INPUT_MAX : size);
    const uint8_t *line_end = input.len == 0 ? NULL : memchr(input.p, '\n', input.len);
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 16);
    CLEANUP(buf_free) struct buf wanted = BUF_INIT(1 << 16);

    if (line_end == NULL)
        return 0;
    if (oracle == NULL) {
        oracle = make_oracle();
        prepared = prepare_all();
    }
    struct span argument = span_of(input.p, (size_t)(line_end - input.p));
    struct span value = span_of(line_end + 1, input.len - argument.len - 1);
    struct oracle_request request = {.value = value, .argument = argument};
    oracle_run(oracle, &request, &wanted);
    struct cursor cursor = cursor_of(buf_span(&wanted));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct waf_op_run run = {.arena = arena};
        struct waf_op_found found;
        bool theirs = cursor_u8(&cursor) == '1';
        if (theirs)
            (void)cursor_u8(&cursor);
        bool ours = waf_op_match(CASES[i].op, buf_span(&prepared[i].blob), prepared[i].state,
                                 argument, value, &run, &found);
        INVARIANT(!ours || found.offset + found.len <= value.len);
        if (ours != theirs && !differs(CASES[i].op, argument, value)) {
            fprintf(stderr, "@%s: ours %d, ModSecurity %d\n", waf_op_name(CASES[i].op), ours,
                    theirs);
            INVARIANT(!"an operator differs");
        }
    }
    return 0;
}
