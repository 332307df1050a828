/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/segment.h"

#include "base/mem.h"
#include "base/num.h"

#include <endian.h>
#include <inttypes.h>

enum { MAGIC_LEN = 8, HEADER_FIXED = MAGIC_LEN + 4 };

static const char header_magic[] = "drunseg1";
static const char batch_magic[] = "drunbat1";
static const char trailer_magic[] = "drunend1";
static const char footer_magic[] = "drunfin1";

void segment_name(uint64_t first, const char *suffix, char out[SEGMENT_NAME_SIZE])
{
    snprintf(out, SEGMENT_NAME_SIZE, "%020" PRIu64 "%s", first, suffix);
}

int segment_parse_name(const char *name, const char *suffix, uint64_t *out_first)
{
    char again[SEGMENT_NAME_SIZE];
    struct err err = ERR_INIT;
    size_t zeros = strspn(name, "0");
    size_t digits = strspn(name, "0123456789");

    if (digits != 20)
        return -1;
    zeros = NUM_MIN(zeros, digits - 1);
    TRY(num_parse_u64(span_of(name + zeros, digits - zeros), 0, UINT64_MAX, "index", out_first,
                      &err));
    segment_name(*out_first, suffix, again);
    return strcmp(name, again) == 0 ? 0 : -1;
}

static bool has_magic(struct span bytes, const char *magic)
{
    return bytes.len >= MAGIC_LEN && memcmp(bytes.p, magic, MAGIC_LEN) == 0;
}

static void put_range(const struct tree_range *range, struct buf *out)
{
    buf_put_u32(out, (uint32_t)range->count);
    buf_put(out, range->node, range->count * TREE_HASH_LEN);
}

/* The number of nodes follows from the range, so another number is an error. */
static void take_range(struct cursor *cursor, uint64_t begin, uint64_t end, struct tree_range *out)
{
    uint32_t count = cursor_u32(cursor);

    tree_range_init(out, begin);
    if (begin > end || count != tree_range_nodes(begin, end)) {
        cursor->failed = true;
        return;
    }
    struct span nodes = cursor_bytes(cursor, count * (size_t)TREE_HASH_LEN);
    if (cursor->failed)
        return;
    memcpy(out->node, nodes.p, nodes.len);
    out->end = end;
    out->count = count;
}

static void take_hash(struct cursor *cursor, struct tree_hash *out)
{
    struct span bytes = cursor_bytes(cursor, TREE_HASH_LEN);

    if (bytes.len == TREE_HASH_LEN)
        memcpy(out->bytes, bytes.p, TREE_HASH_LEN);
}

/* ------------------------------------------------------------------ header */

void segment_put_header(struct segment_header *header, struct buf *out)
{
    size_t start = out->len;

    buf_put(out, header_magic, MAGIC_LEN);
    buf_put_u32(out, 0);
    buf_put_u64(out, header->first);
    buf_put_u64(out, header->created_ns);
    buf_put_block(out, span_str(header->origin));
    buf_put_block(out, span_of(header->wrapped, header->wrapped_len));
    put_range(&header->before, out);
    uint32_t len = htole32((uint32_t)(out->len - start + TREE_HASH_LEN));
    memcpy(out->data + start + MAGIC_LEN, &len, sizeof(len));
    crypto_sha256(span_of(out->data + start, out->len - start), header->digest.bytes);
    buf_put(out, header->digest.bytes, TREE_HASH_LEN);
}

int segment_parse_header(struct span bytes, struct segment_header *out, size_t *out_len,
                         struct err *err)
{
    struct cursor cursor = cursor_of(bytes);
    struct tree_hash digest;

