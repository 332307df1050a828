/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/url.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <ctype.h>

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
static const char path_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "-._~!&'()*+,;=:@%/";

static int bad(const char *text, const char *why, struct err *err)
{
    return err_set(err, ERR_INVALID, "\"%.128s\" is no usable URL: %s", text, why);
}

static int copy(const char *from, size_t len, char *out, size_t size, const char *text,
                struct err *err)
{
    if (len >= size)
        return bad(text, "a part of it is too long", err);
    memcpy(out, from, len);
    out[len] = '\0';
    return 0;
}

static int parse_host(const char **at, struct egress_url *out, const char *text, struct err *err)
{
    uint8_t address[16];
    bool bracketed = **at == '[';
    const char *start = *at + bracketed;
    size_t len = bracketed ? strcspn(start, "]") : strspn(start, name_chars);

    if (len == 0 || (bracketed && start[len] != ']'))
        return bad(text, "it names no host", err);
    TRY(copy(start, len, out->host, sizeof(out->host), text, err));
    for (char *c = out->host; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    out->is_address = inet_pton(bracketed ? AF_INET6 : AF_INET, out->host, address) == 1;
    if (bracketed && !out->is_address)
        return bad(text, "between the brackets there is no IPv6 address", err);
    *at = start + len + bracketed;
    return 0;
}

static int parse_port(const char **at, struct egress_url *out, const char *text, struct err *err)
{
    uint64_t port;
    size_t len;

    if (**at != ':')
        return 0;
    len = strspn(*at + 1, "0123456789");
    if (num_parse_u64(span_of(*at + 1, len), 1, UINT16_MAX, "the port", &port, err) < 0)
        return bad(text, "its port is not one of 1 to 65535", err);
    out->port = (uint16_t)port;
    out->has_port = true;
    *at += 1 + len;
    return 0;
}

int egress_url_parse(const char *text, const char *scheme, uint16_t port, struct egress_url *out,
                     struct err *err)
{
    const char *at = text + strlen(scheme);

    *out = (struct egress_url){.port = port};
    if (!span_has_prefix(span_str(text), scheme))
        return err_set(err, ERR_INVALID, "\"%.128s\" does not begin with %s", text, scheme);
    TRY(parse_host(&at, out, text, err));
    TRY(parse_port(&at, out, text, err));
    size_t len = *at == '/' ? strspn(at, path_chars) : 0;
    const char *rest = at + len;
    while (len > 0 && at[len - 1] == '/')
        len--;
    TRY(copy(at, len, out->path, sizeof(out->path), text, err));
    if (*rest == '?') {
        len = strspn(rest + 1, path_chars);
        TRY(copy(rest + 1, len, out->query, sizeof(out->query), text, err));
        rest += 1 + len;
    }
    return *rest == '\0' ? 0 : bad(text, "it has a character that must not be there", err);
}

void egress_url_authority(const struct egress_url *url, char *out, size_t size)
{
    snprintf(out, size, strchr(url->host, ':') != NULL ? "[%s]:%u" : "%s:%u", url->host, url->port);
}
