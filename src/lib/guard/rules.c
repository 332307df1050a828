/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/rules.h"

#include "base/mem.h"
#include "scanner/scanner.h"

enum { MATCH_LIMIT = 100000 };

static const char *pattern_of(size_t number)
{
    return number < guard_table_len ? guard_table[number].pattern
                                    : guard_encoding_patterns[number - guard_table_len];
}

static const char *hint_of(size_t number)
{
    if (number >= guard_table_len)
        return guard_encoding_hints[number - guard_table_len];
    return guard_table[number].hint != NULL ? guard_table[number].hint
                                            : guard_table[number].pattern;
}

static int compile_one(struct guard_rules *rules, size_t number, struct err *err)
{
    const char *pattern = pattern_of(number);
    PCRE2_UCHAR why[128];
    PCRE2_SIZE at;
    int code;

    if (pattern == NULL)
        return 0;
    rules->code[number] = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                        PCRE2_NEVER_UTF | PCRE2_NO_AUTO_CAPTURE, &code, &at, NULL);
    if (rules->code[number] == NULL) {
        pcre2_get_error_message(code, why, sizeof(why));
        return err_set(err, ERR_INTERNAL, "guard pattern %zu at %zu: %s", number, at,
                       (const char *)why);
    }
    /* Without it the interpreter matches the same, only slower. */
    (void)pcre2_jit_compile(rules->code[number], PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
    return 0;
}

static int compile_all(struct guard_rules *rules, struct err *err)
{
    const char *patterns[RULES_MAX];
    unsigned flags[RULES_MAX];
    unsigned ids[RULES_MAX];
    unsigned count = 0;
    hs_compile_error_t *why = NULL;

    for (size_t i = 0; i < rules->count; i++) {
        if (pattern_of(i) == NULL)
            continue;
        patterns[count] = hint_of(i);
        flags[count] = HS_FLAG_PREFILTER | HS_FLAG_SINGLEMATCH;
        ids[count++] = (unsigned)i;
    }
    if (hs_compile_multi(patterns, flags, ids, count, HS_MODE_BLOCK, NULL, &rules->all, &why) ==
        HS_SUCCESS)
        return 0;
    err_set(err, ERR_INTERNAL, "guard pattern %d: %s", why->expression, why->message);
    hs_free_compile_error(why);
    return -1;
}

int guard_rules_new(struct guard_rules **out, struct err *err)
{
    struct guard_rules *rules = mem_new(sizeof(*rules));
    int result = 0;

    rules->sound = scanner_is_sound();
    rules->count = guard_table_len + ENCODING_COUNT;
    for (size_t i = 0; i < rules->count && result == 0; i++)
        result = compile_one(rules, i, err);
    if (result == 0)
        result = compile_all(rules, err);
    if (result == 0 && hs_alloc_scratch(rules->all, &rules->scratch) != HS_SUCCESS)
        result = err_set(err, ERR_INTERNAL, "the guard has no room to match in");
    if (result < 0) {
        guard_rules_free(rules);
        return -1;
    }
    rules->limits = pcre2_match_context_create(NULL);
    INVARIANT(rules->limits != NULL);
    pcre2_set_match_limit(rules->limits, MATCH_LIMIT);
    *out = rules;
    return 0;
}

void guard_rules_free(struct guard_rules *rules)
{
    if (rules == NULL)
        return;
    for (size_t i = 0; i < rules->count; i++)
        pcre2_code_free(rules->code[i]);
    hs_free_scratch(rules->scratch);
    hs_free_database(rules->all);
    pcre2_match_context_free(rules->limits);
    free(rules);
}

enum found rules_look(const struct guard_rules *rules, pcre2_match_data *data, size_t number,
                      const struct look *look, size_t *start, size_t *end)
{
    const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer(data);
    uint32_t options = look->last ? 0 : PCRE2_PARTIAL_HARD;
    int found = pcre2_match(rules->code[number], look->text, look->len, look->from, options, data,
                            rules->limits);

    if (found != PCRE2_ERROR_PARTIAL && found < 0)
        return FOUND_NOTHING;
    *start = ovector[0];
    *end = ovector[1];
    return found == PCRE2_ERROR_PARTIAL ? FOUND_PARTIAL : FOUND_MATCH;
}

static int note(unsigned id, unsigned long long from UNUSED, unsigned long long to UNUSED,
                unsigned flags UNUSED, void *ctx)
{
    bool *candidates = ctx;

    candidates[id] = true;
    return 0;
}

bool rules_candidates(const struct guard_rules *rules, struct span text, bool candidates[RULES_MAX])
{
    memset(candidates, 0, RULES_MAX * sizeof(candidates[0]));
    return rules->sound && hs_scan(rules->all, (const char *)text.p, (unsigned)text.len, 0,
                                   rules->scratch, note, candidates) == HS_SUCCESS;
}