    *out = (struct segment_header){0};
    if (!has_magic(cursor_bytes(&cursor, MAGIC_LEN), header_magic))
        return err_set(err, ERR_CORRUPT, "it does not begin with a segment's header");
    uint32_t len = cursor_u32(&cursor);
    if (len < HEADER_FIXED + TREE_HASH_LEN || len > SEGMENT_HEADER_MAX || len > bytes.len)
        return err_set(err, ERR_CORRUPT, "the header has the wrong length");
    cursor.left = len - HEADER_FIXED;
    crypto_sha256(span_of(bytes.p, len - TREE_HASH_LEN), out->digest.bytes);
    out->first = cursor_u64(&cursor);
    out->created_ns = cursor_u64(&cursor);
    cursor_text(&cursor, out->origin, sizeof(out->origin));
    struct span wrapped = cursor_block(&cursor);
    if (wrapped.len <= sizeof(out->wrapped)) {
        memcpy(out->wrapped, wrapped.p, wrapped.len);
        out->wrapped_len = wrapped.len;
    } else {
        cursor.failed = true;
    }
    take_range(&cursor, 0, out->first, &out->before);
    take_hash(&cursor, &digest);
    if (cursor.failed || cursor.left > 0 || !tree_hash_eq(&digest, &out->digest))
        return err_set(err, ERR_CORRUPT, "the header is damaged");
    *out_len = len;
    return 0;
}

/* ------------------------------------------------------------------ records */

void segment_commit(struct span salt, struct span json, struct tree_hash *out)
{
    struct span parts[] = {salt, json};

    crypto_sha256_parts(parts, ARRAY_LEN(parts), out->bytes);
}

void segment_seal_hash(const struct tree_hash *digest, struct span sealed, struct tree_hash *out)
{
    struct span parts[] = {span_of(digest->bytes, TREE_HASH_LEN), sealed};

    crypto_sha256_parts(parts, ARRAY_LEN(parts), out->bytes);
}

void segment_leaf_of(const struct tree_hash *commitment, const struct tree_hash *seal,
                     struct tree_hash *out)
{
    uint8_t leaf[2 * TREE_HASH_LEN];

    memcpy(leaf, commitment->bytes, TREE_HASH_LEN);
    memcpy(leaf + TREE_HASH_LEN, seal->bytes, TREE_HASH_LEN);
    tree_hash_leaf(span_of(leaf, sizeof(leaf)), out);
}

void segment_leaf(const struct tree_hash *digest, const struct tree_hash *commitment,
                  struct span sealed, struct tree_hash *out)
{
    struct tree_hash seal;

    segment_seal_hash(digest, sealed, &seal);
    segment_leaf_of(commitment, &seal, out);
}

enum { AAD_LEN = TREE_HASH_LEN + 8 + TREE_HASH_LEN };

/* A record opens only in its segment, at its index, under its commitment. */
static void put_aad(const struct segment_header *header, uint64_t index,
                    const struct tree_hash *commitment, uint8_t out[AAD_LEN])
{
    uint64_t wire = htole64(index);

    memcpy(out, header->digest.bytes, TREE_HASH_LEN);
    memcpy(out + TREE_HASH_LEN, &wire, sizeof(wire));
    memcpy(out + TREE_HASH_LEN + sizeof(wire), commitment->bytes, TREE_HASH_LEN);
}

int segment_put_record(const struct segment_header *header, struct crypto_sealer *sealer,
                       uint64_t index, const uint8_t salt[SEGMENT_SALT_LEN], struct span json,
                       struct buf *out, struct tree_hash *out_leaf, struct err *err)
{
    static uint8_t plain[SEGMENT_SALT_LEN + AUDIT_JSON_MAX];
    uint8_t aad[AAD_LEN];
    struct tree_hash commitment;
    size_t plain_len = SEGMENT_SALT_LEN + json.len;
    size_t start = out->len;

    INVARIANT(json.len <= AUDIT_JSON_MAX);
    memcpy(plain, salt, SEGMENT_SALT_LEN);
    memcpy(plain + SEGMENT_SALT_LEN, json.p, json.len);
    crypto_sha256(span_of(plain, plain_len), commitment.bytes);
    put_aad(header, index, &commitment, aad);
    buf_put_u32(out, (uint32_t)(plain_len + CRYPTO_SEAL_OVERHEAD));
    buf_put(out, out_leaf->bytes, TREE_HASH_LEN); /* the place; the hash follows */
    buf_put(out, commitment.bytes, TREE_HASH_LEN);
    int sealed =
        crypto_sealer_seal(sealer, span_of(aad, AAD_LEN), span_of(plain, plain_len), out, err);
    mem_wipe(plain, plain_len);
    TRY(sealed);
    TRY(buf_check(out, "a batch of audit records", err));
    size_t at = start + SEGMENT_RECORD_HEAD;
    segment_leaf(&header->digest, &commitment, span_of(out->data + at, out->len - at), out_leaf);
    memcpy(out->data + start + 4, out_leaf->bytes, TREE_HASH_LEN);
    return 0;
}

