/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is banned, and where a flood runs, in the file of sources.h.
 *
 * A ban is of one source (an address, IPv6: its /64) and ends by itself. While all slots are taken
 * by bans that last, a new one is refused: those that last stay.
 *
 * What comes to the gateway is counted in classes of routes. Each has a usual rate, learnt over
 * minutes in which there is no flood. A rate of many times the usual one is a flood, of a level
 * that says how hard it is answered:
 *
 *     LIMIT_CALM    the limits as they are set
 *     LIMIT_BUSY    a quarter of them for each source
 *     LIMIT_FLOOD   a sixteenth, and browsers have to work for their first page
 *
 * A level goes down by one when the rate was below it for LIMIT_CALM_SEC.
 */
#ifndef DRUN_LIMIT_FLOODS_H
#define DRUN_LIMIT_FLOODS_H

#include "limit/sources.h"

enum { LIMIT_BAN_SLOTS = 1024, LIMIT_CALM_SEC = 10 };

enum limit_offence {
    LIMIT_OFFENCE_NONE,
    LIMIT_OFFENCE_REQUESTS,
    LIMIT_OFFENCE_SIGN_INS,
    LIMIT_OFFENCE_CONNECTIONS,
    LIMIT_OFFENCE_HANDSHAKES,
    LIMIT_OFFENCE_COUNT
};
const char *limit_offence_name(enum limit_offence offence); /* "requests" */

struct limit_ban {
    uint8_t address[LIMIT_ADDRESS_LEN];
    uint64_t since_ns, until_ns; /* of the monotonic clock */
    enum limit_offence offence;
};

/* False: there is no room. A ban of the same source that lasts longer stays. */
bool limit_ban(struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN],
               enum limit_offence offence, uint64_t now_ns, uint64_t for_ns);
/* False: it was not banned. */
bool limit_unban(struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN],
                 uint64_t now_ns);
/* The time at which it ends, 0 when it is not banned. Cheap. */
uint64_t limit_banned(const struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN],
                      uint64_t now_ns);
/* Those that last; at most LIMIT_BAN_SLOTS. */
size_t limit_bans(const struct limit_sources *sources, uint64_t now_ns,
                  struct limit_ban out[LIMIT_BAN_SLOTS]);

/* ------------------------------------------------------------------ floods */

enum limit_class {
    LIMIT_CLASS_CALLS,    /* of models */
    LIMIT_CLASS_SIGN_IN,  /* logins and tokens */
    LIMIT_CLASS_OBJECTS,  /* the object API */
    LIMIT_CLASS_PAGES,    /* the console, and what there is not */
    LIMIT_CLASS_ARRIVALS, /* new connections */
    LIMIT_CLASSES
};
const char *limit_class_name(enum limit_class class); /* "calls" */

enum limit_level { LIMIT_CALM, LIMIT_BUSY, LIMIT_FLOOD, LIMIT_LEVELS };
const char *limit_level_name(enum limit_level level); /* "calm" */

/* Counts one and gives the level in force. */
enum limit_level limit_class_count(struct limit_sources *sources, enum limit_class class,
                                   uint64_t now_ns);
enum limit_level limit_class_level(const struct limit_sources *sources, enum limit_class class);

struct limit_weather {
    enum limit_level level;
    uint64_t rate;  /* a second, lately */
    uint64_t usual; /* a second */
    uint64_t since_ns;
};
/* For who shows it; also ends the seconds of a class that nothing comes to any more. */
struct limit_weather limit_class_look(struct limit_sources *sources, enum limit_class class,
                                      uint64_t now_ns);

/* ------------------------------------------------------------------ bans in the kernel */

/* Whether bans are in the kernel, too; written by the gateway's keeper alone. */
enum limit_kernel_state { LIMIT_KERNEL_UNKNOWN, LIMIT_KERNEL_IN_FORCE, LIMIT_KERNEL_NOT_GRANTED };
struct limit_kernel {
    uint64_t state; /* an enum limit_kernel_state */
    char why[192];  /* not granted */
};
void limit_kernel_set(struct limit_sources *sources, enum limit_kernel_state state,
                      const char *why);
struct limit_kernel limit_kernel_get(const struct limit_sources *sources);

#endif
