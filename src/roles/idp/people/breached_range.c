/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/people/breached.h"

#include "base/enc.h"
#include "crypto/crypto.h"

void breached_question(const char *password, struct breached_question *out)
{
    uint8_t hash[CRYPTO_SHA1_LEN];
    char hex[2 * CRYPTO_SHA1_LEN + 1];

    crypto_sha1(span_str(password), hash);
    enc_hex(span_of(hash, sizeof(hash)), hex);
    for (char *c = hex; *c != '\0'; c++)
        if (*c >= 'a')
            *c = (char)(*c - 'a' + 'A');
    snprintf(out->prefix, sizeof(out->prefix), "%.*s", BREACHED_RANGE_DIGITS, hex);
    snprintf(out->suffix, sizeof(out->suffix), "%s", hex + BREACHED_RANGE_DIGITS);
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* "SUFFIX:COUNT"; *counts is false for the padding, whose count is 0. */
static bool read_line(struct span line, bool *counts)
{
    *counts = false;
    if (line.len < BREACHED_SUFFIX_DIGITS + 2 || line.p[BREACHED_SUFFIX_DIGITS] != ':')
        return false;
    for (size_t i = 0; i < BREACHED_SUFFIX_DIGITS; i++)
        if (!is_hex(line.p[i]))
            return false;
    for (size_t i = BREACHED_SUFFIX_DIGITS + 1; i < line.len; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return false;
        *counts |= line.p[i] != '0';
    }
    return true;
}

static struct span take_line(struct span *rest)
{
    const uint8_t *newline = rest->len == 0 ? NULL : memchr(rest->p, '\n', rest->len);
    size_t len = newline == NULL ? rest->len : (size_t)(newline - rest->p);
    struct span line = span_of(rest->p, len);

    *rest = newline == NULL ? span_of(rest->p + len, 0) : span_of(newline + 1, rest->len - len - 1);
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return line;
}

int breached_range_find(struct span answer, const struct breached_question *question, bool *found,
                        struct err *err)
{
    unsigned number = 0;
    bool counts;

    *found = false;
    while (answer.len > 0) {
        struct span line = take_line(&answer);
        number++;
        if (!read_line(line, &counts))
            return err_set(err, ERR_INVALID,
                           "line %u of the answer is not the rest of a hash and a number", number);
        *found |= counts &&
                  strncasecmp((const char *)line.p, question->suffix, BREACHED_SUFFIX_DIGITS) == 0;
    }
    return 0;
}
