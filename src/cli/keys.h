/* SPDX-License-Identifier: Apache-2.0 */
/* For the files of `drun keys`. */
#ifndef DRUN_CLI_KEYS_H
#define DRUN_CLI_KEYS_H

#include "cli/client.h"

struct keys {
    struct client_options options;
    struct client *client;
    const char *name;
    const char *user;
    const char *service_account;
    const char *expires;
    const char *overlap;
    const char *selector;
    json_t *models, *verbs, *cidrs, *namespaces;
    bool quiet;
    bool all;
    bool all_namespaces;
    bool dry_run;
};

/* One, or all that the selectors fit. */
int keys_revoke(const struct keys *keys, struct err *err) MUST_USE;
/* Reads standard input to its end and prints what looks like a key, without showing it. `found`:
 * at least one is real. */
int keys_check(bool *found, struct err *err) MUST_USE;

#endif