int segment_open_record(const struct segment_header *header, const struct secret *key,
                        const struct segment_record *record, struct buf *plain, struct err *err)
{
    uint8_t aad[AAD_LEN];
    struct tree_hash commitment;
    size_t start = plain->len;

    put_aad(header, record->index, &record->commitment, aad);
    TRY(crypto_open(key, span_of(aad, AAD_LEN), record->sealed, plain, err));
    crypto_sha256(span_of(plain->data + start, plain->len - start), commitment.bytes);
    if (plain->len - start < SEGMENT_SALT_LEN || !tree_hash_eq(&commitment, &record->commitment))
        return err_set(err, ERR_CORRUPT, "record %" PRIu64 " is not what its commitment says",
                       record->index);
    return 0;
}

bool segment_next_record(struct span *records, uint64_t index, struct segment_record *out)
{
    struct cursor cursor = cursor_of(*records);
    uint32_t len = cursor_u32(&cursor);

    if (len < SEGMENT_SALT_LEN + CRYPTO_SEAL_OVERHEAD || len > SEGMENT_SEALED_MAX)
        return false;
    out->index = index;
    take_hash(&cursor, &out->leaf);
    take_hash(&cursor, &out->commitment);
    out->sealed = cursor_bytes(&cursor, len);
    *records = span_of(cursor.p, cursor.left);
    return !cursor.failed;
}

bool segment_check_record(const struct segment_header *header, const struct segment_record *record)
{
    struct tree_hash leaf;

    segment_leaf(&header->digest, &record->commitment, record->sealed, &leaf);
    return tree_hash_eq(&leaf, &record->leaf);
}

/* ------------------------------------------------------------------ batches */

void segment_start_batch(struct buf *out)
{
    static const uint8_t room[SEGMENT_BATCH_HEAD];

    buf_put(out, room, sizeof(room));
}

/* Over the head and every record's length and leaf hash: with it those can be trusted even when the
 * record's own bytes are damaged. */
static bool compute_check(const struct tree_hash *digest, const struct segment_batch *batch,
                          struct span records, struct tree_hash *out)
{
    CLEANUP(buf_free) struct buf data = BUF_INIT(SEGMENT_RECORDS_MAX * (4 + TREE_HASH_LEN) + 128);
    struct segment_record record;

    buf_put(&data, digest->bytes, TREE_HASH_LEN);
    buf_put_u64(&data, batch->first);
    buf_put_u32(&data, batch->count);
    buf_put_u32(&data, batch->len);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (!segment_next_record(&records, batch->first + i, &record))
            return false;
        buf_put_u32(&data, (uint32_t)record.sealed.len);
        buf_put(&data, record.leaf.bytes, TREE_HASH_LEN);
    }
    crypto_sha256(buf_span(&data), out->bytes);
    return records.len == 0;
}

void segment_finish_batch(const struct segment_header *header, uint64_t first, uint32_t count,
                          struct buf *batch)
{
    uint8_t head_bytes[SEGMENT_BATCH_HEAD + 1];
    struct buf head = {.data = head_bytes, .cap = sizeof(head_bytes), .max = SEGMENT_BATCH_HEAD};
    struct span records =
        span_of(batch->data + SEGMENT_BATCH_HEAD, batch->len - SEGMENT_BATCH_HEAD);
    struct segment_batch info = {.first = first, .count = count, .len = (uint32_t)records.len};

    INVARIANT(compute_check(&header->digest, &info, records, &info.check));
    buf_put(&head, batch_magic, MAGIC_LEN);
    buf_put_u64(&head, info.first);
    buf_put_u32(&head, info.count);
    buf_put_u32(&head, info.len);
    buf_put(&head, info.check.bytes, TREE_HASH_LEN);
    memcpy(batch->data, head.data, SEGMENT_BATCH_HEAD);
}

