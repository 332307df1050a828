/* SPDX-License-Identifier: Apache-2.0 */
/* Running a program to its end, with an argument vector and a limit of time. */
#ifndef DRUN_OCI_RUN_H
#define DRUN_OCI_RUN_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

struct oci_run {
    const char *const *argv; /* argv[0] is an absolute path */
    int output_fd;           /* gets stdout and stderr instead of `output`; -1: none */
    unsigned timeout_ms;     /* then it is killed: ERR_TIMEOUT */
};

/* Returns the exit status, 128 + n after signal n. `output` gets stdout and stderr, cut at its
 * ceiling; a child of the program that keeps them open is not waited for. */
int oci_run(const struct oci_run *run, struct buf *output, struct err *err) MUST_USE;

#endif
