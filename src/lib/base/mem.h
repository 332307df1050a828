/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap memory. Running out of it aborts: a role that cannot allocate a few bytes is better
 * restarted (docs/decisions/0002). Sizes that an outsider chooses never come here; they go through
 * `buf` and `arena`, which have ceilings and return errors.
 */
#ifndef DRUN_BASE_MEM_H
#define DRUN_BASE_MEM_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory; never NULL. The caller frees it with free(). */
void *mem_new(size_t size) MUST_USE;
void *mem_new_array(size_t count, size_t size) MUST_USE;
/* Grows or shrinks an array; new elements are not zeroed. */
void *mem_resize_array(void *old, size_t count, size_t size) MUST_USE;
char *mem_strdup(const char *text) MUST_USE;
char *mem_strndup(const char *text, size_t len) MUST_USE;
char *mem_printf(const char *fmt, ...) PRINTF_LIKE(1, 2) MUST_USE;

/* Erases memory in a way that the compiler keeps. */
void mem_wipe(void *data, size_t len);
/* Compares in time that depends on len alone. */
bool mem_equal_ct(const void *a, const void *b, size_t len);

/* For CLEANUP: frees what a pointer variable of any type points to. */
void mem_free_ptr(void *pointer_to_pointer);
#define CLEANUP_FREE CLEANUP(mem_free_ptr)

#endif
