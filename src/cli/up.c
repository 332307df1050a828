/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include "base/fd.h"
#include "cli/passphrase.h"
#include "cli/role_table.h"
#include "log/log.h"

#include <fcntl.h>

enum { CONFIG_MAX = 256 * 1024 };

const struct cli_option cli_up_options[] = {
    {"--data", "DIR", "where everything is kept (default /var/lib/drun)"},
    {"--config", "FILE", "settings; `drun up --sample` prints one with every default"},
    {"--set", "NAME=VALUE", "one setting; may come often"},
    {"--passphrase-file", "FILE", "the passphrase that unseals; - reads the terminal"},
    {"--sealed", NULL, "start without any key; `drun unseal` opens it"},
    {"--sample", NULL, "print a commented settings file"},
    {0},
};

struct up {
    const char *data_dir;
    struct settings *settings;
    int passphrase_fd;
    bool sealed;
};

static int load(struct up *up, const char *path, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(CONFIG_MAX);

    if (path != NULL)
        TRY(fd_read_file(AT_FDCWD, path, &text, err));
    settings_free(up->settings);
    up->settings = NULL;
    return settings_load(buf_span(&text), path == NULL ? "settings" : path, &up->settings, err);
}

static int print_sample(void)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(CONFIG_MAX);

    settings_put_sample(&text);
    fputs(buf_text(&text), stdout);
    return CLI_OK;
}

static int take_passphrase(struct up *up, const char *path, struct err *err)
{
    fd_close(&up->passphrase_fd);
    up->passphrase_fd = passphrase_take(path, err);
    return up->passphrase_fd < 0 ? -1 : 0;
}

/* The file first, so that --set overrides it wherever it stands. */
static int read_options(struct up *up, int argc, char **argv, struct err *err)
{
    struct cli_args args = cli_args_of("up", argc, argv);
    const char *config = NULL;
    int kind;

    while ((kind = cli_next(&args)) == '-')
        if (strcmp(args.option, "--config") == 0)
            config = args.value;
    if (kind == 'a')
        return err_set(err, ERR_INVALID, "up takes no argument \"%s\"", args.value);
    if (kind != 0)
        return err_set(err, ERR_INVALID, "the command line is wrong");
    TRY(load(up, config, err));
    args = cli_args_of("up", argc, argv);
    while ((kind = cli_next(&args)) == '-') {
        if (strcmp(args.option, "--data") == 0)
            up->data_dir = args.value;
        else if (strcmp(args.option, "--set") == 0)
            TRY(settings_set(up->settings, args.value, err));
        else if (strcmp(args.option, "--passphrase-file") == 0)
            TRY(take_passphrase(up, args.value, err));
        else if (strcmp(args.option, "--sealed") == 0)
            up->sealed = true;
    }
    if (up->sealed && up->passphrase_fd >= 0)
        return err_set(err, ERR_INVALID,
                       "--sealed starts without the passphrase; give it to `drun unseal`");
    return 0;
}

int cli_up(int argc, char **argv)
{
    struct up up = {.data_dir = "/var/lib/drun", .passphrase_fd = -1};
    struct err err = ERR_INIT;

    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--sample") == 0)
            return print_sample();
    log_init("supervisor", LOG_INFO);
    int result = read_options(&up, argc, argv, &err);
    if (result == 0)
        log_init("supervisor", (enum log_level)up.settings->log_level);
    /* Roles inherit it: a reader of the log that goes away must not end the platform. */
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    const struct supervisor_options options = {
        .table = role_table, .data_dir = up.data_dir, .settings = up.settings, .sealed = up.sealed};
    if (result == 0)
        result = supervisor_run(&options, &up.passphrase_fd, &err);
    settings_free(up.settings);
    fd_close(&up.passphrase_fd);
    return result < 0 ? cli_fail(&err) : CLI_OK;
}
