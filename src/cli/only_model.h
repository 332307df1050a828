/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_CLI_ONLY_MODEL_H
#define DRUN_CLI_ONLY_MODEL_H

#include "cli/client.h"

/* The only model that one may call needs no name; with several the error names them. *out is the
 * caller's to free. */
int only_model(struct client *client, char **out, struct err *err) MUST_USE;

#endif
