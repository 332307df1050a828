/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/writer.h"

#include "base/mem.h"
#include "base/num.h"
#include "snapshot/format.h"

#include <stdlib.h>

struct growing {
    uint8_t *p;
    uint32_t cap;
};

/* Where equal texts are found: the same slots as in a table, over the texts' offsets. */
struct texts {
    struct snapshot_slot *slots;
    uint32_t size;
    uint32_t used;
};

struct snapshot_writer {
    struct snapshot view;
    struct growing sections[SNAPSHOT_SECTIONS_MAX];
    struct texts texts;
    uint64_t bytes;
    bool overflowed;
};

enum { FIRST_SLOTS = 8 };

static void clear_slots(struct snapshot_slot *slots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        slots[i] = (struct snapshot_slot){.at = SNAPSHOT_FREE};
}

static void put_slot(struct snapshot_slot *slots, uint32_t size, uint64_t hash, uint32_t index)
{
    uint32_t at = (uint32_t)hash;

    while (slots[at & (size - 1)].at != SNAPSHOT_FREE)
        at++;
    slots[at & (size - 1)] = (struct snapshot_slot){.tag = (uint32_t)(hash >> 32), .at = index};
}

static void set_count(struct snapshot_writer *writer, unsigned section, uint32_t count)
{
    writer->view.sections[section].p = writer->sections[section].p;
    writer->view.sections[section].count = count;
}

/* Room for `more` records behind those that are there; NULL past the ceiling. */
static uint8_t *grow(struct snapshot_writer *writer, unsigned section, uint32_t more)
{
    struct growing *growing = &writer->sections[section];
    uint32_t size = writer->view.type->sections[section].size;
    uint32_t count = writer->view.sections[section].count;

    writer->bytes += (uint64_t)size * more;
    if (writer->overflowed || writer->bytes > SNAPSHOT_FILE_MAX) {
        writer->overflowed = true;
        return NULL;
    }
    if (count + more > growing->cap) {
        growing->cap = NUM_MAX(count + more, 2 * growing->cap);
        growing->p = mem_resize_array(growing->p, growing->cap, size);
        set_count(writer, section, count);
    }
    return growing->p + (size_t)count * size;
}

static void new_table(struct snapshot_writer *writer, unsigned table, uint32_t size)
{
    writer->bytes -= (uint64_t)snapshot_count(&writer->view, table) * sizeof(struct snapshot_slot);
    set_count(writer, table, 0);
    uint8_t *slots = grow(writer, table, size);

    if (slots == NULL)
        return;
    clear_slots((struct snapshot_slot *)(void *)slots, size);
    set_count(writer, table, size);
}

struct snapshot_writer *snapshot_writer_new(const struct snapshot_type *type)
{
    struct snapshot_writer *writer = mem_new(sizeof(*writer));
    struct err err = ERR_INIT;

    INVARIANT(type->section_count <= SNAPSHOT_SECTIONS_MAX);
    writer->view.type = type;
    INVARIANT(crypto_random(&writer->view.key, sizeof(writer->view.key), &err) == 0);
    for (unsigned i = 0; i < type->section_count; i++)
        if (type->sections[i].hash != NULL)
            new_table(writer, i, FIRST_SLOTS);
    writer->texts.size = FIRST_SLOTS;
    writer->texts.slots = mem_new_array(FIRST_SLOTS, sizeof(*writer->texts.slots));
    clear_slots(writer->texts.slots, FIRST_SLOTS);
    return writer;
}

void snapshot_writer_free(struct snapshot_writer *writer)
{
    if (writer == NULL)
        return;
    for (unsigned i = 0; i < writer->view.type->section_count; i++)
        free(writer->sections[i].p);
    free(writer->texts.slots);
    free(writer);
}

void snapshot_writer_free_ptr(struct snapshot_writer **writer)
{
    snapshot_writer_free(*writer);
}

const struct snapshot *snapshot_writer_view(const struct snapshot_writer *writer)
{
    return &writer->view;
}

/* Half full at most. */
static void put_in_table(struct snapshot_writer *writer, unsigned table, uint32_t index)
{
    const struct snapshot_section_type *type = &writer->view.type->sections[table];
    uint32_t size = snapshot_count(&writer->view, table);
    uint32_t first = index;

    if (2 * (uint64_t)(index + 1) > size) {
        size *= 2;
        new_table(writer, table, size);
        first = 0;
    }
    if (writer->overflowed)
        return;
    struct snapshot_slot *slots = (struct snapshot_slot *)(void *)writer->sections[table].p;
    for (uint32_t i = first; i <= index; i++)
        put_slot(slots, size, type->hash(&writer->view, i), i);
}

uint32_t snapshot_writer_add(struct snapshot_writer *writer, unsigned section, const void *record)
{
    uint32_t index = snapshot_count(&writer->view, section);
    uint8_t *at = grow(writer, section, 1);

    if (at == NULL)
        return 0;
    memcpy(at, record, writer->view.type->sections[section].size);
    set_count(writer, section, index + 1);
    for (unsigned i = 0; i < writer->view.type->section_count; i++)
        if (writer->view.type->sections[i].hash != NULL &&
            writer->view.type->sections[i].table_of == section)
            put_in_table(writer, i, index);
    return index;
}

