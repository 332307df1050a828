/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many calls of one key run at the same time, over all processes that share one mapped file.
 *
 * Each process holds a seat (limit/seats.h). A slot of a key has one counter for each seat, and
 * only the seat's owner changes it; in use is their sum. So what a process that died had taken is
 * known, and the next process that opens the file gives it back.
 *
 * To enter, a process counts itself first and adds up then: two that enter at once may both be
 * refused for an instant and try again, but never both pass the last place. A slot whose counters
 * are all zero goes over to another key when there is need.
 */
#ifndef DRUN_LIMIT_PLACES_H
#define DRUN_LIMIT_PLACES_H

#include "base/attr.h"
#include "base/err.h"
#include "limit/seats.h"

#include <stdbool.h>
#include <stdint.h>

enum { LIMIT_PLACE_SLOTS = 2048 };

struct limit_places;

/* Maps the file, 512 KiB; makes it when it is not there, and takes a free seat. ERR_LIMITED: every
 * seat is taken. */
int limit_places_open(int dir_fd, const char *name, struct limit_places **out,
                      struct err *err) MUST_USE;
/* Gives back the seat and whatever it still holds. */
void limit_places_close(struct limit_places *places);
void limit_places_close_ptr(struct limit_places **places);

/* What was taken; zeroed when nothing is held. */
struct limit_place {
    uint32_t slot; /* its number from 1 */
};

/* False when `limit` calls of this key (limit_key()) run already, or no slot is free. A limit of 0
 * is none: true, and nothing is held. */
bool limit_enter(struct limit_places *places, uint64_t key, uint32_t limit,
                 struct limit_place *out) MUST_USE;
/* How many run at this instant. */
uint32_t limit_running(const struct limit_places *places, uint64_t key);
/* Does nothing the second time. */
void limit_leave(struct limit_places *places, struct limit_place *place);

#endif
