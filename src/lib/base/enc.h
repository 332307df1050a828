/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as text: hex (lower case) and base64 (RFC 4648 sections 4 and 5). Decoding is strict: no
 * blanks, no foreign characters, no bits left over. */
#ifndef DRUN_BASE_ENC_H
#define DRUN_BASE_ENC_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum enc_base64 {
    ENC_BASE64,    /* '+' '/', padded */
    ENC_BASE64URL, /* '-' '_', not padded */
};

/* `out` gets 2 * len characters and a NUL. */
void enc_hex(struct span bytes, char *out);
void enc_hex_put(struct span bytes, struct buf *out);
/* The length must be exactly out_len bytes. */
int enc_unhex(struct span text, uint8_t *out, size_t out_len, struct err *err) MUST_USE;

/* Percent-encoded but for the unreserved characters of RFC 3986 section 2.3. */
void enc_percent_put(const char *text, struct buf *out);

void enc_base64_put(enum enc_base64 kind, struct span bytes, struct buf *out);
int enc_unbase64(enum enc_base64 kind, struct span text, struct buf *out, struct err *err) MUST_USE;

#endif
