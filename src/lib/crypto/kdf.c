/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/kdf.h"

#include "base/enc.h"
#include "base/mem.h"
#include "base/num.h"
#include "crypto/crypto.h"
#include "crypto/crypto_internal.h"

#include <argon2.h>

/* Chosen after RFC 9106 section 4: the root key as its second recommended option; a sign-in with
 * less memory, because many may sign in at once. */
const struct kdf_params kdf_password_params = {.memory_kib = 19 * 1024, .passes = 2, .lanes = 1};
const struct kdf_params kdf_unseal_params = {.memory_kib = 64 * 1024, .passes = 3, .lanes = 4};

int kdf_params_check(const struct kdf_params *params, struct err *err)
{
    if (params->lanes < 1 || params->lanes > KDF_LANES_MAX)
        return err_set(err, ERR_INVALID, "Argon2id with %u lanes; 1 to %d are allowed",
                       params->lanes, KDF_LANES_MAX);
    if (params->passes < 1 || params->passes > KDF_PASSES_MAX)
        return err_set(err, ERR_INVALID, "Argon2id with %u passes; 1 to %d are allowed",
                       params->passes, KDF_PASSES_MAX);
    if (params->memory_kib < KDF_MEMORY_MIN_KIB * params->lanes ||
        params->memory_kib > KDF_MEMORY_MAX_KIB)
        return err_set(err, ERR_INVALID, "Argon2id with %u KiB; %u to %d are allowed",
                       params->memory_kib, KDF_MEMORY_MIN_KIB * params->lanes, KDF_MEMORY_MAX_KIB);
    return 0;
}

int kdf_argon2id(const struct kdf_params *params, struct span password, struct span salt,
                 size_t len, struct secret **out, struct err *err)
{
    TRY(kdf_params_check(params, err));
    if (password.len > UINT32_MAX || salt.len < KDF_SALT_MIN || salt.len > KDF_SALT_MAX ||
        len < KDF_HASH_MIN || len > KDF_HASH_MAX)
        return err_set(err, ERR_INVALID, "Argon2id with a salt of %zu and a key of %zu bytes",
                       salt.len, len);
    CLEANUP(secret_free_ptr) struct secret *key = secret_new(len);
    argon2_context context = {
        .out = secret_data(key),
        .outlen = (uint32_t)len,
        .pwd = (uint8_t *)(uintptr_t)password.p, /* only cleared with a flag that is not set */
        .pwdlen = (uint32_t)password.len,
        .salt = (uint8_t *)(uintptr_t)salt.p,
        .saltlen = (uint32_t)salt.len,
        .t_cost = params->passes,
        .m_cost = params->memory_kib,
        .lanes = params->lanes,
        .threads = 1,
        .version = ARGON2_VERSION_13,
    };
    int result = argon2id_ctx(&context);
    if (result != ARGON2_OK)
        return err_set(err, result == ARGON2_MEMORY_ALLOCATION_ERROR ? ERR_LIMITED : ERR_INTERNAL,
                       "Argon2id over %u KiB: %s", params->memory_kib,
                       argon2_error_message(result));
    *out = key;
    key = NULL;
    return 0;
}

int kdf_password_hash(const struct kdf_params *params, struct span password, struct buf *phc,
                      struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *hash = NULL;
    struct kdf_phc parts = {.params = *params, .salt_len = KDF_SALT_LEN, .hash_len = KDF_HASH_LEN};

    TRY(crypto_random(parts.salt, parts.salt_len, err));
    TRY(kdf_argon2id(params, password, span_of(parts.salt, parts.salt_len), parts.hash_len, &hash,
                     err));
    memcpy(parts.hash, secret_span(hash).p, parts.hash_len);
    kdf_phc_put(&parts, phc);
    return buf_check(phc, "a password hash", err);
}

int kdf_password_verify(struct span phc, struct span password, struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *hash = NULL;
    struct kdf_phc parts;

    TRY(kdf_phc_parse(phc, &parts, err));
    TRY(kdf_argon2id(&parts.params, password, span_of(parts.salt, parts.salt_len), parts.hash_len,
                     &hash, err));
    if (!mem_equal_ct(secret_span(hash).p, parts.hash, parts.hash_len))
        return err_set(err, ERR_UNAUTHENTICATED, "the password is not the right one");
    return 0;
}

bool kdf_password_stale(struct span phc, const struct kdf_params *params)
{
    struct err err = ERR_INIT;
    struct kdf_phc parts;

    return kdf_phc_parse(phc, &parts, &err) < 0 || parts.params.memory_kib != params->memory_kib ||
           parts.params.passes != params->passes || parts.params.lanes != params->lanes ||
           parts.salt_len < KDF_SALT_LEN || parts.hash_len < KDF_HASH_LEN;
}
