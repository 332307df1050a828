/* SPDX-License-Identifier: Apache-2.0 */
/* The data and run directories of one instance. */
#ifndef DRUN_SUPERVISOR_INSTANCE_H
#define DRUN_SUPERVISOR_INSTANCE_H

#include "role/settings.h"

/* In the run directory: the id of the instance that it belongs to. */
#define INSTANCE_MARK "instance"

struct instance {
    char id[37]; /* UUID */
    char *data_dir;
    char *run_dir;
    int lock_fd; /* held as long as the platform runs */
    bool first_start;
    bool run_dir_claimed; /* it is ours to clear */
};

/* Makes or opens both, and takes the lock: ERR_EXISTS when the platform runs on this data already;
 * ERR_CORRUPT when the data directory holds something but is no instance, ERR_DENIED when one of
 * the two is not ours alone. Close it in any case. */
int instance_open(const char *data_dir, const struct settings *settings, struct instance *out,
                  struct err *err) MUST_USE;
void instance_close(struct instance *instance);

#endif
