/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses may be connected to. Public ones always. Private ones (loopback, RFC 1918, RFC
 * 6598, unique local) only where an administrator said so. Link-local ones, which include the
 * metadata services of clouds, and what is no host at all (unspecified, multicast, reserved) only
 * when a network of the operator's own list holds them. IPv6 forms that carry an IPv4 address
 * (mapped, NAT64, 6to4) count as that address.
 */
#ifndef DRUN_EGRESS_ADDRESS_H
#define DRUN_EGRESS_ADDRESS_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { EGRESS_NETWORKS_MAX = 64, EGRESS_ADDRESS_TEXT = 64 };

/* The operator's list. */
struct egress_networks {
    struct {
        uint8_t address[16];
        uint32_t bits;
    } ranges[EGRESS_NETWORKS_MAX];
    size_t count;
};

/* "10.0.0.0/8", "fd00::/8", one address. */
int egress_networks_add(struct egress_networks *networks, const char *text,
                        struct err *err) MUST_USE;

/* ERR_DENIED with the address and the reason. `private_network`: private ones are allowed, too.
 * `networks` may be NULL. */
int egress_address_check(const struct sockaddr *address, bool private_network,
                         const struct egress_networks *networks, struct err *err) MUST_USE;

/* "192.0.2.1:443", "[2001:db8::1]:443". */
void egress_address_text(const struct sockaddr *address, char out[EGRESS_ADDRESS_TEXT]);

#endif
