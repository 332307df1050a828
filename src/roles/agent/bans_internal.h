/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_AGENT_BANS_INTERNAL_H
#define DRUN_AGENT_BANS_INTERNAL_H

#include "agent/bans.h"
#include "role/settings.h"

#include <stdbool.h>

struct bans {
    char *table;
    const struct settings *settings;
    int net_fd; /* the host's network namespace; -1: we may not */
    bool made;
};

/* The body of AGENT_SET_BANS in nft's own language. */
int bans_put_script(const struct bans *bans, struct span body, struct buf *out,
                    struct err *err) MUST_USE;

#endif
