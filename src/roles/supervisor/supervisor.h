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
    /* Whether there is such a process at all; NULL: always. */
    bool (*wanted)(const struct settings *settings);
};

struct supervisor_options {
    const struct role_entry *table;
    const char *data_dir; /* made when it is missing */
    const struct settings *settings;
    bool sealed; /* nothing but the operator's socket until `drun unseal` */
};

/* Runs until SIGTERM or SIGINT. Takes *passphrase_fd, a file in memory with the passphrase that
 * unseals, or -1; a seal erases it. */
int supervisor_run(const struct supervisor_options *options, int *passphrase_fd,
                   struct err *err) MUST_USE;

#endif