bool segment_parse_batch(struct span bytes, struct segment_batch *out)
{
    struct cursor cursor = cursor_of(bytes);

    if (!has_magic(cursor_bytes(&cursor, MAGIC_LEN), batch_magic))
        return false;
    out->first = cursor_u64(&cursor);
    out->count = cursor_u32(&cursor);
    out->len = cursor_u32(&cursor);
    take_hash(&cursor, &out->check);
    return !cursor.failed && out->count > 0 && out->count <= SEGMENT_RECORDS_MAX &&
           out->len <= SEGMENT_BATCH_MAX;
}

bool segment_check_batch(const struct segment_header *header, const struct segment_batch *batch,
                         struct span records)
{
    struct tree_hash check;

    return compute_check(&header->digest, batch, records, &check) &&
           tree_hash_eq(&check, &batch->check);
}

/* ------------------------------------------------------------------ trailer */

static void trailer_digest(const struct segment_header *header, struct span bytes,
                           struct tree_hash *out)
{
    struct span parts[] = {span_of(header->digest.bytes, TREE_HASH_LEN), bytes};

    crypto_sha256_parts(parts, ARRAY_LEN(parts), out->bytes);
}

void segment_put_trailer(const struct segment_header *header, const struct segment_trailer *trailer,
                         struct buf *out)
{
    size_t start = out->len;
    struct tree_hash digest;

    buf_put(out, trailer_magic, MAGIC_LEN);
    buf_put_u64(out, trailer->first);
    buf_put_u64(out, trailer->count);
    buf_put_u64(out, trailer->min_ns);
    buf_put_u64(out, trailer->max_ns);
    put_range(&trailer->range, out);
    buf_put(out, trailer->offsets, trailer->count * 4);
    buf_put(out, trailer->leaves, trailer->count * TREE_HASH_LEN);
    buf_put_u32(out, (uint32_t)(out->len - start + SEGMENT_FOOTER_LEN));
    if (out->overflowed)
        return;
    trailer_digest(header, span_of(out->data + start, out->len - start), &digest);
    buf_put(out, digest.bytes, TREE_HASH_LEN);
    buf_put(out, footer_magic, MAGIC_LEN);
}

uint32_t segment_trailer_len(struct span footer)
{
    struct cursor cursor = cursor_of(footer);
    uint32_t len = cursor_u32(&cursor);

    (void)cursor_bytes(&cursor, TREE_HASH_LEN);
    return has_magic(cursor_bytes(&cursor, MAGIC_LEN), footer_magic) ? len : 0;
}

int segment_parse_trailer(const struct segment_header *header, struct span bytes,
                          struct segment_trailer *out, struct err *err)
{
    struct cursor cursor = cursor_of(bytes);
    struct tree_hash want;
    struct tree_hash have = {0};
    uint64_t end;

    *out = (struct segment_trailer){0};
    bool good = has_magic(cursor_bytes(&cursor, MAGIC_LEN), trailer_magic);
    out->first = cursor_u64(&cursor);
    out->count = cursor_u64(&cursor);
    out->min_ns = cursor_u64(&cursor);
    out->max_ns = cursor_u64(&cursor);
    good = good && num_add(out->first, out->count, &end) && out->count > 0 &&
           out->count <= SEGMENT_RECORDS_MAX && out->first == header->first;
    if (!good)
        return err_set(err, ERR_CORRUPT, "the trailer is damaged");
    take_range(&cursor, out->first, end, &out->range);
    out->offsets = cursor_bytes(&cursor, out->count * 4).p;
    out->leaves = cursor_bytes(&cursor, out->count * TREE_HASH_LEN).p;
    good = cursor_u32(&cursor) == bytes.len && !cursor.failed;
    if (good)
        trailer_digest(header, span_of(bytes.p, (size_t)(cursor.p - bytes.p)), &want);
    take_hash(&cursor, &have);
    good = good && tree_hash_eq(&want, &have) &&
           has_magic(cursor_bytes(&cursor, MAGIC_LEN), footer_magic) && cursor.left == 0;
    return good ? 0 : err_set(err, ERR_CORRUPT, "the trailer is damaged");
}
