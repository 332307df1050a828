/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/dir.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

static int by_first(const void *a, const void *b)
{
    const struct dir_segment *left = a;
    const struct dir_segment *right = b;

    return left->first < right->first ? -1 : left->first > right->first;
}

static void add(struct audit_dir *dir, uint64_t first, bool dropped)
{
    for (size_t i = 0; i < dir->count; i++) {
        /* Both are there when a crash came between writing the note and deleting the records. */
        if (dir->segment[i].first != first)
            continue;
        dir->segment[i].dropped = dir->segment[i].dropped && dropped;
        return;
    }
    dir->segment = mem_resize_array(dir->segment, dir->count + 1, sizeof(*dir->segment));
    dir->segment[dir->count++] = (struct dir_segment){.first = first, .dropped = dropped};
}

static void link_ends(struct audit_dir *dir)
{
    if (dir->count == 0)
        return;
    qsort(dir->segment, dir->count, sizeof(*dir->segment), by_first);
    for (size_t i = 0; i + 1 < dir->count; i++)
        dir->segment[i].end = dir->segment[i + 1].first;
}

void audit_dir_add(struct audit_dir *dir, uint64_t first)
{
    add(dir, first, false);
    link_ends(dir);
}

int audit_dir_open(int dir_fd, const struct note_keys *keys, const char *origin,
                   struct audit_dir *out, struct err *err)
{
    uint64_t first;
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    *out = (struct audit_dir){.fd = dir_fd, .keys = keys, .origin = origin};
    if (list == NULL) {
        err_sys(err, "cannot list the audit log");
        fd_close(&fd);
        return -1;
    }
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (segment_parse_name(entry->d_name, ".seg", &first) == 0)
            add(out, first, false);
        else if (segment_parse_name(entry->d_name, ".dropped", &first) == 0)
            add(out, first, true);
    }
    closedir(list);
    link_ends(out);
    return 0;
}

void audit_dir_close(struct audit_dir *dir)
{
    for (size_t i = 0; i < dir->count; i++)
        free(dir->segment[i].nodes);
    free(dir->segment);
    for (size_t i = 0; i < DIR_CACHE; i++)
        segment_file_free(dir->cache[i]);
    *dir = (struct audit_dir){.fd = -1};
}

void audit_dir_forget(struct audit_dir *dir, uint64_t first)
{
    for (size_t i = 0; i < DIR_CACHE; i++) {
        if (dir->cache[i] == NULL || dir->cache[i]->header.first != first)
            continue;
        segment_file_free(dir->cache[i]);
        dir->cache[i] = NULL;
    }
}

struct dir_segment *audit_dir_find(struct audit_dir *dir, uint64_t index)
{
    size_t low = 0;
    size_t high = dir->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dir->segment[middle].first <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NULL : &dir->segment[low - 1];
}

/* ------------------------------------------------------------------ loading */

static int load_file(struct audit_dir *dir, uint64_t first, struct segment_file **out,
                     struct err *err)
{
    CLEANUP(segment_file_free_ptr) struct segment_file *file = NULL;
    struct segment_scan scan;
    struct err ignored = ERR_INIT;

    TRY(segment_file_open(dir->fd, first, O_RDONLY, &file, err));
    if (segment_file_load_trailer(file, &ignored) <= 0)
        TRY(segment_file_scan(file, NULL, NULL, &scan, err));
    *out = file;
    file = NULL;
    return 0;
}

int audit_dir_load(struct audit_dir *dir, struct dir_segment *segment, struct segment_file **out,
                   struct err *err)
{
    if (segment->dropped)
        return err_set(err, ERR_GONE, "the records from %" PRIu64 " on were dropped by retention",
                       segment->first);
    if (dir->live != NULL && dir->live->header.first == segment->first) {
        *out = dir->live;
        return 0;
    }
    for (size_t i = 0; i < DIR_CACHE; i++) {
        if (dir->cache[i] == NULL || dir->cache[i]->header.first != segment->first)
            continue;
        *out = dir->cache[i];
        dir->cache_next = (unsigned)(1 - i);
        return 0;
    }
    struct segment_file *file = NULL;
    TRY(load_file(dir, segment->first, &file, err));
    segment_file_free(dir->cache[dir->cache_next]);
    dir->cache[dir->cache_next] = file;
    dir->cache_next = (dir->cache_next + 1) % DIR_CACHE;
    *out = file;
    return 0;
}

static void keep_range(struct dir_segment *segment, const struct tree_range *range)
{
    segment->node_count = range->count;
    segment->nodes = mem_new_array(range->count, sizeof(*range->node));
    memcpy(segment->nodes, range->node, range->count * sizeof(*range->node));
    segment->peeked = true;
}

