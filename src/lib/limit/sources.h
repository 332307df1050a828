/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each source of traffic does, counted by all gateway workers in one mapped file: requests,
 * sign-ins, handshakes and bytes as rates, connections as a number at the same time.
 *
 * A source is an address (IPv6: its /64) and the network around it (IPv4: /24, IPv6: /48). There
 * may be more of them than fit into any memory, so none has a slot of its own: a rate is a
 * count-min sketch (Cormode and Muthukrishnan, 2005) whose cells are the times of limit.h's
 * algorithm. A cost moves one cell in each of LIMIT_SKETCH_ROWS rows on, and is granted when the
 * least of them is at most one window ahead of the present. So, whatever else comes:
 *
 *     granted to one source  <=  limit + limit * t / window        for any interval of length t
 *
 * Nothing is evicted, so no flood of addresses can make a source look new; it can only make others
 * look busier than they are, and a source that is refused adds nothing. Which sources share cells
 * depends on a random seed that is in the file alone.
 *
 * Bans and the state of floods, which are few, have slots (limit/floods.h) in the same file.
 * The file is emptied at a new boot. A process may die at any instruction: its connections are
 * given back (limit/seats.h); at worst a charge stays until it has drained.
 */
#ifndef DRUN_LIMIT_SOURCES_H
#define DRUN_LIMIT_SOURCES_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LIMIT_SKETCH_ROWS = 4,
    LIMIT_SKETCH_CELLS = 1 << 15, /* in a row; 1 MiB a measure, in memory only where it is used */
    LIMIT_CROWD_CELLS = 1 << 12,  /* of connections, for each seat: 32 KiB */
    LIMIT_ADDRESS_LEN = 16,       /* IPv6, or IPv4 mapped */
};

struct limit_sources;

/* Maps the file, about 8 MiB; makes it when it is not there. `counts`: the caller has connections
 * of its own to count, and takes a seat; who only looks or bans does not. */
int limit_sources_open(int dir_fd, const char *name, bool counts, struct limit_sources **out,
                       struct err *err) MUST_USE;
void limit_sources_close(struct limit_sources *sources);
void limit_sources_close_ptr(struct limit_sources **sources);

/* Random bytes that all who share the file have, and nobody else; new with each boot. */
enum { LIMIT_SECRET_LEN = 32 };
const uint8_t *limit_sources_secret(const struct limit_sources *sources);

/* The part of an address that is one source, and the network around it; the rest is zeroed. */
void limit_source_of(const uint8_t address[LIMIT_ADDRESS_LEN], uint8_t out[LIMIT_ADDRESS_LEN]);
void limit_network_of(const uint8_t address[LIMIT_ADDRESS_LEN], uint8_t out[LIMIT_ADDRESS_LEN]);

enum limit_measure {
    LIMIT_REQUESTS,
    LIMIT_SIGN_INS,
    LIMIT_HANDSHAKES,
    LIMIT_BYTES,
    LIMIT_STRIKES, /* what was refused: too much of it is a reason for a ban */
    LIMIT_BANS,    /* and too many of those for a longer one */
    LIMIT_MEASURES
};

struct limit_rate {
    uint64_t limit;     /* 0: none, everything is granted */
    uint64_t network;   /* of the whole network; 0: none */
    uint64_t window_ns; /* 1 ms to 1 day */
};

/* Charges both the address and its network, or none. False: refused, and *retry_ns (may be NULL)
 * says when it would be granted if nobody else came. `now_ns` is clock_mono_ns(). */
bool limit_source_take(struct limit_sources *sources, enum limit_measure measure,
                       const uint8_t address[LIMIT_ADDRESS_LEN], uint64_t cost,
                       const struct limit_rate *rate, uint64_t now_ns, uint64_t *retry_ns) MUST_USE;
/* What was used already, even beyond the limit; a debt is capped at one more window. */
void limit_source_charge(struct limit_sources *sources, enum limit_measure measure,
                         const uint8_t address[LIMIT_ADDRESS_LEN], uint64_t cost,
                         const struct limit_rate *rate, uint64_t now_ns);

/* One more connection; false when the address has `limit` or its network `network` of them (0: no
 * limit). What was granted is given back by limit_source_leave() in the same process. Others may
 * for an instant be refused who would have fitted, never granted who do not. */
bool limit_source_enter(struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN],
                        uint32_t limit, uint32_t network) MUST_USE;
void limit_source_leave(struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN]);

#endif
