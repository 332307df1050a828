/* SPDX-License-Identifier: Apache-2.0 */
/* drun seal, drun unseal: for the operator of the platform on this machine. */
#include "base/fd.h"
#include "cli/command.h"
#include "cli/local.h"
#include "cli/passphrase.h"
#include "cli/seal_call.h"

#include <stdio.h>
#include <string.h>

#define DATA_OPTION                                                                                \
    {                                                                                              \
        "--data", "DIR", "the platform on this machine (default $DRUN_DATA or /var/lib/drun)"      \
    }

const struct cli_option cli_seal_options[] = {DATA_OPTION, {0}};
const struct cli_option cli_unseal_options[] = {
    DATA_OPTION,
    {"--passphrase-file", "FILE", "the passphrase; - reads the terminal; without it, the key file"},
    {0}};

struct seal_options {
    const char *data_dir;
    const char *passphrase_file;
};

static void take(void *ctx, const struct cli_args *args)
{
    struct seal_options *options = ctx;

    if (strcmp(args->option, "--data") == 0)
        options->data_dir = args->value;
    else
        options->passphrase_file = args->value;
}

/* What is so already is no failure. */
static int ask(const char *data_dir, enum sealing_message message, int fd, const char *done,
               const char *already)
{
    struct err err = ERR_INIT;
    bool did = seal_call(data_dir, message, fd, NULL, &err) == 0;

    if (!did && err.code != ERR_EXISTS)
        return cli_fail(&err);
    printf("the platform on %s is %s\n", data_dir, did ? done : already);
    return CLI_OK;
}

int cli_seal(int argc, char **argv)
{
    struct seal_options options = {0};
    struct cli_args args = cli_args_of("seal", argc, argv);

    enum cli_exit read = cli_read(&args, take, &options, NULL, 0);
    if (read != CLI_OK)
        return read;
    return ask(local_data_dir(options.data_dir), SEALING_SEAL, -1, "sealed", "sealed already");
}

int cli_unseal(int argc, char **argv)
{
    struct seal_options options = {0};
    struct cli_args args = cli_args_of("unseal", argc, argv);
    CLEANUP_FD int fd = -1;
    struct err err = ERR_INIT;

    enum cli_exit read = cli_read(&args, take, &options, NULL, 0);
    if (read != CLI_OK)
        return read;
    if (options.passphrase_file != NULL) {
        fd = passphrase_take(options.passphrase_file, &err);
        if (fd < 0)
            return cli_fail(&err);
    }
    return ask(local_data_dir(options.data_dir), SEALING_UNSEAL, fd, "unsealed and ready",
               "not sealed");
}
