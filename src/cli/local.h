/* SPDX-License-Identifier: Apache-2.0 */
/* The platform on this machine: found by its data directory, spoken to as its operator. */
#ifndef DRUN_CLI_LOCAL_H
#define DRUN_CLI_LOCAL_H

#include "base/attr.h"
#include "base/err.h"

#include <jansson.h>
#include <sys/types.h>

struct local {
    char *data_dir;
    char *run_dir;
    char *server; /* its address, "https://127.0.0.1:8443" */
    char *ca_pem;
};

#define LOCAL_INIT                                                                                 \
    {                                                                                              \
        .data_dir = NULL                                                                           \
    }

/* What --data says (may be NULL), or $DRUN_DATA, or /var/lib/drun. */
const char *local_data_dir(const char *option);
/* ERR_NOT_FOUND: no platform ever ran there; ERR_UNAVAILABLE: it does not run now. */
int local_find(const char *data_dir, struct local *out, struct err *err) MUST_USE;
void local_free(struct local *local);

/* Posts to the operator's socket, which tells who asks by the user id. ERR_DENIED when the platform
 * does not take us for its operator; any other error is its own. */
int local_ask(const struct local *local, const char *path, json_t **out, struct err *err) MUST_USE;

/* The process that holds the data directory's lock; 0 when the platform does not run. */
pid_t local_supervisor(const char *data_dir);

#endif
