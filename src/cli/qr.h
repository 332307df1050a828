/* SPDX-License-Identifier: Apache-2.0 */
/* A QR code for a terminal, two rows of it in a line of half blocks. */
#ifndef DRUN_CLI_QR_H
#define DRUN_CLI_QR_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

/* ERR_UNSUPPORTED when libqrencode is not installed; it is loaded only here. */
int qr_put(const char *text, struct buf *out, struct err *err) MUST_USE;

#endif
