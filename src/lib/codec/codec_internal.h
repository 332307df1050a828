/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef DRUN_CODEC_CODEC_INTERNAL_H
#define DRUN_CODEC_CODEC_INTERNAL_H

#include "codec/json.h"

/* Gives jansson's hash tables their seed. By itself jansson looks for one in /dev/urandom, which a
 * confined role does not have, and then makes do with the time. */
void codec_seed(void);

/* Sets "<what>:<line>:<column>: <sentence>", with what is not printable ASCII replaced by '?'; the
 * message ends up in logs and in JSON answers. Lines and columns start at 1. Returns -1. */
int codec_refuse(struct err *err, const char *what, size_t line, size_t column, const char *fmt,
                 ...) PRINTF_LIKE(5, 6);

/* As ECMAScript's Number.prototype.toString (ECMA-262, 6.1.6.1.20): the shortest digits that read
 * back as the same double. The number is finite. */
void codec_number_put(double number, struct buf *out);
/* The same, but always with a point or an exponent. */
void codec_real_put(double number, struct buf *out);

/* What a plain scalar means. NULL and a value, a string when it means nothing else; or why it is
 * refused. */
const char *codec_yaml_resolve(const char *text, json_t **out);

#endif
