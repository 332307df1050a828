/* SPDX-License-Identifier: Apache-2.0 */
#include "unseal.h"

#include "crypto/crypto.h"
#include "crypto/kdf.h"

static const struct unseal_provider *const providers[] = {&unseal_passphrase, &unseal_keyfile};

const struct unseal_provider *unseal_by_id(uint8_t id)
{
    for (size_t i = 0; i < ARRAY_LEN(providers); i++)
        if (providers[i]->id == id)
            return providers[i];
    return NULL;
}

const struct unseal_provider *unseal_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(providers); i++)
        if (strcmp(providers[i]->name, name) == 0)
            return providers[i];
    return NULL;
}

static int passphrase_check(const struct secret *material, struct err *err)
{
    if (secret_len(material) < UNSEAL_PASSPHRASE_MIN)
        return err_set(err, ERR_INVALID,
                       "the passphrase is shorter than %d characters; take several random words",
                       UNSEAL_PASSPHRASE_MIN);
    return 0;
}

static int passphrase_put_params(struct buf *params, struct err *err)
{
    uint8_t salt[KDF_SALT_LEN];

    TRY(crypto_random(salt, sizeof(salt), err));
    buf_put_u32(params, kdf_unseal_params.memory_kib);
    buf_put_u32(params, kdf_unseal_params.passes);
    buf_put_u32(params, kdf_unseal_params.lanes);
    buf_put_block(params, span_of(salt, sizeof(salt)));
    return buf_check(params, "the parameters of a passphrase", err);
}

static int passphrase_derive(const struct secret *material, struct span params,
                             struct secret **out_root, struct err *err)
{
    struct cursor in = cursor_of(params);
    struct kdf_params cost = {.memory_kib = cursor_u32(&in)};

    cost.passes = cursor_u32(&in);
    cost.lanes = cursor_u32(&in);
    struct span salt = cursor_block(&in);
    if (cursor_done(&in, "the parameters of a passphrase", err) < 0 ||
        kdf_params_check(&cost, err) < 0 || salt.len != KDF_SALT_LEN) {
        err->code = ERR_CORRUPT;
        return err_wrap(err, "the keyring's header");
    }
    return kdf_argon2id(&cost, secret_span(material), salt, UNSEAL_ROOT_LEN, out_root, err);
}

const struct unseal_provider unseal_passphrase = {
    .id = 1,
    .name = "passphrase",
    .check = passphrase_check,
    .put_params = passphrase_put_params,
    .derive = passphrase_derive,
};