static int peek_scanned(struct audit_dir *dir, struct dir_segment *segment, struct err *err)
{
    struct segment_file *file = NULL;
    struct tree_range range;

    TRY(audit_dir_load(dir, segment, &file, err));
    uint64_t end = segment->end != 0 ? segment->end : segment->first + file->count;
    if (segment->first + file->count < end)
        return err_set(err, ERR_CORRUPT, "segment %" PRIu64 " is damaged", segment->first);
    tree_range_init(&range, segment->first);
    for (uint64_t i = 0; i < end - segment->first; i++)
        tree_range_add(&range, &file->leaves[i]);
    keep_range(segment, &range);
    segment->min_ns = 0;
    segment->max_ns = UINT64_MAX;
    return 0;
}

static int peek_dropped(struct audit_dir *dir, struct dir_segment *segment, struct err *err)
{
    struct dir_dropped dropped;

    TRY(audit_dir_get_dropped(dir, segment->first, &dropped, err));
    if (segment->end != 0 && segment->end != dropped.end)
        return err_set(err, ERR_CORRUPT, "the note of segment %" PRIu64 " ends elsewhere",
                       segment->first);
    keep_range(segment, &dropped.range);
    return 0;
}

int audit_dir_peek(struct audit_dir *dir, struct dir_segment *segment, struct err *err)
{
    struct segment_trailer trailer;
    char name[SEGMENT_NAME_SIZE];

    if (segment->peeked)
        return 0;
    if (segment->dropped)
        return peek_dropped(dir, segment, err);
    segment_name(segment->first, ".seg", name);
    CLEANUP_FD int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_sys(err, "cannot open the segment %s", name);
    int found = segment_file_peek_trailer(fd, segment->first, &trailer, err);
    if (found <= 0 || (segment->end != 0 && trailer.range.end != segment->end)) {
        err_clear(err);
        return peek_scanned(dir, segment, err);
    }
    keep_range(segment, &trailer.range);
    segment->min_ns = trailer.min_ns;
    segment->max_ns = trailer.max_ns;
    return 0;
}

/* ------------------------------------------------------------------ hashes */

static int node_inside(struct audit_dir *dir, struct dir_segment *segment, unsigned level,
                       uint64_t start, struct tree_hash *out, struct err *err)
{
    struct segment_file *file = NULL;
    struct tree_range range;
    uint64_t leaves = 1ULL << level;

    TRY(audit_dir_load(dir, segment, &file, err));
    if (start + leaves > segment->first + file->count)
        return err_set(err, ERR_CORRUPT, "segment %" PRIu64 " is damaged", segment->first);
    tree_range_init(&range, start);
    for (uint64_t i = 0; i < leaves; i++)
        tree_range_add(&range, &file->leaves[start - segment->first + i]);
    *out = range.node[0];
    return 0;
}

static bool node_known(const struct dir_segment *segment, unsigned level, uint64_t start,
                       struct tree_hash *out)
{
    struct tree_range range = {.begin = segment->first, .end = segment->end};

    range.count = segment->node_count;
    memcpy(range.node, segment->nodes, segment->node_count * sizeof(*segment->nodes));
    const struct tree_hash *hash = tree_range_find(&range, level, start);
    if (hash != NULL)
        *out = *hash;
    return hash != NULL;
}

/* Not deeper than the levels of the tree. */
int audit_dir_node(void *ctx, unsigned level, uint64_t start, struct tree_hash *out,
                   struct err *err)
{
    struct audit_dir *dir = ctx;
    struct dir_segment *segment = audit_dir_find(dir, start);
    struct tree_hash left;
    struct tree_hash right;
    bool live = segment != NULL && dir->live != NULL && dir->live->header.first == segment->first;

    if (segment == NULL)
        return err_set(err, ERR_CORRUPT, "the segment of record %" PRIu64 " is missing", start);
    uint64_t end = segment->end != 0 ? segment->end : UINT64_MAX;
    if (start + (1ULL << level) <= end) {
        if (!live && segment->end != 0) {
            TRY(audit_dir_peek(dir, segment, err));
            if (node_known(segment, level, start, out))
                return 0;
        }
        return node_inside(dir, segment, level, start, out, err);
    }
    TRY(audit_dir_node(dir, level - 1, start, &left, err));
    TRY(audit_dir_node(dir, level - 1, start + (1ULL << (level - 1)), &right, err));
    tree_hash_node(&left, &right, out);
    return 0;
}
