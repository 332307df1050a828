/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for one request: many small pieces, freed at once, under a ceiling. Past the ceiling an
 * allocation returns NULL and every later one does too; arena_check() says so once.
 */
#ifndef DRUN_BASE_ARENA_H
#define DRUN_BASE_ARENA_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct arena;

struct arena *arena_new(size_t max_bytes) MUST_USE;
/* As arena_new, but a reset keeps blocks of up to `keep_bytes`, so that work that comes again and
 * again allocates nothing from the heap. */
struct arena *arena_new_keeping(size_t max_bytes, size_t keep_bytes) MUST_USE;
void arena_free(struct arena *arena);
void arena_free_ptr(struct arena **arena);
/* Both wipe what was in use: a request may hold a password. Forgets all pieces, keeps one block, or
 * as many as arena_new_keeping() was told. */
void arena_reset(struct arena *arena);

/* How much it takes from the heap, used or not. */
size_t arena_bytes(const struct arena *arena);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size) MUST_USE;
void *arena_alloc_array(struct arena *arena, size_t count, size_t size) MUST_USE;
/* Copies that end in NUL. */
char *arena_strdup(struct arena *arena, const char *text) MUST_USE;
char *arena_copy(struct arena *arena, struct span bytes) MUST_USE;
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* -1 with ERR_TOO_LARGE when an allocation was refused. */
int arena_check(const struct arena *arena, const char *what, struct err *err) MUST_USE;

#endif
