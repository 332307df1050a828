/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of kms and the layouts that both ends share (docs/PROTOCOL.kms). For lib/keys and
 * roles/kms. */
#ifndef DRUN_KEYS_WIRE_H
#define DRUN_KEYS_WIRE_H

#include "keys/keys.h"

enum kms_message {
    KMS_STATUS = 1,
    KMS_DATA_NEW,
    KMS_DATA_OPEN,
    KMS_DATA_REWRAP,
    KMS_SIGN,
    KMS_PUBLIC,
    KMS_LIST_PUBLIC,
    KMS_CERTIFY,
    KMS_CA_PEM,
    KMS_ROTATE,
    KMS_UNSEAL,
    KMS_SEAL,
    KMS_EVENTS,
    KMS_WITHDRAW,
    KMS_RESEAL,
};

/* A wrapped data key: u8 format, u32 KEK version, then the key sealed under that KEK. */
enum {
    KEYS_WRAPPED_FORMAT = 1,
    KEYS_WRAPPED_HEADER_LEN = 5,
    KEYS_WRAPPED_LEN = KEYS_WRAPPED_HEADER_LEN + KEYS_DATA_LEN + 28,
};

void keys_put_public(struct buf *out, const struct keys_public *item);
void keys_get_public(struct cursor *in, struct keys_public *out);
void keys_put_status(struct buf *out, const struct keys_status *status);
void keys_get_status(struct cursor *in, struct keys_status *out);
void keys_put_event(struct buf *out, const struct keys_event *event);
void keys_get_event(struct cursor *in, struct keys_event *out);

#endif
