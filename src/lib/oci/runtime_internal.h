/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_OCI_RUNTIME_INTERNAL_H
#define DRUN_OCI_RUNTIME_INTERNAL_H

#include "oci/runtime.h"

struct oci_runtime {
    const char *name;
    char *program;
    char *state_dir;
    char *cgroup;
    const char *const *options; /* before the command; ends with NULL */
    uint32_t outside_id;
    bool limits;
    char why_no_limits[256];
};

#endif
