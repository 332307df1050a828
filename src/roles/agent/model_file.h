/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the file that a Model names, and the words of digests. */
#ifndef DRUN_AGENT_MODEL_FILE_H
#define DRUN_AGENT_MODEL_FILE_H

#include "base/attr.h"
#include "base/err.h"
#include "opt/opt.h"

#include <stdint.h>

enum { MODEL_DIGEST_LEN = 32, MODEL_DIGEST_TEXT_SIZE = 72, MODEL_NAME_SIZE = 128 };

/* A regular file below one of the folders, reached without symbolic links. Returns a descriptor
 * for reading. ERR_DENIED when it lies elsewhere or a link leads to it. */
int model_file_open(const struct opt_list *dirs, const char *path, uint64_t *out_size,
                    struct err *err) MUST_USE;
/* What the file is called in a sandbox: the last part of its path if it is plain, else "model". */
void model_file_name(const char *path, char out[MODEL_NAME_SIZE]);

/* "sha256:" and 64 hex digits. */
int model_digest_parse(const char *text, uint8_t out[MODEL_DIGEST_LEN], struct err *err) MUST_USE;
void model_digest_put(const uint8_t digest[MODEL_DIGEST_LEN], char out[MODEL_DIGEST_TEXT_SIZE]);

#endif
