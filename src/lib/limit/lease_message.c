/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/lease_message.h"

void limit_holding_put(const struct limit_holding *holding, struct buf *out)
{
    buf_put_u64(out, holding->key);
    buf_put_u64(out, (uint64_t)holding->ends_sec);
    buf_put_u64(out, holding->limit);
    buf_put_u64(out, holding->share);
    buf_put_u64(out, holding->used);
    buf_put_u64(out, holding->settled);
    buf_put_u64(out, holding->wants);
    buf_put_u8(out, (uint8_t)holding->noted);
}

void limit_holding_get(struct cursor *from, struct limit_holding *out)
{
    out->key = cursor_u64(from);
    out->ends_sec = (int64_t)cursor_u64(from);
    out->limit = cursor_u64(from);
    out->share = cursor_u64(from);
    out->used = cursor_u64(from);
    out->settled = cursor_u64(from);
    out->wants = cursor_u64(from);
    out->noted = cursor_u8(from);
}

void limit_lease_put(const struct limit_lease *lease, struct buf *out)
{
    buf_put_u64(out, lease->key);
    buf_put_u64(out, (uint64_t)lease->ends_sec);
    buf_put_u64(out, lease->share);
    buf_put_u64(out, lease->elsewhere);
    buf_put_u8(out, (uint8_t)lease->noted);
    buf_put_u8(out, lease->raises);
}

void limit_lease_get(struct cursor *from, struct limit_lease *out)
{
    out->key = cursor_u64(from);
    out->ends_sec = (int64_t)cursor_u64(from);
    out->share = cursor_u64(from);
    out->elsewhere = cursor_u64(from);
    out->noted = cursor_u8(from);
    out->raises = cursor_u8(from) != 0;
}
