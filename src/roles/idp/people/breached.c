/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/people/breached.h"

#include "base/enc.h"
#include "base/num.h"
#include "crypto/crypto.h"

#include <sys/stat.h>
#include <unistd.h>

enum { HEX_LEN = 2 * CRYPTO_SHA1_LEN };

/* The line that begins at or after `at`; its hex digits in lower case. False at the end. */
struct line {
    off_t begin, end; /* end: behind the newline */
    char hex[HEX_LEN + 1];
    size_t len;
};

static int malformed(struct err *err, off_t at)
{
    return err_set(err, ERR_INVALID,
                   "the list of breached passwords has no hash in the line at byte %lld",
                   (long long)at);
}

static int read_hex(const char *text, size_t len, struct line *line, struct err *err)
{
    line->len = 0;
    for (size_t i = 0; i < len && text[i] != ':' && text[i] != '\r'; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        if (line->len == HEX_LEN || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return malformed(err, line->begin);
        line->hex[line->len++] = c;
    }
    line->hex[line->len] = '\0';
    return line->len >= BREACHED_PREFIX_MIN ? 0 : malformed(err, line->begin);
}

/* 0 at the end of the file. */
static int read_line(int fd, off_t begin, struct line *line, struct err *err)
{
    char text[BREACHED_LINE_MAX];
    ssize_t got = pread(fd, text, sizeof(text), begin);

    if (got < 0)
        return err_sys(err, "cannot read the list of breached passwords");
    if (got == 0)
        return 0;
    const char *newline = memchr(text, '\n', (size_t)got);
    if (newline == NULL && got == (ssize_t)sizeof(text))
        return malformed(err, begin);
    size_t len = newline == NULL ? (size_t)got : (size_t)(newline - text);
    line->begin = begin;
    line->end = begin + (off_t)len + (newline != NULL);
    TRY(read_hex(text, len, line, err));
    return 1;
}

/* The line that `at` lies in. */
static int line_at(int fd, off_t at, struct line *line, struct err *err)
{
    char text[BREACHED_LINE_MAX];
    off_t from = at < (off_t)sizeof(text) ? 0 : at - (off_t)sizeof(text);
    size_t want = (size_t)(at - from);
    ssize_t got = pread(fd, text, want, from);

    if (got != (ssize_t)want)
        return err_sys(err, "cannot read the list of breached passwords");
    while (want > 0 && text[want - 1] != '\n')
        want--;
    if (want == 0 && from > 0)
        return malformed(err, at);
    return read_line(fd, from + (off_t)want, line, err);
}

static int search(int fd, off_t size, const char *hex, bool *found, struct err *err)
{
    off_t low = 0;
    off_t high = size;

    while (low < high) {
        struct line line;
        int got = line_at(fd, low + (high - low) / 2, &line, err);
        TRY(got);
        if (got == 0)
            break;
        int order = memcmp(hex, line.hex, line.len);
        if (order == 0) {
            *found = true;
            return 0;
        }
        if (order < 0)
            high = line.begin;
        else
            low = line.end;
    }
    return 0;
}

int breached_find(int fd, const char *password, bool *found, struct err *err)
{
    uint8_t hash[CRYPTO_SHA1_LEN];
    char hex[HEX_LEN + 1];
    struct stat st;

    *found = false;
    crypto_sha1(span_str(password), hash);
    enc_hex(span_of(hash, sizeof(hash)), hex);
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at the list of breached passwords");
    return search(fd, st.st_size, hex, found, err);
}

int breached_check_file(int fd, const char *path, struct err *err)
{
    struct line before = {.hex = ""};
    off_t at = 0;

    for (int i = 0; i < 100; i++) {
        struct line line;
        int got = read_line(fd, at, &line, err);
        if (got < 0)
            return err_wrap(err, "%s", path);
        if (got == 0)
            break;
        if (strcmp(before.hex, line.hex) > 0)
            return err_set(err, ERR_INVALID,
                           "%s is not sorted by hash: the line at byte %lld is less than the one "
                           "before",
                           path, (long long)at);
        before = line;
        at = line.end;
    }
    return 0;
}
