/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "snapshot/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t snapshot_generation(const struct snapshot *snapshot)
{
    return snapshot->generation;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    if (snapshot->room != NULL)
        INVARIANT(munmap(snapshot->room, snapshot->len) == 0);
    free(snapshot);
}

void snapshot_spend(struct snapshot *snapshot, struct span part)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t at = (size_t)(part.p - (const uint8_t *)snapshot->room);
    size_t begin = (at + page - 1) & ~(page - 1);
    size_t end = (at + part.len) & ~(page - 1);

    INVARIANT(at <= snapshot->len && part.len <= snapshot->len - at);
    /* Hints: a page that stays costs memory, nothing else. Among huge pages the kernel would soon
     * fill the hole with zeros. */
    if (end > begin) {
        (void)madvise((uint8_t *)snapshot->room + begin, end - begin, MADV_NOHUGEPAGE);
        (void)madvise((uint8_t *)snapshot->room + begin, end - begin, MADV_DONTNEED);
    }
}

void snapshot_free_ptr(struct snapshot **snapshot)
{
    snapshot_free(*snapshot);
}

static int new_room(const struct snapshot_type *type, size_t len, struct snapshot **out,
                    struct err *err)
{
    if (len == 0 || len > SNAPSHOT_FILE_MAX)
        return err_set(err, ERR_CORRUPT, "%s is refused: it has %zu bytes", type->file, len);
    void *room = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return err_sys(err, "cannot make room for %s", type->file);
    /* Lookups go all over it; fewer pages, fewer misses. A kernel without huge pages refuses. */
    (void)madvise(room, len, MADV_HUGEPAGE);
    *out = mem_new(sizeof(**out));
    **out = (struct snapshot){.type = type, .room = room, .len = len};
    return 0;
}

static int seal_and_check(struct snapshot **loading, struct snapshot **out, struct err *err)
{
    if (mprotect((*loading)->room, (*loading)->len, PROT_READ) < 0)
        return err_sys(err, "cannot protect %s", (*loading)->type->file);
    TRY(snapshot_check(*loading, err));
    *out = *loading;
    *loading = NULL;
    return 0;
}

int snapshot_from_bytes(const struct snapshot_type *type, struct span bytes, struct snapshot **out,
                        struct err *err)
{
    CLEANUP(snapshot_free_ptr) struct snapshot *loading = NULL;

    TRY(new_room(type, bytes.len, &loading, err));
    memcpy(loading->room, bytes.p, bytes.len);
    return seal_and_check(&loading, out, err);
}

static int read_exactly(int fd, struct snapshot *snapshot, struct err *err)
{
    uint8_t *at = snapshot->room;
    size_t left = snapshot->len;

    while (left > 0) {
        ssize_t got = read(fd, at, left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "cannot read %s", snapshot->type->file);
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "%s is refused: it shrank", snapshot->type->file);
        at += got;
        left -= (size_t)got;
    }
    return 0;
}

/* The file is read, not mapped: what was checked must be what is used, even when the publisher is
 * captured and writes into its file afterwards. */
int snapshot_load(const struct snapshot_type *type, int dir_fd, struct snapshot **out,
                  struct err *err)
{
    CLEANUP(snapshot_free_ptr) struct snapshot *loading = NULL;
    CLEANUP_FD int fd = openat(dir_fd, type->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, "cannot open %s", type->file);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_CORRUPT, "%s is refused: it is no file", type->file);
    TRY(new_room(type, (size_t)st.st_size, &loading, err));
    TRY(read_exactly(fd, loading, err));
    return seal_and_check(&loading, out, err);
}
