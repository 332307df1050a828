/* SPDX-License-Identifier: Apache-2.0 */
/* Formats are those that their issuers publish for secret scanners, and the standards named in
 * checks.c. A detector whose format is strong acts by itself; a weak one only tells. */
#include "guard/detectors.h"

#include <stdio.h>

/* Between what is no part of a word. */
#define WORD(pattern) "(?<![A-Za-z0-9_])" pattern "(?![A-Za-z0-9_])"
/* The same, where the end is open. */
#define FROM(pattern)   "(?<![A-Za-z0-9_])" pattern
#define NUMBER(pattern) "(?<![0-9A-Za-z_.+-])" pattern "(?![0-9A-Za-z_])"

#define SECRET(name, doc)                                                                          \
    {                                                                                              \
        name, doc, GUARD_SECRET, GUARD_MASK                                                        \
    }
#define TOLD(name, doc)                                                                            \
    {                                                                                              \
        name, doc, GUARD_SECRET, GUARD_DETECT                                                      \
    }
#define PERSONAL(name, doc)                                                                        \
    {                                                                                              \
        name, doc, GUARD_PERSONAL, GUARD_DETECT                                                    \
    }

/* clang-format off */
const struct detector guard_table[] = {
    {SECRET("private-key", "a private key in PEM"),
     "-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\s|\\\\[nr]){1,8}(?:[A-Z][A-Za-z-]{2,20}: [^\\n]{1,80}\\n){0,4}\\s{0,2}[A-Za-z0-9+/]{40}",
     "PRIVATE KEY", NULL, TAIL_PEM},
    {SECRET("aws-access-key", "an access key id of AWS"), WORD("(?:AKIA|ASIA)[A-Z2-7]{16}"), "A[KS]IA", NULL, TAIL_NONE},
    {SECRET("aliyun-access-key", "an access key id of Alibaba Cloud"), WORD("LTAI[A-Za-z0-9]{16,26}"), "LTAI", NULL, TAIL_NONE},
    {SECRET("tencent-access-key", "a secret id of Tencent Cloud"), WORD("AKID[A-Za-z0-9]{32}"), "AKID", NULL, TAIL_NONE},
    {SECRET("google-api-key", "an API key of Google"), FROM("AIza[A-Za-z0-9_-]{35}"), "AIza", NULL, TAIL_TOKEN},
    {SECRET("github-token", "a token of GitHub"), FROM("(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})"), "gh[pousr]_|github_pat_", NULL, TAIL_TOKEN},
    {SECRET("gitlab-token", "a token of GitLab"), FROM("glpat-[A-Za-z0-9_-]{20}"), "glpat-", NULL, TAIL_TOKEN},
    {SECRET("slack-token", "a token of Slack"), FROM("xox[abeprs]-[A-Za-z0-9-]{10,64}"), "xox[abeprs]-", NULL, TAIL_TOKEN},
    {SECRET("openai-key", "an API key of OpenAI"), FROM("sk-[A-Za-z0-9_-]{16,128}?T3BlbkFJ[A-Za-z0-9_-]{16}"), "T3BlbkFJ", NULL, TAIL_TOKEN},
    {SECRET("anthropic-key", "an API key of Anthropic"), FROM("sk-ant-[a-z0-9]{3,12}-[A-Za-z0-9_-]{32}"), "sk-ant-", NULL, TAIL_TOKEN},
    {SECRET("drun-key", "an API key of this platform"), FROM("sk-drun-[A-Za-z0-9_-]{24}"), "sk-drun-", NULL, TAIL_TOKEN},
    {SECRET("huggingface-token", "a token of Hugging Face"), WORD("hf_[A-Za-z]{34}"), "hf_", NULL, TAIL_NONE},
    {SECRET("npm-token", "a token of npm"), WORD("npm_[A-Za-z0-9]{36}"), "npm_", NULL, TAIL_NONE},
    {SECRET("pypi-token", "a token of PyPI"), FROM("pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{32}"), "pypi-AgE", NULL, TAIL_TOKEN},
    {SECRET("stripe-key", "a live key of Stripe"), FROM("[sr]k_live_[A-Za-z0-9]{20}"), "k_live_", NULL, TAIL_TOKEN},
    {SECRET("sendgrid-key", "a key of SendGrid"), FROM("SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}"), "SG\\.", NULL, TAIL_NONE},
    {SECRET("telegram-token", "a token of a Telegram bot"), WORD("[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"), ":AA", NULL, TAIL_NONE},
    {SECRET("jwt", "a JSON web token"), FROM("eyJ[A-Za-z0-9_-]{10,500}\\.eyJ[A-Za-z0-9_-]{10}"), "\\.eyJ", NULL, TAIL_TOKEN},
    {TOLD("url-password", "a password in a URL"),
     FROM("[a-z][a-z0-9+.-]{1,15}://[^\\s/:@\"'`<>]{1,64}:[^\\s/:@\"'`<>]{3,64}@[A-Za-z0-9.-]{1,253}"), "://[^\\s/:@]{1,64}:", guard_check_password, TAIL_NONE},
    {PERSONAL("cn-id-card", "a Chinese identity card number"),
     NUMBER("[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"), "[0-9]{17}[0-9Xx]", guard_check_cn_id, TAIL_NONE},
    {PERSONAL("cn-mobile", "a mobile telephone number of mainland China"),
     "(?<![0-9A-Za-z_.-])(?:(?:\\+|00)86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}(?![0-9A-Za-z_])", NULL, NULL, TAIL_NONE},
    {PERSONAL("bank-card", "a payment card number"),
     NUMBER("(?:3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}|[2-6][0-9]{3}(?:[ -]?[0-9]{4}){2,3}(?:[ -]?[0-9]{1,3})?)"), "[2-6][0-9]{3}[ -]?[0-9]{4}", guard_check_luhn, TAIL_NONE},
    {PERSONAL("cn-passport", "a Chinese passport number, where the text speaks of one"),
     "(?:\xe6\x8a\xa4\xe7\x85\xa7|[Pp]assport)[^0-9A-Za-z]{0,12}(?:[Nn]umber|[Nn]o)?[^0-9A-Za-z]{0,6}(?:[EGDPS][0-9]{8}|E[A-HJ-NP-Z][0-9]{7})(?![0-9A-Za-z])",
     "\xe6\x8a\xa4\xe7\x85\xa7|assport", NULL, TAIL_NONE},
    {PERSONAL("iban", "a bank account number"), WORD("[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?"), "[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}", guard_check_iban, TAIL_NONE},
    {PERSONAL("us-ssn", "a social security number of the United States"),
     NUMBER("(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?!-)"), "[0-9]-[0-9]{2}-[0-9]", NULL, TAIL_NONE},
    {{"email", "an e-mail address", GUARD_PERSONAL, GUARD_OFF},
     "(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])", "[A-Za-z0-9._%+-]@[A-Za-z0-9-]", NULL, TAIL_NONE},
    {{"ipv4", "an IPv4 address", GUARD_PERSONAL, GUARD_OFF},
     NUMBER("(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?!\\.[0-9])"), NULL, NULL, TAIL_NONE},
    {{"invisible", "characters that nobody sees, in a place where no script needs them", GUARD_HIDDEN, GUARD_MASK}, NULL, NULL, NULL, TAIL_NONE},
    {{"bidi-control", "control of the direction of text where there is none from right to left", GUARD_HIDDEN, GUARD_MASK}, NULL, NULL, NULL, TAIL_NONE},
};
/* clang-format on */
const size_t guard_table_len = ARRAY_LEN(guard_table);

