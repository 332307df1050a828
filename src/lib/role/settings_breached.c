/* SPDX-License-Identifier: Apache-2.0 */
#include "role/settings_internal.h"

#include <stddef.h>

static const char *const failures[] = {"closed", "open", NULL};

#define AT(field) .offset = offsetof(struct settings_breached, field)

const struct opt settings_breached_options[] = {
    {.name = "breached-passwords",
     .type = OPT_PATH,
     AT(file),
     .brief =
         "A file of SHA-1 hashes of passwords that nobody may take, sorted, in hex, one a line.",
     .more =
         "The form of Have I Been Pwned, HASH:COUNT; a line may have the first digits alone, ten "
         "at least."},
    {.name = "breached-url",
     .type = OPT_TEXT,
     AT(url),
     .brief = "A service that knows them, with Have I Been Pwned's range API, such as "
              "https://api.pwnedpasswords.com/range/.",
     .more =
         "It is asked when a password is set, and hears five hex digits of its SHA-1 hash, which "
         "hundreds of known passwords share. Without it nobody is asked."},
    {.name = "breached-ca-file",
     .type = OPT_PATH,
     AT(ca_file),
     .brief = "Authorities (PEM) that its certificate must be of, instead of the system's."},
    {.name = "breached-private-network",
     .type = OPT_BOOL,
     AT(private_network),
     .def = "false",
     .brief = "Whether it may be at a private address."},
    {.name = "breached-timeout",
     .type = OPT_DURATION,
     AT(timeout_ms),
     .def = "3s",
     .min = 100,
     .max = 30000,
     .brief = "How long its answer is waited for."},
    {.name = "breached-failure",
     .type = OPT_ENUM,
     AT(failure),
     .def = "closed",
     .choices = failures,
     .brief = "New passwords while it does not answer: closed refuses them, open takes them.",
     .more = "One that was taken so is in the audit log, as drun.auth.breachcheck."},
    {0},
};
