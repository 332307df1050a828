/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/address.h"

#include "snapshot/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum kind { KIND_PUBLIC, KIND_PRIVATE, KIND_LOCAL };

struct range {
    const char *text;
    enum kind kind;
    const char *what;
};

/* The registries of special-purpose addresses (RFC 6890 and what IANA added since); the first that
 * holds the address counts. */
static const struct range ranges[] = {
    {"0.0.0.0/8", KIND_LOCAL, "unspecified"},
    {"10.0.0.0/8", KIND_PRIVATE, "private"},
    {"100.64.0.0/10", KIND_PRIVATE, "private"},
    {"127.0.0.0/8", KIND_PRIVATE, "loopback"},
    {"169.254.0.0/16", KIND_LOCAL, "link-local"},
    {"172.16.0.0/12", KIND_PRIVATE, "private"},
    {"192.0.0.0/24", KIND_LOCAL, "reserved"},
    {"192.0.2.0/24", KIND_LOCAL, "reserved"},
    {"192.88.99.0/24", KIND_LOCAL, "reserved"},
    {"192.168.0.0/16", KIND_PRIVATE, "private"},
    {"198.18.0.0/15", KIND_PRIVATE, "private"},
    {"198.51.100.0/24", KIND_LOCAL, "reserved"},
    {"203.0.113.0/24", KIND_LOCAL, "reserved"},
    {"224.0.0.0/4", KIND_LOCAL, "multicast"},
    {"240.0.0.0/4", KIND_LOCAL, "reserved"},
    {"::ffff:0:0/96", KIND_PUBLIC, ""}, /* every other IPv4 address */
    {"::1", KIND_PRIVATE, "loopback"},
    {"fc00::/7", KIND_PRIVATE, "private"},
    {"fe80::/10", KIND_LOCAL, "link-local"},
    {"2001::/23", KIND_LOCAL, "reserved"},
    {"2001:db8::/32", KIND_LOCAL, "reserved"},
    {"3fff::/20", KIND_LOCAL, "reserved"},
    {"2000::/3", KIND_PUBLIC, ""},
    {"::/0", KIND_LOCAL, "reserved"},
};

/* IPv6 forms with an IPv4 address inside, and where it is. */
static const struct {
    const char *text;
    size_t at;
} carriers[] = {{"64:ff9b::/96", 12}, {"64:ff9b:1::/96", 12}, {"2002::/16", 2}, {"::/96", 12}};

static bool holds(const char *text, const uint8_t address[CIDR_ADDRESS_LEN])
{
    uint8_t range[CIDR_ADDRESS_LEN];
    struct err err = ERR_INIT;
    uint32_t bits;

    INVARIANT(cidr_parse(text, range, &bits, &err) == 0);
    return cidr_holds(range, bits, address);
}

static bool take_bytes(const struct sockaddr *address, uint8_t out[CIDR_ADDRESS_LEN])
{
    if (address->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
               CIDR_ADDRESS_LEN);
        return true;
    }
    memset(out, 0, CIDR_ADDRESS_LEN);
    if (address->sa_family != AF_INET)
        return false;
    out[10] = out[11] = 0xff;
    memcpy(out + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    return true;
}

/* The IPv4 address inside takes its place. */
static void unwrap(uint8_t address[CIDR_ADDRESS_LEN])
{
    static const uint8_t loopback[CIDR_ADDRESS_LEN] = {[15] = 1};
    uint8_t inner[4];

    if (memcmp(address, loopback, CIDR_ADDRESS_LEN) == 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(carriers); i++) {
        if (!holds(carriers[i].text, address))
            continue;
        memcpy(inner, address + carriers[i].at, sizeof(inner));
        memset(address, 0, CIDR_ADDRESS_LEN);
        address[10] = address[11] = 0xff;
        memcpy(address + 12, inner, sizeof(inner));
        return;
    }
}

int egress_networks_add(struct egress_networks *networks, const char *text, struct err *err)
{
    size_t at = networks->count;

    if (at == EGRESS_NETWORKS_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d networks", EGRESS_NETWORKS_MAX);
    TRY(cidr_parse(text, networks->ranges[at].address, &networks->ranges[at].bits, err));
    networks->count++;
    return 0;
}

static bool is_listed(const struct egress_networks *networks, const uint8_t *address)
{
    for (size_t i = 0; networks != NULL && i < networks->count; i++)
        if (cidr_holds(networks->ranges[i].address, networks->ranges[i].bits, address))
            return true;
    return false;
}

int egress_address_check(const struct sockaddr *address, bool private_network,
                         const struct egress_networks *networks, struct err *err)
{
    uint8_t bytes[CIDR_ADDRESS_LEN];
    char text[EGRESS_ADDRESS_TEXT];
    size_t i = 0;

    egress_address_text(address, text);
    if (!take_bytes(address, bytes))
        return err_set(err, ERR_DENIED, "%s is no IP address", text);
    if (is_listed(networks, bytes))
        return 0;
    unwrap(bytes);
    if (is_listed(networks, bytes))
        return 0;
    while (!holds(ranges[i].text, bytes))
        i++;
    if (ranges[i].kind == KIND_PUBLIC || (ranges[i].kind == KIND_PRIVATE && private_network))
        return 0;
    return err_set(err, ERR_DENIED,
                   "%s is a %s address, to which nothing is sent from here unless the operator "
                   "allows its network",
                   text, ranges[i].what);
}

void egress_address_text(const struct sockaddr *address, char out[EGRESS_ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(out, EGRESS_ADDRESS_TEXT, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(out, EGRESS_ADDRESS_TEXT, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        snprintf(out, EGRESS_ADDRESS_TEXT, "an address of family %d", address->sa_family);
    }
}
