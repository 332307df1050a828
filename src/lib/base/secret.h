/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that must not leak: kept in OpenSSL's secure heap (locked in memory, left out of core
 * dumps, between guard pages) and erased when freed. There is deliberately no function that prints
 * one.
 */
#ifndef DRUN_BASE_SECRET_H
#define DRUN_BASE_SECRET_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

enum { SECRET_MAX = 4096 };

/* Once in each process before the first secret. Also switches core dumps and ptrace by equals off.
 * The heap has 256 KiB; a secret takes at most SECRET_MAX bytes. */
int secret_heap_init(struct err *err) MUST_USE;
/* True when the heap is really locked in memory (the limit on locked memory may be too small). */
bool secret_heap_locked(void);

struct secret *secret_new(size_t len) MUST_USE; /* zeroed */
struct secret *secret_copy(struct span bytes) MUST_USE;
/* Random bytes from the system. */
int secret_random(size_t len, struct secret **out, struct err *err) MUST_USE;
void secret_free(struct secret *secret);
void secret_free_ptr(struct secret **secret);

uint8_t *secret_data(struct secret *secret);
size_t secret_len(const struct secret *secret);
struct span secret_span(const struct secret *secret);
/* Constant time in the length of the longer one. */
bool secret_equal(const struct secret *a, const struct secret *b);

#endif
