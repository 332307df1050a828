/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a program needs to start: itself, its loader, its libraries and theirs. They are
 * found by reading the ELF files, not by running the loader on them (as ldd does): the program may
 * come from somebody whom nobody trusts, and reading can be fuzzed.
 *
 * Searched, as by the loader in a sandbox, which has no cache of /etc: DT_RUNPATH or DT_RPATH of
 * the file with $ORIGIN, DT_RPATH of the program, then the system's folders.
 */
#ifndef DRUN_OCI_FILES_H
#define DRUN_OCI_FILES_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { OCI_FILES_MAX = 512 };

struct oci_file {
    char *source; /* without symbolic links */
    char *at;     /* where the loader looks for it */
};

struct oci_files {
    struct oci_file *items;
    size_t count;
};

/* `program` is an absolute path without symbolic links. ERR_NOT_FOUND names a library that is not
 * there, and who needs it; ERR_DENIED a file that not everybody may read. */
int oci_files_of(const char *program, struct oci_files *out, struct err *err) MUST_USE;
void oci_files_free(struct oci_files *files); /* for CLEANUP */

#endif
