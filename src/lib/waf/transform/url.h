/* SPDX-License-Identifier: Apache-2.0 */
/* The decoding that forms and urlDecode have in common. For this folder. */
#ifndef DRUN_WAF_URL_H
#define DRUN_WAF_URL_H

#include "base/span.h"

/* %XX and + are decoded, a bad % stands for itself and sets *invalid. `out` has room for in.len
 * bytes; returns how many came out. */
size_t url_decode(struct span in, uint8_t *out, bool *invalid);
/* Whether there is nothing to decode. */
bool url_is_plain(struct span in);

#endif
