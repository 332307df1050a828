/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "snapshot/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct snapshot_reader {
    const struct snapshot_type *type;
    int dir_fd;
    const uint64_t *published; /* the mapped NAME.gen; NULL until there is one */
    uint64_t seen;             /* what it was when the file was last looked at */
    uint64_t newest;           /* generation of what was in force last */
    struct snapshot *current;
};

struct snapshot_reader *snapshot_reader_new(const struct snapshot_type *type, int *dir_fd)
{
    struct snapshot_reader *reader = mem_new(sizeof(*reader));

    reader->type = type;
    reader->dir_fd = fd_take(dir_fd);
    return reader;
}

void snapshot_reader_free(struct snapshot_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->published != NULL)
        munmap((void *)(uintptr_t)reader->published, sizeof(*reader->published));
    snapshot_free(reader->current);
    fd_close(&reader->dir_fd);
    free(reader);
}

void snapshot_reader_free_ptr(struct snapshot_reader **reader)
{
    snapshot_reader_free(*reader);
}

/* 1: mapped; 0: there is none yet. */
static int map_generation(struct snapshot_reader *reader, struct err *err)
{
    const char *name = reader->type->generation;
    CLEANUP_FD int fd = openat(reader->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, "cannot open %s", name);
    if ((size_t)st.st_size < sizeof(*reader->published))
        return 0;
    void *map = mmap(NULL, sizeof(*reader->published), PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, "cannot map %s", name);
    reader->published = map;
    return 1;
}

static int reload(struct snapshot_reader *reader, struct err *err)
{
    CLEANUP(snapshot_free_ptr) struct snapshot *fresh = NULL;

    TRY(snapshot_load(reader->type, reader->dir_fd, &fresh, err));
    if (fresh->generation < reader->newest)
        return err_set(err, ERR_CORRUPT, "%s is refused: it is older than the one in force",
                       reader->type->file);
    snapshot_free(reader->current);
    reader->newest = fresh->generation;
    reader->current = fresh;
    fresh = NULL;
    return 1;
}

int snapshot_reader_refresh(struct snapshot_reader *reader, struct err *err)
{
    if (reader->published == NULL) {
        int mapped = map_generation(reader, err);
        if (mapped <= 0)
            return mapped;
    }
    uint64_t published = __atomic_load_n(reader->published, __ATOMIC_ACQUIRE);
    if (published == reader->seen)
        return 0;
    int result = reload(reader, err);
    /* A file that is bad stays bad; a system that refused may have recovered at the next request.
     */
    if (result > 0 || err->code == ERR_CORRUPT)
        reader->seen = published;
    return result;
}

const struct snapshot *snapshot_reader_current(const struct snapshot_reader *reader)
{
    return reader->current;
}

struct snapshot *snapshot_reader_take(struct snapshot_reader *reader)
{
    struct snapshot *taken = reader->current;

    reader->current = NULL;
    return taken;
}
