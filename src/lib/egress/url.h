/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a URL that the exporter acts on (RFC 3986), strictly: no user, no fragment, nothing
 * but the characters that a URL may have. */
#ifndef DRUN_EGRESS_URL_H
#define DRUN_EGRESS_URL_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct egress_url {
    char host[254]; /* lower case; an IPv6 address without its brackets */
    bool is_address;
    bool has_port;
    uint16_t port;
    char path[1024];  /* "" or "/...", without a slash at its end */
    char query[1024]; /* without the "?" */
};

/* `scheme` with its "://"; `port` is taken where the URL has none. */
int egress_url_parse(const char *text, const char *scheme, uint16_t port, struct egress_url *out,
                     struct err *err) MUST_USE;
/* "host:port", "[2001:db8::1]:443"; `size` of 264 is enough. */
void egress_url_authority(const struct egress_url *url, char *out, size_t size);

#endif
