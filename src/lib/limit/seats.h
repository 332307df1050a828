/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seat in a file that processes share: a lock on one byte of it, which the kernel takes back when
 * the process dies however it dies. What a process counts under its seat in that file is so known
 * to be nobody's once the seat can be locked again. For this folder.
 */
#ifndef DRUN_LIMIT_SEATS_H
#define DRUN_LIMIT_SEATS_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

enum { LIMIT_SEATS = 124 };

/* Locks the lowest byte that is free, and first calls `clear` for each that was. ERR_LIMITED: every
 * seat is taken. The locks belong to the open file, and end with its last descriptor. */
int limit_seat_take(int fd, void (*clear)(void *ctx, unsigned seat), void *ctx, unsigned *out,
                    struct err *err) MUST_USE;
/* The byte behind the seats: held while one process gives a slot to a key. Waits. */
bool limit_making_lock(int fd) MUST_USE;
void limit_making_unlock(int fd);

#endif
