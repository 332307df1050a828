/* SPDX-License-Identifier: Apache-2.0 */
/* API keys in any text, by their form and check sum alone. */
#ifndef DRUN_CLI_KEYS_SCAN_H
#define DRUN_CLI_KEYS_SCAN_H

#include "base/span.h"

/* `key` begins like a key and goes on to the first character that none has; `why` says why it is
 * none, NULL when it is one. */
typedef void keys_scan_fn(void *ctx, size_t line, struct span key, const char *why);
void keys_scan(struct span text, keys_scan_fn *fn, void *ctx);

#endif
