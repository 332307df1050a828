/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of texts. Each check gives the sentence that kubectl users know, in our words. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/num.h"
#include "kube/schema.h"

#include <arpa/inet.h>

#define LABEL_RULE                                                                                 \
    "must be at most 63 lower case letters, digits or '-', and begin and end with a letter or a "  \
    "digit"
#define SUBDOMAIN_RULE                                                                             \
    "must be at most 253 lower case letters, digits, '-' or '.', and begin and end with a letter " \
    "or a digit"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_lower_alnum(char c)
{
    return is_digit(c) || is_lower(c);
}

static bool dns_label(const char *text, size_t len)
{
    if (len == 0 || len > 63 || !is_lower_alnum(text[0]) || !is_lower_alnum(text[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_lower_alnum(text[i]) && text[i] != '-')
            return false;
    return true;
}

static bool dns_subdomain(const char *text, size_t len)
{
    if (len > 253)
        return false;
    for (;;) {
        const char *dot = memchr(text, '.', len);
        size_t part = dot != NULL ? (size_t)(dot - text) : len;
        /* A part may be longer than a label may be, as on any cluster. */
        if (part == 0 || !is_lower_alnum(text[0]) || !is_lower_alnum(text[part - 1]))
            return false;
        for (size_t i = 0; i < part; i++)
            if (!is_lower_alnum(text[i]) && text[i] != '-')
                return false;
        if (dot == NULL)
            return true;
        text += part + 1;
        len -= part + 1;
    }
}

static bool qualified_part(const char *text, size_t len)
{
    if (len == 0 || len > 63 || !is_alnum(text[0]) || !is_alnum(text[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(text[i]) && text[i] != '-' && text[i] != '_' && text[i] != '.')
            return false;
    return true;
}

static const char *check_label_key(const char *text)
{
    const char *slash = strchr(text, '/');

    if (slash != NULL && !dns_subdomain(text, (size_t)(slash - text)))
        return "the part before '/' " SUBDOMAIN_RULE;
    const char *name = slash != NULL ? slash + 1 : text;
    if (!qualified_part(name, strlen(name)))
        return "must be [prefix/]name, where name is at most 63 letters, digits, '-', '_' or '.', "
               "and begins and ends with a letter or a digit";
    return NULL;
}

static const char *check_label_value(const char *text)
{
    if (text[0] == '\0' || qualified_part(text, strlen(text)))
        return NULL;
    return "must be empty or at most 63 letters, digits, '-', '_' or '.', and begin and end with a "
           "letter or a digit";
}

static const char *check_path_segment(const char *text)
{
    if (text[0] == '\0' || strlen(text) > 253)
        return "must have 1 to 253 characters";
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return "may not be '.' or '..'";
    if (strpbrk(text, "/%") != NULL)
        return "may not contain '/' or '%'";
    return NULL;
}

static const char *check_config_key(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > 253 || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return "must have 1 to 253 characters and not be '.' or '..'";
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(text[i]) && strchr("-._", text[i]) == NULL)
            return "must consist of letters, digits, '-', '_' or '.'";
    return NULL;
}

static const char *check_bytes(const char *text)
{
    CLEANUP(buf_free_wiped) struct buf bytes = BUF_INIT(4 << 20);
    struct err err = ERR_INIT;

    if (enc_unbase64(ENC_BASE64, span_str(text), &bytes, &err) < 0)
        return "must be base64 (RFC 4648 section 4, padded)";
    return NULL;
}

static const char *check_time(const char *text)
{
    struct err err = ERR_INIT;
    int64_t sec;

    if (clock_parse(span_str(text), &sec, &err) < 0)
        return "must be an RFC 3339 time such as 2026-01-31T12:00:00Z";
    return NULL;
}

static const char *digits(const char *text, size_t *count)
{
    while (is_digit(*text)) {
        text++;
        (*count)++;
    }
    return text;
}

static const char *check_quantity(const char *text)
{
    static const char *const suffixes[] = {"",  "n", "u",  "m",  "k",  "M",  "G",  "T",
                                           "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    size_t count = 0;
    const char *p = digits(text + (*text == '+' || *text == '-'), &count);

    if (*p == '.')
        p = digits(p + 1, &count);
    if (count > 0 && strlen(text) <= 64) {
        for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
            if (strcmp(p, suffixes[i]) == 0)
                return NULL;
        size_t exponent = 0;
        if (*p == 'e' || *p == 'E') {
            p++;
            p = digits(p + (*p == '+' || *p == '-'), &exponent);
            if (exponent > 0 && *p == '\0')
                return NULL;
        }
    }
    return "must be a number with an optional suffix, such as 500m, 2Gi or 1e3";
}

static const char *check_url(const char *text)
{
    struct span all = span_str(text);
    size_t skip = span_has_prefix(all, "https://") ? 8 : span_has_prefix(all, "http://") ? 7 : 0;
    const char *host = text + skip;
    size_t host_len = strcspn(host, "/?");

    if (skip == 0 || host_len == 0 || all.len > 2048)
        return "must be an http or https URL of at most 2048 characters";
    if (memchr(host, '@', host_len) != NULL || strchr(text, '#') != NULL)
        return "must have neither a user name nor a fragment";
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '"' || *p == '\\' || *p == '<')
            return "must not contain blanks or control characters";
    return NULL;
}

static const char *check_email(const char *text)
{
    const char *at = strrchr(text, '@');

    if (at == NULL || at == text || strlen(text) > 254 || !dns_subdomain(at + 1, strlen(at + 1)))
        return "must be a mail address such as alice@example.com";
    for (const char *p = text; p < at; p++)
        if (!is_alnum(*p) && strchr(".!#$%&'*+/=?^_`{|}~-", *p) == NULL)
            return "has a character that is not allowed in a mail address";
    return NULL;
}

static const char *check_cidr(const char *text)
{
    static const char rule[] = "must be a network such as 10.0.0.0/8 or 2001:db8::/32";
    const char *slash = strchr(text, '/');
    struct err err = ERR_INIT;
    uint8_t bytes[16];
    uint64_t bits;
    char host[64];

    if (slash == NULL || (size_t)(slash - text) >= sizeof(host))
        return rule;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    bool six = strchr(host, ':') != NULL;
    if (inet_pton(six ? AF_INET6 : AF_INET, host, bytes) != 1 ||
        num_parse_u64(span_str(slash + 1), 0, six ? 128 : 32, "prefix length", &bits, &err) < 0)
        return rule;
    for (uint64_t bit = bits; bit < (six ? 128U : 32U); bit++)
        if ((bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return "has address bits behind the prefix";
    return NULL;
}

static const char *check_digest(const char *text)
{
    if (strlen(text) != 71 || memcmp(text, "sha256:", 7) != 0 ||
        strspn(text + 7, "0123456789abcdef") != 64)
        return "must be sha256: and 64 lower case hex digits";
    return NULL;
}

static const char *check_model_pattern(const char *text)
{
    const char *slash = strchr(text, '/');

    if (strcmp(text, "*") == 0)
        return NULL;
    if (slash != NULL && dns_label(text, (size_t)(slash - text)) &&
        (strcmp(slash + 1, "*") == 0 || dns_subdomain(slash + 1, strlen(slash + 1))))
        return NULL;
    return "must be namespace/model, namespace/* or *";
}

const char *kube_format_check(enum kube_format format, const char *text)
{
    switch (format) {
    case KUBE_PLAIN: return NULL;
    case KUBE_BYTES: return check_bytes(text);
    case KUBE_TIME: return check_time(text);
    case KUBE_QUANTITY: return check_quantity(text);
    case KUBE_DNS_LABEL: return dns_label(text, strlen(text)) ? NULL : LABEL_RULE;
    case KUBE_DNS_SUBDOMAIN: return dns_subdomain(text, strlen(text)) ? NULL : SUBDOMAIN_RULE;
    case KUBE_PATH_SEGMENT: return check_path_segment(text);
    case KUBE_LABEL_KEY: return check_label_key(text);
    case KUBE_LABEL_VALUE: return check_label_value(text);
    case KUBE_CONFIG_KEY: return check_config_key(text);
    case KUBE_URL: return check_url(text);
    case KUBE_EMAIL: return check_email(text);
    case KUBE_CIDR: return check_cidr(text);
    case KUBE_DIGEST: return check_digest(text);
    case KUBE_MODEL_PATTERN: return check_model_pattern(text);
    }
    return NULL;
}
