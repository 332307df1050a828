/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/connections.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 18, LINK_MAX_BYTES = 64, FLAG_LISTENS = 0x10000 };

struct line {
    unsigned long flags;
    unsigned long inode;
    const char *path; /* "": it has none */
};

/* "Num: RefCount Protocol Flags Type St Inode Path", all hexadecimal but the inode. */
static bool read_line(const char *text, struct line *out)
{
    unsigned long numbers[6];
    const char *at = strchr(text, ':');
    char *end = NULL;

    if (at == NULL)
        return false;
    at++;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        numbers[i] = strtoul(at, &end, i == 5 ? 10 : 16);
        if (end == at || (*end != ' ' && (i < 5 || *end != '\0')))
            return false;
        at = end;
    }
    *out = (struct line){.flags = numbers[2], .inode = numbers[5], .path = at + (*at == ' ')};
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

void connections_read(struct span text, const char *name, struct connections_own *out)
{
    *out = (struct connections_own){.count = 0};
    while (text.len > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.p);
        CLEANUP_FREE char *copy = mem_strndup((const char *)text.p, len);
        struct line line;
        if (read_line(copy, &line)) {
            out->listens |= (line.flags & FLAG_LISTENS) != 0 && ends_with(line.path, name);
            out->too_many |= out->count == CONNECTIONS_OWN_MAX;
            if (!out->too_many)
                out->inode[out->count++] = line.inode;
        }
        len += end != NULL;
        text = span_of(text.p + len, text.len - len);
    }
}

/* ------------------------------------------------------------------ processes */

static int read_own(pid_t pid, const char *name, struct connections_own *out)
{
    CLEANUP_FREE char *path = mem_printf("/proc/%d/net/unix", (int)pid);
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX);
    struct err ignored = ERR_INIT;
    uint8_t piece[4096];

    if (fd < 0)
        return -1;
    for (ssize_t got; (got = read(fd, piece, sizeof(piece))) > 0;)
        buf_put(&text, piece, (size_t)got);
    if (buf_check(&text, path, &ignored) < 0)
        return -1;
    connections_read(buf_span(&text), name, out);
    return out->listens && !out->too_many ? 0 : -1;
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

/* "" when it cannot be read. */
static void read_link(const char *dir, const char *name, char out[LINK_MAX_BYTES])
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", dir, name);
    ssize_t len = readlink(path, out, LINK_MAX_BYTES - 1);

    out[len < 0 ? 0 : len] = '\0';
}

static bool is_from_outside(const char *link, const struct connections_own *own)
{
    static const char prefix[] = "socket:[";

    if (strncmp(link, prefix, sizeof(prefix) - 1) != 0)
        return false;
    uint64_t inode = strtoull(link + sizeof(prefix) - 1, NULL, 10);
    for (size_t i = 0; i < own->count; i++)
        if (own->inode[i] == inode)
            return false;
    return true;
}

static int count_of_process(const char *process, const struct connections_own *own)
{
    CLEANUP_FREE char *path = mem_printf("%s/fd", process);
    CLEANUP(close_dir) DIR *dir = opendir(path);
    char link[LINK_MAX_BYTES];
    int count = 0;

    if (dir == NULL)
        return errno == ENOENT ? 0 : -1; /* it has ended meanwhile */
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        read_link(path, entry->d_name, link);
        count += is_from_outside(link, own);
    }
    return count;
}

int connections_of(pid_t pid, const char *name)
{
    CLEANUP_FREE struct connections_own *own = mem_new(sizeof(*own));
    CLEANUP_FREE char *first = mem_printf("/proc/%d", (int)pid);
    CLEANUP(close_dir) DIR *dir = opendir("/proc");
    char wanted[LINK_MAX_BYTES], link[LINK_MAX_BYTES];
    int count = 0;

    read_link(first, "ns/net", wanted);
    if (dir == NULL || wanted[0] == '\0' || read_own(pid, name, own) < 0)
        return -1;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        CLEANUP_FREE char *process = mem_printf("/proc/%s", entry->d_name);
        read_link(process, "ns/net", link);
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || strcmp(link, wanted) != 0)
            continue;
        int more = count_of_process(process, own);
        if (more < 0)
            return -1;
        count += more;
    }
    return count;
}
