/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_AGENT_BANS_INTERNAL_H
#define DRUN_AGENT_BANS_INTERNAL_H

#include "agent/bans.h"
#include "role/settings.h"
#include "snapshot/cidr.h"

#include <stdbool.h>

struct ban {
    uint8_t address[CIDR_ADDRESS_LEN];
    uint64_t until_ns; /* of the monotonic clock */
};

struct ban_list {
    struct ban *bans;
    size_t count;
};

struct bans {
    char *table;
    const struct settings *settings;
    int net_fd; /* the host's network namespace; -1: we may not */
    bool made;
    struct ban_list lists[ROLE_GATEWAYS_MAX];
};

/* Keeps the body of AGENT_SET_BANS; on an error what was kept stays. */
int bans_take(struct bans *bans, enum role_id gateway, struct span body, uint64_t now_ns,
              struct err *err) MUST_USE;
/* All that is kept in nft's own language, each address once, with the later of its ends. */
int bans_put_script(const struct bans *bans, uint64_t now_ns, struct buf *out,
                    struct err *err) MUST_USE;

#endif
