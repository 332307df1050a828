/* SPDX-License-Identifier: Apache-2.0 */
#include "scanner/scanner.h"

#include "base/attr.h"

#include <hs/hs.h>
#include <string.h>

struct probe {
    const char *pattern;
    unsigned flags;
    const char *text;
};

static int on_match(unsigned id UNUSED, unsigned long long from UNUSED,
                    unsigned long long to UNUSED, unsigned flags UNUSED, void *ctx)
{
    *(bool *)ctx = true;
    return 1;
}

static bool finds(const struct probe *probe)
{
    hs_database_t *database = NULL;
    hs_compile_error_t *why = NULL;
    hs_scratch_t *scratch = NULL;
    bool found = false;

    if (hs_compile(probe->pattern, probe->flags, HS_MODE_BLOCK, NULL, &database, &why) ==
            HS_SUCCESS &&
        hs_alloc_scratch(database, &scratch) == HS_SUCCESS)
        (void)hs_scan(database, probe->text, (unsigned)strlen(probe->text), 0, scratch, on_match,
                      &found);
    hs_free_compile_error(why);
    hs_free_scratch(scratch);
    hs_free_database(database);
    return found;
}

bool scanner_is_sound(void)
{
    static const struct probe probes[] = {
        {"(?i)(?:\\$|&dollar;?)(?:\\{|&l(?:brace|cub);?)(?:[^\\}]*"
         "(?:\\$|&dollar;?)(?:\\{|&l(?:brace|cub);?)|jndi|ctx)",
         HS_FLAG_DOTALL | HS_FLAG_MULTILINE | HS_FLAG_SINGLEMATCH,
         "$${env:somethingveryverylong:-${env:something:-$}{jndi:ldap://x}}}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(probes); i++)
        if (!finds(&probes[i]))
            return false;
    return true;
}
