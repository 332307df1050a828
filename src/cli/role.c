/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/role_table.h"
#include "log/log.h"
#include "role/control.h"

int cli_role(int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct role *role = NULL;

    if (argc != 2)
        return cli_usage("role");
    int id = role_by_name(argv[1]);
    for (const struct role_entry *entry = role_table; entry->main != NULL; entry++) {
        if ((int)entry->id != id)
            continue;
        log_init(role_name(entry->id), LOG_INFO);
        int result = role_start(&role, &err);
        if (result == 0 && role_self(role) != entry->id)
            result = err_set(&err, ERR_INVALID, "the supervisor says that this is %s",
                             role_name(role_self(role)));
        if (result == 0)
            result = entry->main(role, &err);
        if (result < 0) {
            log_error("role.failed", &err);
            control_tell_failure(&err);
        }
        role_free(role);
        return result < 0 ? CLI_FAILED : CLI_OK;
    }
    fprintf(stderr, "drun role: there is no role \"%s\"\n", argv[1]);
    return CLI_USAGE;
}
