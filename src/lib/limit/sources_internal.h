/* SPDX-License-Identifier: Apache-2.0 */
/* The file of sources.h and floods.h. For this folder and its tests. */
#ifndef DRUN_LIMIT_SOURCES_INTERNAL_H
#define DRUN_LIMIT_SOURCES_INTERNAL_H

#include "limit/floods.h"
#include "limit/seats.h"
#include "limit/sources.h"

/* A row's hash: the high half of a1 * first + a2 * second + b, modulo 2^128. With random
 * coefficients two keys collide by chance alone (Dietzfelbinger, 1996). */
struct sources_seed {
    unsigned __int128 a1, a2, b;
};

struct sources_header {
    char magic[16];
    char boot_id[48];
    struct sources_seed seeds[LIMIT_SKETCH_ROWS];
    uint8_t secret[LIMIT_SECRET_LEN];
};

/* The address lies in two halves; `until_ns` is 0 while it is changed and when there is none. */
struct sources_ban {
    uint64_t until_ns;
    uint64_t first, second;
    uint64_t since_ns;
    uint64_t reason; /* an enum limit_offence */
};

struct sources_class {
    uint64_t second;      /* the one that is counted, of the monotonic clock */
    uint64_t count;       /* in it */
    uint64_t rate_milli;  /* a second, over the last few; in thousandths */
    uint64_t usual_milli; /* the same over minutes without a flood */
    uint64_t level;
    uint64_t calm_since; /* the second from which on it was less than that level */
    uint64_t since;
};

struct sources_file {
    struct sources_header header;
    uint64_t cells[LIMIT_MEASURES][LIMIT_SKETCH_ROWS][LIMIT_SKETCH_CELLS]
        __attribute__((aligned(64)));
    uint16_t crowds[LIMIT_SEATS][LIMIT_SKETCH_ROWS][LIMIT_CROWD_CELLS] __attribute__((aligned(64)));
    uint64_t seats_used;    /* the highest that was ever taken, and one */
    uint64_t bans_until_ns; /* none lasts longer */
    struct sources_ban bans[LIMIT_BAN_SLOTS];
    struct sources_class classes[LIMIT_CLASSES] __attribute__((aligned(64)));
    struct limit_kernel kernel;
};

struct limit_sources {
    struct sources_file *file;
    int fd; /* holds the seat */
    int seat;
};

#endif
