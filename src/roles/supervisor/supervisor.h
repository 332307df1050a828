/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: makes every socket, starts each role, restarts what dies, stops them in reverse.
 * It parses the operator's settings and nothing else.
 */
#ifndef DRUN_SUPERVISOR_SUPERVISOR_H
#define DRUN_SUPERVISOR_SUPERVISOR_H

#include "role/role.h"
#include "role/settings.h"

/* One line of the role table (src/cli/role_table.c), in start order. */
struct role_entry {
    enum role_id id;
    int (*main)(struct role *role, struct err *err);
    uint32_t calls;      /* roles that it may call: IPC_FROM(ROLE_KMS) | … */
    uint32_t calls_late; /* those to which it has a second channel */
    bool http;           /* has RUN/NAME.sock behind the gateway */
    bool keeps_root;     /* the agent alone */
};

/* Runs until SIGTERM or SIGINT. `data_dir` is made when it is missing. `passphrase_fd` is a file in
 * memory with the passphrase that unseals, or -1; it stays the caller's. */
int supervisor_run(const struct role_entry *table, const char *data_dir,
                   const struct settings *settings, int passphrase_fd, struct err *err) MUST_USE;

#endif
