/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where model files are: sealed on disk (DATA/agent/blobs, under the collection "agent/blobs"), and
 * in the clear in memory while they are served (RUN/agent/models). One thing is done at a time, in
 * a thread.
 */
#ifndef DRUN_AGENT_VAULT_H
#define DRUN_AGENT_VAULT_H

#include "agent/job.h"
#include "agent/model_file.h"
#include "role/role.h"

#include <stdbool.h>

struct vault;

int vault_open(struct role *role, struct vault **out, struct err *err) MUST_USE;
/* Removes the clear files, too. */
void vault_free(struct vault *vault);

/* True while something is under way; the two below must not be called then. */
bool vault_busy(const struct vault *vault);
unsigned vault_percent(const struct vault *vault);

/* `digest` is what the bytes hash to. `err` is NULL when the work succeeded: ERR_CORRUPT when the
 * bytes are not those that were demanded. */
typedef void vault_done_fn(void *ctx, const uint8_t digest[MODEL_DIGEST_LEN],
                           const struct err *err);

/* Seals what is in *fd, which it takes. `expected` may be NULL. */
int vault_import(struct vault *vault, int *fd, uint64_t size, const uint8_t *expected,
                 vault_done_fn *done, void *ctx, struct err *err) MUST_USE;
/* Writes the clear file at vault_clear_path(). ERR_LIMITED when the memory is too small. */
int vault_unseal(struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN], vault_done_fn *done,
                 void *ctx, struct err *err) MUST_USE;

/* ERR_NOT_FOUND when no such file is sealed here. */
int vault_has(struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN], uint64_t *out_size,
              struct err *err) MUST_USE;
/* The caller frees it. */
char *vault_clear_path(const struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN]) MUST_USE;
void vault_clear_remove(struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN]);

/* Removes the sealed files that `wanted` does not want. */
typedef bool vault_wanted_fn(void *ctx, const char *blob_name);
int vault_sweep(struct vault *vault, vault_wanted_fn *wanted, void *ctx, struct err *err) MUST_USE;
/* For `wanted`: the name of a blob; text[65]. */
void vault_blob_name(const struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN], char *text);

#endif
