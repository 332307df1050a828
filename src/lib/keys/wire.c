/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/wire.h"

static void put_text(struct buf *out, const char *text)
{
    buf_put_block(out, span_str(text));
}

/* A number that must be one of 0 to count - 1. */
static unsigned get_choice(struct cursor *in, unsigned count)
{
    unsigned value = cursor_u8(in);

    if (value < count)
        return value;
    in->failed = true;
    return 0;
}

void keys_put_public(struct buf *out, const struct keys_public *item)
{
    put_text(out, item->name);
    put_text(out, item->kid);
    buf_put_u8(out, (uint8_t)item->alg);
    buf_put_u8(out, (uint8_t)item->state);
    buf_put_u64(out, (uint64_t)item->from_sec);
    buf_put_u64(out, (uint64_t)item->until_sec);
    buf_put_block(out, span_of(item->spki, item->spki_len));
}

void keys_get_public(struct cursor *in, struct keys_public *out)
{
    cursor_text(in, out->name, sizeof(out->name));
    cursor_text(in, out->kid, sizeof(out->kid));
    out->alg = (enum sign_alg)get_choice(in, SIGN_ALG_COUNT);
    out->state = (enum keys_state)get_choice(in, KEYS_RETIRED + 1);
    out->from_sec = (int64_t)cursor_u64(in);
    out->until_sec = (int64_t)cursor_u64(in);
    struct span spki = cursor_block(in);
    in->failed |= spki.len > sizeof(out->spki);
    if (in->failed)
        return;
    memcpy(out->spki, spki.p, spki.len);
    out->spki_len = spki.len;
}

void keys_put_status(struct buf *out, const struct keys_status *status)
{
    buf_put_u8(out, status->sealed);
    buf_put_u8(out, status->memory_locked);
    put_text(out, status->provider);
    buf_put_u32(out, status->kek_version);
    buf_put_u32(out, status->kek_count);
    buf_put_u64(out, (uint64_t)status->kek_created_sec);
    buf_put_u64(out, status->kek_wraps);
    buf_put_u32(out, status->signing_count);
    buf_put_u64(out, (uint64_t)status->ca_until_sec);
    buf_put_u64(out, status->data_opened);
    buf_put_u64(out, status->signatures);
    buf_put_u64(out, status->certificates);
    buf_put_u64(out, status->denied);
    buf_put_u64(out, status->events_lost);
}

void keys_get_status(struct cursor *in, struct keys_status *out)
{
    out->sealed = get_choice(in, 2) != 0;
    out->memory_locked = get_choice(in, 2) != 0;
    cursor_text(in, out->provider, sizeof(out->provider));
    out->kek_version = cursor_u32(in);
    out->kek_count = cursor_u32(in);
    out->kek_created_sec = (int64_t)cursor_u64(in);
    out->kek_wraps = cursor_u64(in);
    out->signing_count = cursor_u32(in);
    out->ca_until_sec = (int64_t)cursor_u64(in);
    out->data_opened = cursor_u64(in);
    out->signatures = cursor_u64(in);
    out->certificates = cursor_u64(in);
    out->denied = cursor_u64(in);
    out->events_lost = cursor_u64(in);
}

void keys_put_event(struct buf *out, const struct keys_event *event)
{
    buf_put_u8(out, (uint8_t)event->kind);
    buf_put_u8(out, (uint8_t)event->peer);
    buf_put_u64(out, event->first_ns);
    buf_put_u64(out, event->last_ns);
    buf_put_u32(out, event->times);
    put_text(out, event->subject);
}

void keys_get_event(struct cursor *in, struct keys_event *out)
{
    out->kind = (enum keys_event_kind)get_choice(in, KEYS_EVENT_KIND_COUNT);
    in->failed |= out->kind == 0;
    out->peer = cursor_u8(in);
    out->first_ns = cursor_u64(in);
    out->last_ns = cursor_u64(in);
    out->times = cursor_u32(in);
    cursor_text(in, out->subject, sizeof(out->subject));
}
