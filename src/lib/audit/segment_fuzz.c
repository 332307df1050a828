/* SPDX-License-Identifier: Apache-2.0 */
/* A segment's file with any content: as it is, and behind a good header. */
#include "audit/segment_file.h"

#include "base/fd.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_record(void *ctx, const struct segment_record *record UNUSED, bool body UNUSED,
                        struct err *err UNUSED)
{
    uint64_t *count = ctx;

    ++*count;
    return 0;
}

static void read_all(const struct segment_header *header, size_t header_len, struct span bytes)
{
    CLEANUP(segment_file_free_ptr) struct segment_file *file = mem_new(sizeof(*file));
    CLEANUP(buf_free) struct buf room = BUF_INIT(SEGMENT_RECORD_HEAD + SEGMENT_SEALED_MAX);
    struct segment_scan scan;
    struct segment_record record;
    struct segment_trailer trailer;
    uint64_t count = 0;
    struct err err = ERR_INIT;

    file->fd = memfd_create("segment", MFD_CLOEXEC);
    file->header = *header;
    file->header_len = header_len;
    INVARIANT(file->fd >= 0 && fd_write_all(file->fd, bytes, "segment", &err) == 0);
    INVARIANT(segment_file_scan(file, count_record, &count, &scan, &err) == 0);
    INVARIANT(count == file->count && file->end <= bytes.len);
    for (uint64_t i = 0; i < file->count; i++)
        (void)!segment_file_read(file, header->first + i, &room, &record, &err);
    (void)!segment_file_peek_trailer(file->fd, header->first, &trailer, &err);
    if (segment_file_load_trailer(file, &err) > 0)
        for (uint64_t i = 0; i < file->count; i++)
            (void)!segment_file_read(file, header->first + i, &room, &record, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(8 << 20);
    struct segment_header header;
    size_t header_len;
    struct err err = ERR_INIT;

    if (size > 1 << 20)
        return 0;
    if (segment_parse_header(span_of(data, size), &header, &header_len, &err) == 0) {
        read_all(&header, header_len, span_of(data, size));
        return 0;
    }
    header = (struct segment_header){.origin = "drun/audit/test"};
    segment_put_header(&header, &bytes);
    header_len = bytes.len;
    buf_put(&bytes, data, size);
    read_all(&header, header_len, buf_span(&bytes));
    return 0;
}
