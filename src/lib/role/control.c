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

int control_send(int socket, enum control_type type, struct span body, int fd, struct err *err)
{
    struct ipc_packet packet = {.type = (uint16_t)type, .body = body};

    if (fd >= 0)
        packet.fds = (struct ipc_fds){.fd = {fd}, .count = 1};
    return ipc_packet_send(socket, &packet, err);
}
