/* SPDX-License-Identifier: Apache-2.0 */
#include "store/row.h"

#include <endian.h>

enum { BODY_FORMAT = 1 };

void row_id_encode(int64_t id, uint8_t out[ROW_ID_LEN])
{
    uint64_t wire = htobe64((uint64_t)id);

    memcpy(out, &wire, sizeof(wire));
}

int row_id_decode(struct span key, int64_t *out, struct err *err)
{
    uint64_t wire;

    if (key.len != sizeof(wire))
        return err_set(err, ERR_CORRUPT, "a row of the history has a key of %zu bytes", key.len);
    memcpy(&wire, key.p, sizeof(wire));
    *out = (int64_t)be64toh(wire);
    if (*out <= 0)
        return err_set(err, ERR_CORRUPT, "a row of the history has no revision");
    return 0;
}

void row_current_encode(const struct row_current *current, struct buf *out)
{
    buf_put_u64(out, (uint64_t)current->id);
    buf_put(out, current->salt, ROW_SALT_LEN);
}

static void take(struct cursor *cursor, uint8_t *out, size_t len)
{
    struct span bytes = cursor_bytes(cursor, len);

    if (!cursor->failed)
        memcpy(out, bytes.p, len);
}

/* Numbers of 63 bits; a larger one is damage. */
static int64_t take_i64(struct cursor *cursor)
{
    uint64_t value = cursor_u64(cursor);

    if (value > INT64_MAX)
        cursor->failed = true;
    return cursor->failed ? 0 : (int64_t)value;
}

int row_current_decode(struct span bytes, struct row_current *out, struct err *err)
{
    struct cursor cursor = cursor_of(bytes);

    out->id = take_i64(&cursor);
    take(&cursor, out->salt, ROW_SALT_LEN);
    if (cursor.failed || cursor.left > 0 || out->id == 0)
        return err_set(err, ERR_CORRUPT, "an entry of the current records is damaged");
    return 0;
}

void row_encode(const struct row *row, struct buf *out)
{
    buf_put_u32(out, row->key);
    buf_put_u64(out, (uint64_t)row->prev);
    buf_put_u8(out, row->dead);
    buf_put_u8(out, row->count);
    buf_put(out, row->salt, ROW_SALT_LEN);
    buf_put(out, row->pos, ROW_POS_LEN);
    buf_put_span(out, row->sealed);
}

int row_decode(int64_t id, struct span bytes, struct row *out, struct err *err)
{
    struct cursor cursor = cursor_of(bytes);

    out->id = id;
    out->key = cursor_u32(&cursor);
    out->prev = take_i64(&cursor);
    uint8_t dead = cursor_u8(&cursor);
    out->dead = dead == 1;
    out->count = cursor_u8(&cursor);
    take(&cursor, out->salt, ROW_SALT_LEN);
    take(&cursor, out->pos, ROW_POS_LEN);
    out->sealed = cursor_bytes(&cursor, cursor.left);
    if (cursor.failed || dead > 1 || out->prev >= id)
        return err_set(err, ERR_CORRUPT, "the row of revision %lld is damaged",
                       (long long)row_revision(id));
    return 0;
}

static void put_text(struct buf *out, const char *text)
{
    buf_put_block(out, span_of(text, strlen(text) + 1));
}

/* The NUL is stored with it, so that the plaintext serves as it is. */
static const char *take_text(struct cursor *cursor, size_t max)
{
    struct span text = cursor_block(cursor);

    if (cursor->failed || text.len == 0 || text.len > max + 1 ||
        memchr(text.p, '\0', text.len) != text.p + text.len - 1) {
        cursor->failed = true;
        return "";
    }
    return (const char *)text.p;
}

void row_body_encode(const struct row_body *body, struct buf *out)
{
    buf_put_u8(out, BODY_FORMAT);
    buf_put_u64(out, (uint64_t)body->create_revision);
    buf_put_u64(out, (uint64_t)body->version);
    put_text(out, body->scope);
    put_text(out, body->name);
    buf_put_u8(out, (uint8_t)body->term_count);
    for (size_t i = 0; i < body->term_count; i++)
        put_text(out, body->terms[i]);
    buf_put_block(out, body->value);
}

int row_body_decode(struct span plain, struct row_body *out, struct err *err)
{
    struct cursor cursor = cursor_of(plain);

    uint8_t format = cursor_u8(&cursor);
    out->create_revision = take_i64(&cursor);
    out->version = take_i64(&cursor);
    out->scope = take_text(&cursor, STORE_SCOPE_MAX);
    out->name = take_text(&cursor, STORE_NAME_MAX);
    out->term_count = cursor_u8(&cursor);
    if (out->term_count > STORE_TERMS_MAX)
        cursor.failed = true;
    for (size_t i = 0; !cursor.failed && i < out->term_count; i++)
        out->terms[i] = take_text(&cursor, STORE_TERM_MAX);
    out->value = cursor_block(&cursor);
    if (cursor.failed || cursor.left > 0 || format != BODY_FORMAT)
        return err_set(err, ERR_CORRUPT, "a record's body is malformed");
    return 0;
}

void row_aad(const struct row *row, const uint8_t store_id[ROW_STORE_ID_LEN],
             uint8_t out[ROW_AAD_LEN])
{
    uint8_t room[ROW_AAD_LEN + 1];
    struct buf aad = {.data = room, .cap = sizeof(room), .max = ROW_AAD_LEN};

    buf_put_u8(&aad, 'R');
    buf_put_u32(&aad, row->key);
    buf_put(&aad, store_id, ROW_STORE_ID_LEN);
    buf_put(&aad, row->pos, ROW_POS_LEN);
    buf_put_u64(&aad, (uint64_t)row->id);
    buf_put_u64(&aad, (uint64_t)row->prev);
    buf_put_u8(&aad, row->dead);
    buf_put_u8(&aad, row->count);
    buf_put(&aad, row->salt, ROW_SALT_LEN);
    INVARIANT(aad.len == ROW_AAD_LEN);
    memcpy(out, room, ROW_AAD_LEN);
}
