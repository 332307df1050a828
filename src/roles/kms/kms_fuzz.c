/* SPDX-License-Identifier: Apache-2.0 */
/* Every handler of the message table: a byte of type, a byte of peer, then the body. */
#include "base/mem.h"
#include "handle.h"
#include "keyring_internal.h"
#include "keys/wire.h"
#include "log/log.h"
#include "role/role.h"
#include "table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nowhere on disk: what would be written fails, and counts far ahead so that wraps need not be. */
static struct keyring *make_keyring(void)
{
    struct keyring *keyring = mem_new(sizeof(*keyring));
    struct err err = ERR_INIT;

    keyring->dir_fd = -1;
    keyring->header.provider = &unseal_keyfile;
    memcpy(keyring->header.instance, "fuzz", sizeof("fuzz"));
    keyring->body_key = secret_new(CRYPTO_KEY_LEN);
    keyring->entry_key = secret_new(CRYPTO_KEY_LEN);
    INVARIANT(keyring_add_kek(keyring, 0, &err) == 0);
    /* A known one, so that the corpus can hold a wrapped key. */
    memset(secret_data(keyring->keks[0].key), 0, CRYPTO_KEY_LEN);
    for (const struct keyring_policy *policy = keyring_policies; policy->name != NULL; policy++)
        INVARIANT(keyring_add_generation(keyring, policy, 0, 0, &err) == 0);
    return keyring;
}

static struct kms *the_kms(void)
{
    static struct kms *kms;
    struct err err = ERR_INIT;

    if (kms == NULL) {
        log_init("fuzz", LOG_ERROR + 1);
        INVARIANT(secret_heap_init(&err) == 0);
        kms = mem_new(sizeof(*kms));
        kms->provider = &unseal_keyfile;
        kms->place.dir_fd = -1;
        kms->place.instance = "fuzz";
        kms->keyring = make_keyring();
        INVARIANT(events_new(&kms->events, &err) == 0);
    }
    kms->keyring->keks[0].wraps = 0;
    kms->keyring->keks[0].wraps_counted = KEYRING_WRAPS_AHEAD;
    return kms;
}

static const struct ipc_message *find(unsigned type)
{
    for (const struct ipc_message *one = kms_table.messages; one->handle != NULL; one++)
        if (one->type == type)
            return one;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free_wiped) struct buf reply = BUF_INIT(IPC_BODY_MAX);
    struct kms *kms = the_kms();
    struct err err = ERR_INIT;

    if (size < 2)
        return 0;
    const struct ipc_message *message = find(data[0]);
    struct ipc_request request = {.peer = data[1], .body = span_of(data + 2, size - 2)};
    /* Sealing would end all that is interesting. */
    if (message == NULL || message->type == KMS_SEAL || request.peer >= ROLE_COUNT ||
        (message->from & IPC_FROM(request.peer)) == 0 || request.body.len > message->max_len)
        return 0;
    int result = message->handle(kms, &request, &reply, &err);
    INVARIANT(result == IPC_ANSWER || (result < 0 && err.code != ERR_NONE));
    INVARIANT(result < 0 || !reply.overflowed);
    INVARIANT(kms->keyring != NULL && kms->keyring->kek_count == 1);
    return 0;
}
