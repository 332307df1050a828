/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "snapshot/format.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>

/* Readers run under other uids; who may enter the directory is for whoever made it to say. */
enum { FILE_MODE = 0644 };

struct snapshot_publisher {
    const struct snapshot_type *type;
    int dir_fd;
    int generation_fd; /* locked: one publisher */
    uint64_t *published;
};

void snapshot_publisher_free(struct snapshot_publisher *publisher)
{
    if (publisher == NULL)
        return;
    if (publisher->published != NULL)
        munmap(publisher->published, sizeof(*publisher->published));
    fd_close(&publisher->generation_fd);
    fd_close(&publisher->dir_fd);
    free(publisher);
}

void snapshot_publisher_free_ptr(struct snapshot_publisher **publisher)
{
    snapshot_publisher_free(*publisher);
}

static int open_generation(struct snapshot_publisher *publisher, struct err *err)
{
    const char *name = publisher->type->generation;

    publisher->generation_fd =
        openat(publisher->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (publisher->generation_fd < 0)
        return err_sys(err, "cannot create %s", name);
    if (flock(publisher->generation_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_EXISTS, "%s has another publisher already", publisher->type->file);
    if (ftruncate(publisher->generation_fd, sizeof(*publisher->published)) < 0)
        return err_sys(err, "cannot size %s", name);
    void *map = mmap(NULL, sizeof(*publisher->published), PROT_READ | PROT_WRITE, MAP_SHARED,
                     publisher->generation_fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, "cannot map %s", name);
    publisher->published = map;
    return 0;
}

int snapshot_publisher_open(const struct snapshot_type *type, int *dir_fd,
                            struct snapshot_publisher **out, struct err *err)
{
    CLEANUP(snapshot_publisher_free_ptr)
    struct snapshot_publisher *publisher = mem_new(sizeof(*publisher));

    *publisher =
        (struct snapshot_publisher){.type = type, .dir_fd = fd_take(dir_fd), .generation_fd = -1};
    TRY(open_generation(publisher, err));
    *out = publisher;
    publisher = NULL;
    return 0;
}

int snapshot_publish(struct snapshot_publisher *publisher, struct buf *file, uint64_t *generation,
                     struct err *err)
{
    struct format_header *header = (struct format_header *)(void *)file->data;

    INVARIANT(file->len >= sizeof(*header) && header->magic == FORMAT_MAGIC &&
              header->type == publisher->type->number && header->length == file->len);
    /* Never lower than before, also when the directory is new and a reader is old. */
    header->generation =
        NUM_MAX(__atomic_load_n(publisher->published, __ATOMIC_RELAXED) + 1, clock_wall_ns());
    format_digest(header, file->len, header->digest);
    TRY(fd_replace_file(publisher->dir_fd, publisher->type->file, FILE_MODE, buf_span(file), false,
                        err));
    __atomic_store_n(publisher->published, header->generation, __ATOMIC_RELEASE);
    *generation = header->generation;
    return 0;
}