void *snapshot_writer_at(struct snapshot_writer *writer, unsigned section, uint32_t index)
{
    INVARIANT(index < snapshot_count(&writer->view, section));
    return writer->sections[section].p + (size_t)index * writer->view.type->sections[section].size;
}

struct snapshot_ref snapshot_writer_bytes(struct snapshot_writer *writer, unsigned section,
                                          struct span bytes)
{
    struct snapshot_ref ref = {.at = snapshot_count(&writer->view, section),
                               .count = (uint32_t)bytes.len};
    INVARIANT(bytes.len <= SNAPSHOT_FILE_MAX);
    uint8_t *at = grow(writer, section, ref.count);

    if (at == NULL || bytes.len == 0)
        return (struct snapshot_ref){0};
    memcpy(at, bytes.p, bytes.len);
    set_count(writer, section, ref.at + ref.count);
    return ref;
}

/* The text at an offset; it ends in NUL. */
static struct span text_at(const struct snapshot_writer *writer, uint32_t at)
{
    return span_str((const char *)writer->sections[SNAPSHOT_TEXT].p + at);
}

static void grow_texts(struct snapshot_writer *writer)
{
    struct texts *texts = &writer->texts;
    struct snapshot_slot *old = texts->slots;
    uint32_t old_size = texts->size;

    texts->size *= 2;
    texts->slots = mem_new_array(texts->size, sizeof(*texts->slots));
    clear_slots(texts->slots, texts->size);
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i].at != SNAPSHOT_FREE)
            put_slot(texts->slots, texts->size,
                     hash_bytes(&writer->view.key, text_at(writer, old[i].at)), old[i].at);
    free(old);
}

static uint32_t find_text(const struct snapshot_writer *writer, struct span text, uint64_t hash)
{
    struct snapshot_probe probe = {.slots = writer->texts.slots,
                                   .mask = writer->texts.size - 1,
                                   .tag = (uint32_t)(hash >> 32),
                                   .at = (uint32_t)hash};

    for (uint32_t at; snapshot_probe_next(&probe, &at);)
        if (span_eq(text_at(writer, at), text))
            return at;
    return SNAPSHOT_FREE;
}

int snapshot_writer_text(struct snapshot_writer *writer, struct span text, const char *what,
                         struct snapshot_ref *out, struct err *err)
{
    uint64_t hash = hash_bytes(&writer->view.key, text);

    if (text.len > SNAPSHOT_TEXT_MAX)
        return err_set(err, ERR_INVALID, "%s of %zu bytes is longer than %d", what, text.len,
                       SNAPSHOT_TEXT_MAX);
    if (text.len > 0 && memchr(text.p, '\0', text.len) != NULL)
        return err_set(err, ERR_INVALID, "%s has a NUL byte", what);
    *out = (struct snapshot_ref){.count = (uint32_t)text.len};
    out->at = find_text(writer, text, hash);
    if (out->at != SNAPSHOT_FREE)
        return 0;
    out->at = snapshot_count(&writer->view, SNAPSHOT_TEXT);
    uint8_t *at = grow(writer, SNAPSHOT_TEXT, out->count + 1);
    if (at == NULL)
        return 0;
    if (text.len > 0)
        memcpy(at, text.p, text.len);
    at[text.len] = '\0';
    set_count(writer, SNAPSHOT_TEXT, out->at + out->count + 1);
    if (2 * ++writer->texts.used > writer->texts.size)
        grow_texts(writer);
    put_slot(writer->texts.slots, writer->texts.size, hash, out->at);
    return 0;
}

static void put_head(const struct snapshot_writer *writer, struct buf *out)
{
    const struct snapshot_type *type = writer->view.type;
    struct format_header header = {
        .magic = FORMAT_MAGIC,
        .version = FORMAT_VERSION,
        .type = type->number,
        .type_format = type->format,
        .section_count = (uint32_t)type->section_count,
        .key = writer->view.key,
    };
    uint64_t at = sizeof(header) + type->section_count * sizeof(struct format_section);

    buf_put(out, &header, sizeof(header));
    for (unsigned i = 0; i < type->section_count; i++) {
        struct format_section entry = {.offset = format_align(at),
                                       .count = snapshot_count(&writer->view, i),
                                       .size = type->sections[i].size};
        at = entry.offset + (uint64_t)entry.count * entry.size;
        buf_put(out, &entry, sizeof(entry));
    }
}

int snapshot_writer_finish(const struct snapshot_writer *writer, struct buf *out, struct err *err)
{
    static const uint8_t zeros[FORMAT_ALIGN];
    size_t start = out->len;

    if (writer->overflowed)
        return err_set(err, ERR_TOO_LARGE, "%s would be larger than %d bytes",
                       writer->view.type->file, SNAPSHOT_FILE_MAX);
    put_head(writer, out);
    for (unsigned i = 0; i < writer->view.type->section_count; i++) {
        size_t at = out->len - start;
        buf_put(out, zeros, format_align(at) - at);
        buf_put(out, writer->sections[i].p,
                (size_t)snapshot_count(&writer->view, i) * writer->view.type->sections[i].size);
    }
    TRY(buf_check(out, writer->view.type->file, err));
    struct format_header *header = (struct format_header *)(void *)(out->data + start);
    header->length = out->len - start;
    format_digest(header, header->length, header->digest);
    return 0;
}
