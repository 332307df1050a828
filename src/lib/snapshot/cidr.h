/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and ranges of addresses. IPv4 is kept as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2),
 * so that there is one kind. */
#ifndef DRUN_SNAPSHOT_CIDR_H
#define DRUN_SNAPSHOT_CIDR_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { CIDR_ADDRESS_LEN = 16, CIDR_BITS_MAX = 128 };

int cidr_parse_address(const char *text, uint8_t out[CIDR_ADDRESS_LEN], struct err *err) MUST_USE;
/* "10.0.0.0/8", "2001:db8::/32", or one address. Bits behind the prefix must be zero. */
int cidr_parse(const char *text, uint8_t out[CIDR_ADDRESS_LEN], uint32_t *bits,
               struct err *err) MUST_USE;
bool cidr_holds(const uint8_t range[CIDR_ADDRESS_LEN], uint32_t bits,
                const uint8_t address[CIDR_ADDRESS_LEN]);

#endif
