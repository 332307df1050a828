/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 4096, KEPT_BLOCK_BYTES = 65536 };

struct block {
    struct block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

struct arena {
    struct block *blocks; /* the newest first */
    struct block *spare;  /* kept by a reset */
    size_t max_bytes;
    size_t keep_bytes;
    size_t total; /* of blocks and spare */
    bool exhausted;
};

struct arena *arena_new(size_t max_bytes)
{
    struct arena *arena = mem_new(sizeof(*arena));

    arena->max_bytes = max_bytes;
    return arena;
}

struct arena *arena_new_keeping(size_t max_bytes, size_t keep_bytes)
{
    struct arena *arena = arena_new(max_bytes);

    arena->keep_bytes = keep_bytes;
    return arena;
}

static void free_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        mem_wipe(block->data, block->used);
        free(block);
        block = next;
    }
}

void arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    free_blocks(arena->blocks);
    free_blocks(arena->spare);
    free(arena);
}

void arena_free_ptr(struct arena **arena)
{
    arena_free(*arena);
}

/* Moves what may be kept to the spare blocks, frees the rest. */
static void keep_blocks(struct arena *arena)
{
    struct block *block = arena->blocks;

    arena->blocks = NULL;
    while (block != NULL) {
        struct block *next = block->next;
        mem_wipe(block->data, block->used);
        if (arena->total <= arena->keep_bytes) {
            block->used = 0;
            block->next = arena->spare;
            arena->spare = block;
        } else {
            arena->total -= block->size;
            free(block);
        }
        block = next;
    }
}

void arena_reset(struct arena *arena)
{
    arena->exhausted = false;
    if (arena->keep_bytes > 0) {
        keep_blocks(arena);
        return;
    }
    if (arena->blocks == NULL)
        return;
    free_blocks(arena->blocks->next);
    arena->blocks->next = NULL;
    mem_wipe(arena->blocks->data, arena->blocks->used);
    arena->blocks->used = 0;
    arena->total = arena->blocks->size;
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->total;
}

static struct block *take_spare(struct arena *arena, size_t need)
{
    for (struct block **at = &arena->spare; *at != NULL; at = &(*at)->next) {
        struct block *block = *at;
        if (block->size < need)
            continue;
        *at = block->next;
        block->next = arena->blocks;
        arena->blocks = block;
        return block;
    }
    return NULL;
}

static struct block *add_block(struct arena *arena, size_t need)
{
    size_t least = arena->keep_bytes > 0 ? KEPT_BLOCK_BYTES : BLOCK_BYTES;
    size_t size = NUM_MAX(need, least);
    size_t total;
    struct block *spare = take_spare(arena, need);

    if (spare != NULL)
        return spare;

    if (!num_add(arena->total, size, &total) || total > arena->max_bytes) {
        size = need;
        if (!num_add(arena->total, size, &total) || total > arena->max_bytes)
            return NULL;
    }
    struct block *block = mem_new(sizeof(*block) + size);

    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->total = total;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need;

    if (!num_add(size, alignof(max_align_t) - 1, &need))
        arena->exhausted = true;
    need &= ~(size_t)(alignof(max_align_t) - 1);
    struct block *block = arena->blocks;
    if (!arena->exhausted && (block == NULL || need > block->size - block->used)) {
        block = add_block(arena, need);
        arena->exhausted = block == NULL;
    }
    if (arena->exhausted)
        return NULL;
    void *piece = block->data + block->used;
    block->used += need;
    return piece; /* zeroed: a block is new or was wiped */
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (!num_mul(count, size, &bytes)) {
        arena->exhausted = true;
        return NULL;
    }
    return arena_alloc(arena, bytes);
}

char *arena_copy(struct arena *arena, struct span bytes)
{
    char *copy = arena_alloc(arena, bytes.len + 1);

    if (copy != NULL && bytes.len > 0)
        memcpy(copy, bytes.p, bytes.len);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_copy(arena, span_str(text));
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list args;

    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    INVARIANT(len >= 0);
    return arena_copy(arena, span_of(text, (size_t)len));
}

int arena_check(const struct arena *arena, const char *what, struct err *err)
{
    if (arena->exhausted)
        return err_set(err, ERR_TOO_LARGE, "%s needs more than %zu bytes of memory", what,
                       arena->max_bytes);
    return 0;
}
