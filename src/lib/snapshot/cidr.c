/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/cidr.h"

#include "base/num.h"

#include <arpa/inet.h>

enum { MAPPED_BITS = 96, TEXT_SIZE = INET6_ADDRSTRLEN };

static bool parse_v4(const char *text, uint8_t out[CIDR_ADDRESS_LEN])
{
    memset(out, 0, CIDR_ADDRESS_LEN);
    out[10] = out[11] = 0xff;
    return inet_pton(AF_INET, text, out + 12) == 1;
}

int cidr_parse_address(const char *text, uint8_t out[CIDR_ADDRESS_LEN], struct err *err)
{
    if (parse_v4(text, out) || inet_pton(AF_INET6, text, out) == 1)
        return 0;
    return err_set(err, ERR_INVALID, "\"%.64s\" is no IP address", text);
}

bool cidr_holds(const uint8_t range[CIDR_ADDRESS_LEN], uint32_t bits,
                const uint8_t address[CIDR_ADDRESS_LEN])
{
    uint32_t whole = bits / 8;
    uint8_t mask = (uint8_t)(0xff00 >> bits % 8);

    return memcmp(range, address, whole) == 0 &&
           (mask == 0 || ((range[whole] ^ address[whole]) & mask) == 0);
}

static bool has_host_bits(const uint8_t address[CIDR_ADDRESS_LEN], uint32_t bits)
{
    for (uint32_t i = bits; i < CIDR_BITS_MAX; i++)
        if ((address[i / 8] & 0x80 >> i % 8) != 0)
            return true;
    return false;
}

int cidr_parse(const char *text, uint8_t out[CIDR_ADDRESS_LEN], uint32_t *bits, struct err *err)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char address[TEXT_SIZE];
    uint64_t prefix;

    if (len >= sizeof(address))
        return err_set(err, ERR_INVALID, "\"%.64s\" is no address range", text);
    memcpy(address, text, len);
    address[len] = '\0';
    TRY(cidr_parse_address(address, out, err));
    *bits = CIDR_BITS_MAX;
    if (slash == NULL)
        return 0;
    uint32_t base = strchr(address, ':') == NULL ? MAPPED_BITS : 0;
    TRY(num_parse_u64(span_str(slash + 1), 0, CIDR_BITS_MAX - base, "prefix length", &prefix, err));
    *bits = base + (uint32_t)prefix;
    if (has_host_bits(out, *bits))
        return err_set(err, ERR_INVALID, "\"%.64s\" has bits set behind its prefix", text);
    return 0;
}
