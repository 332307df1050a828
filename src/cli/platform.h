/* SPDX-License-Identifier: Apache-2.0 */
/* Where somebody signs in: which platform, and what it says of its endpoints. */
#ifndef DRUN_CLI_PLATFORM_H
#define DRUN_CLI_PLATFORM_H

#include "base/attr.h"
#include "base/err.h"
#include "cli/client.h"
#include "cli/login.h"
#include "cli/sign_in.h"

#include <jansson.h>

/* Sets server (without a slash at its end) and authority: of --server and --ca, else of the
 * platform on this machine. */
int platform_choose(const struct client_options *options, struct login *login,
                    struct err *err) MUST_USE;
/* OpenID Connect Discovery 1.0 section 4: sets the endpoints. The caller frees `metadata`. */
int platform_discover(struct login *login, struct sign_in *sign_in, json_t **metadata,
                      struct err *err) MUST_USE;
/* JSON at an address of it; `bearer` may be "". */
int platform_get(const struct login *login, const char *url, const char *bearer, json_t **out,
                 struct err *err) MUST_USE;

#endif
