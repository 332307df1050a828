/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"

#include <arpa/inet.h>

enum { DNS_LABEL_MAX = 63 };

static bool is_ip(const char *text)
{
    uint8_t room[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, text, room) == 1 || inet_pton(AF_INET6, text, room) == 1;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* One label (RFC 1123 section 2.1); returns its length, or 0. */
static size_t label_len(const char *text)
{
    size_t len = strcspn(text, ".");

    if (len == 0 || len > DNS_LABEL_MAX || text[0] == '-' || text[len - 1] == '-')
        return 0;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(text[i]) && text[i] != '-')
            return 0;
    return len;
}

static bool is_dns(const char *text)
{
    const char *last = text;

    if (strncmp(text, "*.", 2) == 0)
        last = text += 2;
    for (size_t len = label_len(text); len > 0; len = label_len(text)) {
        last = text;
        text += len;
        if (*text == '\0')
            /* A last label of digits is a broken IPv4 address, not a name. */
            return strspn(last, "0123456789") < len;
        text++;
    }
    return false;
}

int x509_san_check(const struct x509_san *san, struct err *err)
{
    if (memchr(san->value, '\0', sizeof(san->value)) == NULL)
        return err_set(err, ERR_INVALID, "a name is longer than %d characters", X509_SAN_SIZE - 1);
    if (san->kind == X509_SAN_IP ? is_ip(san->value)
                                 : san->kind == X509_SAN_DNS && is_dns(san->value))
        return 0;
    return err_set(err, ERR_INVALID, "\"%s\" is no DNS name and no IP address", san->value);
}

int x509_san_parse(const char *text, struct x509_san *out, struct err *err)
{
    size_t len = strlen(text);

    if (len >= sizeof(out->value))
        return err_set(err, ERR_INVALID, "a name of %zu characters is longer than %d", len,
                       X509_SAN_SIZE - 1);
    *out = (struct x509_san){.kind = is_ip(text) ? X509_SAN_IP : X509_SAN_DNS};
    memcpy(out->value, text, len);
    return x509_san_check(out, err);
}
