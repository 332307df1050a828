/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/passphrase.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

enum { PASSPHRASE_MAX = 1024 };

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

int passphrase_take(const char *path, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(PASSPHRASE_MAX);
    CLEANUP_FD int fd = -1;

    TRY(read_passphrase(path, &text, err));
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    if (text.len == 0)
        return err_set(err, ERR_INVALID, "the passphrase is empty");
    fd = memfd_create("passphrase", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "cannot keep the passphrase in memory");
    TRY(fd_write_all(fd, buf_span(&text), "the passphrase", err));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot rewind the passphrase");
    return fd_take(&fd);
}