_Static_assert(ARRAY_LEN(guard_table) <= GUARD_DETECTORS_MAX, "a policy has room for all");

const char *const guard_encoding_patterns[ENCODING_COUNT] = {
    [ENCODING_BASE64] = "(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{32,1024}={0,2}",
    [ENCODING_HEX] = "(?<![A-Za-z0-9])(?:[0-9A-Fa-f]{2}){20,500}(?![A-Za-z0-9])",
    [ENCODING_PERCENT] = "(?:%[0-9A-Fa-f]{2}){8,300}",
};

const char *const guard_encoding_hints[ENCODING_COUNT] = {
    [ENCODING_BASE64] = "[A-Za-z0-9+/_-]{32}",
    [ENCODING_HEX] = "[0-9A-Fa-f]{40}",
    [ENCODING_PERCENT] = "%[0-9A-Fa-f]{2}%[0-9A-Fa-f]{2}%",
};

size_t guard_number_invisible(void)
{
    return guard_table_len - 2;
}

size_t guard_number_bidi(void)
{
    return guard_table_len - 1;
}

size_t guard_detector_count(void)
{
    return guard_table_len;
}

const struct guard_detector *guard_detector(size_t number)
{
    return &guard_table[number].about;
}

const char *guard_group_name(enum guard_group group)
{
    static const char *const names[] = {"secret", "personal", "hidden"};

    return names[group];
}

const char *guard_action_name(enum guard_action action)
{
    static const char *const names[] = {"off", "detect", "mask", "block"};

    return names[action];
}

/* ------------------------------------------------------------------ policies */

void guard_policy_usual(struct guard_policy *policy)
{
    *policy = (struct guard_policy){0};
    for (size_t i = 0; i < guard_table_len; i++)
        policy->action[i] = (uint8_t)guard_table[i].about.usual;
}

static int parse_action(const char *text, uint8_t *out, struct err *err)
{
    for (int action = GUARD_OFF; action <= GUARD_BLOCK; action++) {
        if (strcmp(text, guard_action_name((enum guard_action)action)) != 0)
            continue;
        *out = (uint8_t)action;
        return 0;
    }
    return err_set(err, ERR_INVALID, "\"%.32s\" is no action: off, detect, mask or block", text);
}

int guard_policy_set(struct guard_policy *policy, const char *what, const char *action,
                     struct err *err)
{
    uint8_t number = 0;
    bool found = false;

    TRY(parse_action(action, &number, err));
    for (size_t i = 0; i < guard_table_len; i++) {
        const struct guard_detector *about = &guard_table[i].about;
        if (strcmp(what, "all") != 0 && strcmp(what, about->name) != 0 &&
            strcmp(what, guard_group_name(about->group)) != 0)
            continue;
        policy->action[i] = number;
        found = true;
    }
    if (found)
        return 0;
    return err_set(err, ERR_INVALID,
                   "there is no detector \"%.64s\": all, secret, personal, hidden, or the name of "
                   "one, such as %s",
                   what, guard_table[0].about.name);
}
