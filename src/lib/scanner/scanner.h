/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libhs, which looks for many patterns at once, comes from Hyperscan or from Vectorscan. Vectorscan
 * up to 5.4.11 misses matches on x86 (docs/decisions/0020). A firewall that misses what it looks
 * for is worse than a slow one: who is told that it is unsound asks PCRE2 for every pattern.
 */
#ifndef DRUN_SCANNER_SCANNER_H
#define DRUN_SCANNER_SCANNER_H

#include <stdbool.h>

/* Tries matches that are known to be missed. Takes milliseconds; ask once a process. */
bool scanner_is_sound(void);

#endif
