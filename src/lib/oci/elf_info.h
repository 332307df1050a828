/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an ELF program or library asks of the dynamic loader: its interpreter, the libraries that it
 * needs, where it looks for them. Read from the file's program headers and dynamic section (System
 * V gABI, chapter 5); nothing of the file is run. 64 bits, little-endian, of this machine.
 */
#ifndef DRUN_OCI_ELF_INFO_H
#define DRUN_OCI_ELF_INFO_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ELF_NEEDED_MAX = 256 };

struct elf_info {
    bool is_dynamic;
    char *interpreter; /* NULL for a library or a static program */
    char *search;      /* DT_RUNPATH, or else DT_RPATH; folders split by ':'; NULL */
    char **needed;     /* names of files */
    size_t needed_count;
};

/* Fills out[len] from this offset; an error when the file is shorter. */
typedef int elf_read_fn(void *ctx, uint64_t offset, void *out, size_t len, struct err *err);

/* ERR_INVALID when it is no such ELF file or is damaged. */
int elf_parse(elf_read_fn *read, void *ctx, struct elf_info *out, struct err *err) MUST_USE;
int elf_parse_fd(int fd, struct elf_info *out, struct err *err) MUST_USE;
void elf_info_free(struct elf_info *info); /* for CLEANUP */

#endif
