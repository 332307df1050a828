/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one form of a path (RFC 3986 section 6.2.2, and stricter): what a server could resolve,
 * decode again or cut off is refused, so that everybody who reads it sees the same. Nothing of
 * nginx is in here, so it is tested and fuzzed by itself.
 */
#ifndef DRUN_GATEWAY_PATH_H
#define DRUN_GATEWAY_PATH_H

#include "base/span.h"

/* As it was sent, without the query. NULL: it has that form; else a sentence that says why not.
 *
 * It begins with a slash and has no empty segment (but the last) and none of one or two dots, also
 * when they are percent-encoded; no control character, backslash or '#', no byte from 0x80 on that
 * is not percent-encoded; no slash written as %2F, but behind /v1/models/, where clients encode the
 * name of a model; and nothing that is percent-encoded twice. */
const char *edge_path_fault(struct span path);

#endif
