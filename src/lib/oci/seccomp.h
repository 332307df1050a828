/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_OCI_SECCOMP_H
#define DRUN_OCI_SECCOMP_H

#include "codec/json.h"

/* The value of linux.seccomp in config.json; the caller's. */
json_t *oci_seccomp_new(void) MUST_USE;
/* True when a sandbox may make this system call, perhaps with some arguments only. */
bool oci_seccomp_allows(const char *name);

#endif
