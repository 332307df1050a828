/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors are owned like memory: always close-on-exec, closed by cleanup. And whole files. */
#ifndef DRUN_BASE_FD_H
#define DRUN_BASE_FD_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <sys/types.h>

/* Closes *fd unless it is negative, and makes it -1. */
void fd_close(int *fd);
#define CLEANUP_FD CLEANUP(fd_close)
/* Gives the descriptor away: returns it and leaves -1. */
int fd_take(int *fd) MUST_USE;

/* Relative paths start at dir_fd (AT_FDCWD for the working directory). Symbolic links in the last
 * part are not followed. */
int fd_open_dir(int dir_fd, const char *path, struct err *err) MUST_USE;
int fd_read_file(int dir_fd, const char *path, struct buf *out, struct err *err) MUST_USE;
/* Reads to the end of what is open; the ceiling is the buffer's. */
int fd_read_all(int fd, const char *what, struct buf *out, struct err *err) MUST_USE;
int fd_write_all(int fd, struct span bytes, const char *what, struct err *err) MUST_USE;
/* The file holds either all the old or all the new bytes, whatever happens; with `durable` the new
 * ones survive a power cut once this returns. */
int fd_replace_file(int dir_fd, const char *name, mode_t mode, struct span bytes, bool durable,
                    struct err *err) MUST_USE;
/* Makes the directory and its parents; existing ones are left as they are. */
int fd_make_dirs(const char *path, mode_t mode, struct err *err) MUST_USE;
/* Removes a file, or a directory with all in it; symbolic links are not followed, other file
 * systems not entered. What is not there is no error. */
int fd_remove_tree(const char *path, struct err *err) MUST_USE;
int fd_set_nonblocking(int fd, struct err *err) MUST_USE;

#endif
