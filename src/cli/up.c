/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include "base/fd.h"
#include "base/mem.h"
#include "cli/role_table.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

enum { CONFIG_MAX = 256 * 1024, PASSPHRASE_MAX = 1024 };

const struct cli_option cli_up_options[] = {
    {"--data", "DIR", "where everything is kept (default /var/lib/drun)"},
    {"--config", "FILE", "settings; `drun up --sample` prints one with every default"},
    {"--set", "NAME=VALUE", "one setting; may come often"},
    {"--passphrase-file", "FILE", "the passphrase that unseals; - reads the terminal"},
    {"--sample", NULL, "print a commented settings file"},
    {0},
};

struct up {
    const char *data_dir;
    struct settings *settings;
    int passphrase_fd;
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

/* Up to the end of the line, byte by byte: stdio would keep a copy in its own buffer. */
static int read_line(struct buf *out, struct err *err)
{
    char byte;
    ssize_t got = 0;

    while (out->len < PASSPHRASE_MAX) {
        got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || byte == '\n')
            break;
        buf_put_u8(out, (uint8_t)byte);
    }
    mem_wipe(&byte, sizeof(byte));
    return got < 0 ? err_sys(err, "cannot read the passphrase") : 0;
}

/* Typed without an echo where there is a terminal. */
static int read_passphrase(const char *path, struct buf *out, struct err *err)
{
    struct termios before;
    struct termios quiet;

    if (strcmp(path, "-") != 0)
        return fd_read_file(AT_FDCWD, path, out, err);
    bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        fprintf(stderr, "passphrase: ");
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    int got = read_line(out, err);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fprintf(stderr, "\n");
    }
    TRY(got);
    return out->len > 0 ? 0 : err_set(err, ERR_INVALID, "no passphrase was given");
}

/* A file in memory, which goes to kms alone. */
static int take_passphrase(struct up *up, const char *path, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(PASSPHRASE_MAX);

    TRY(read_passphrase(path, &text, err));
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    if (text.len == 0)
        return err_set(err, ERR_INVALID, "the passphrase is empty");
    fd_close(&up->passphrase_fd);
    up->passphrase_fd = memfd_create("passphrase", MFD_CLOEXEC);
    if (up->passphrase_fd < 0)
        return err_sys(err, "cannot keep the passphrase in memory");
    TRY(fd_write_all(up->passphrase_fd, buf_span(&text), "the passphrase", err));
    return lseek(up->passphrase_fd, 0, SEEK_SET) < 0 ? err_sys(err, "cannot rewind") : 0;
}

static int print_sample(void)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(CONFIG_MAX);

    settings_put_sample(&text);
    fputs(buf_text(&text), stdout);
    return CLI_OK;
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
    }
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
    if (result == 0)
        result = supervisor_run(role_table, up.data_dir, up.settings, up.passphrase_fd, &err);
    settings_free(up.settings);
    fd_close(&up.passphrase_fd);
    return result < 0 ? cli_fail(&err) : CLI_OK;
}
