/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts of a JSON body the firewall looks at. Rules about injections fit what a program takes
 * as a parameter; they do not fit what a manifest holds for the programs of tenants (scripts, SQL,
 * HTML). Those values are cut out, with the names of members in them; the other names and values
 * stay. Of model calls the schema says what is prose (openai_request_cut()).
 *
 *     SHAPE_OBJECT       apiVersion, kind, metadata without annotations and managedFields, and of a
 *                        JSON patch op, path and from
 *
 * The body need not be valid: what cannot be followed stays as it is. A name that is written with
 * escapes is none of these, so it stays.
 */
#ifndef DRUN_GATEWAY_SHAPE_H
#define DRUN_GATEWAY_SHAPE_H

#include "base/span.h"

enum shape { SHAPE_WHOLE, SHAPE_OBJECT };
enum { SHAPE_DEPTH_MAX = 64 };

/* Calls `piece` for the stretches that stay, in order; in the place of a value that is cut out
 * comes an empty text. */
typedef void shape_piece_fn(void *ctx, struct span piece);
void shape_cut(enum shape shape, struct span body, shape_piece_fn *piece, void *ctx);

#endif
