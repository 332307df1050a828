/* SPDX-License-Identifier: Apache-2.0 */
#include "role/control.h"

void control_put_hello(struct buf *out, const struct control_hello *hello)
{
    buf_put_u32(out, hello->role);
    buf_put_block(out, span_str(hello->instance));
    buf_put_block(out, span_str(hello->data_dir));
    buf_put_block(out, span_str(hello->run_dir));
    buf_put_u32(out, hello->uid);
    buf_put_block(out, hello->settings);
}

int control_get_hello(struct span body, struct control_hello *out, struct err *err)
{
    struct cursor cursor = cursor_of(body);

    out->role = cursor_u32(&cursor);
    cursor_text(&cursor, out->instance, sizeof(out->instance));
    cursor_text(&cursor, out->data_dir, sizeof(out->data_dir));
    cursor_text(&cursor, out->run_dir, sizeof(out->run_dir));
    out->uid = cursor_u32(&cursor);
    out->settings = cursor_block(&cursor);
    return cursor_done(&cursor, "the supervisor's hello", err);
}

void control_put_failure(struct buf *out, const struct err *why)
{
    buf_put_u8(out, (uint8_t)why->code);
    buf_put_block(out, span_str(why->msg));
}

int control_get_failure(struct span body, struct err *out_why, struct err *err)
{
    struct cursor cursor = cursor_of(body);
    uint8_t code = cursor_u8(&cursor);

    *out_why = (struct err)ERR_INIT;
    cursor_text(&cursor, out_why->msg, sizeof(out_why->msg));
    TRY(cursor_done(&cursor, "a role's failure", err));
    if (code == ERR_NONE || code >= ERR_CODE_COUNT)
        return err_set(err, ERR_INVALID, "a role failed with the unknown code %u", code);
    out_why->code = (enum err_code)code;
    for (char *c = out_why->msg; *c != '\0'; c++)
        if ((uint8_t)*c < ' ' || *c == 0x7f)
            *c = '?';
    return 0;
}

void control_tell_failure(const struct err *why)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(8 + sizeof(why->msg));
    struct err ignored = ERR_INIT;

    control_put_failure(&body, why);
    /* Who is gone needs to be told nothing; the log has it in any case. */
    if (control_send(CONTROL_FD, CONTROL_FAILED, buf_span(&body), -1, &ignored) < 0)
        err_clear(&ignored);
}

int control_send(int socket, enum control_type type, struct span body, int fd, struct err *err)
{
    struct ipc_packet packet = {.type = (uint16_t)type, .body = body};

    if (fd >= 0)
        packet.fds = (struct ipc_fds){.fd = {fd}, .count = 1};
    return ipc_packet_send(socket, &packet, err);
}
