/* SPDX-License-Identifier: Apache-2.0 */
#include "role/sealing.h"

static const char *const names[SEALING_STATE_COUNT] = {
    [SEALING_STATE_STARTING] = "starting",
    [SEALING_STATE_READY] = "ready",
    [SEALING_STATE_CLOSING] = "being sealed",
    [SEALING_STATE_SEALED] = "sealed",
};

const char *sealing_state_name(enum sealing_state state)
{
    INVARIANT(state < SEALING_STATE_COUNT);
    return names[state];
}

void sealing_put_status(const struct sealing_status *status, struct buf *out)
{
    buf_put_u8(out, (uint8_t)status->state);
    buf_put_u64(out, status->since_sec);
    buf_put_block(out, span_str(status->why));
}

int sealing_get_status(struct span body, struct sealing_status *out, struct err *err)
{
    struct cursor cursor = cursor_of(body);
    uint8_t state = cursor_u8(&cursor);

    out->since_sec = cursor_u64(&cursor);
    cursor_text(&cursor, out->why, sizeof(out->why));
    TRY(cursor_done(&cursor, "the supervisor's status", err));
    if (state >= SEALING_STATE_COUNT)
        return err_set(err, ERR_INVALID, "the supervisor is in the unknown state %u", state);
    out->state = (enum sealing_state)state;
    return 0;
}
