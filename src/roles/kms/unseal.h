/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the root key comes from. A provider turns what the operator gives (the material) and what
 * the keyring's header keeps (the parameters) into the root key. Passphrase and key file are here;
 * Shamir shares, a TPM or an external Vault are further rows of the same table.
 */
#ifndef DRUN_KMS_UNSEAL_H
#define DRUN_KMS_UNSEAL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

enum { UNSEAL_PARAMS_MAX = 256, UNSEAL_ROOT_LEN = 32, UNSEAL_PASSPHRASE_MIN = 12 };

struct unseal_provider {
    uint8_t id; /* in the keyring's header; never given to another provider */
    const char *name;
    /* Is this material good enough for a new keyring? */
    int (*check)(const struct secret *material, struct err *err);
    /* Appends the parameters of a new keyring. */
    int (*put_params)(struct buf *params, struct err *err);
    /* ERR_CORRUPT for parameters that are none, ERR_DENIED for material that cannot be right. */
    int (*derive)(const struct secret *material, struct span params, struct secret **out_root,
                  struct err *err);
};

extern const struct unseal_provider unseal_passphrase; /* Argon2id; salt and costs in the header */
extern const struct unseal_provider unseal_keyfile;    /* 32 random bytes, as they are or in hex */

/* NULL when there is none. */
const struct unseal_provider *unseal_by_id(uint8_t id);
const struct unseal_provider *unseal_by_name(const char *name);

/*
 * Reads a key file as material. It must be a regular file with one name, of this user or root, with
 * mode 0600 or 0400, outside data_dir (else a stolen copy of the data has its key with it), and not
 * behind a symbolic link: ERR_DENIED says which of these it is not. ERR_INVALID: not 32 bytes and
 * not 64 hex digits.
 */
int unseal_keyfile_read(const char *path, const char *data_dir, struct secret **out,
                        struct err *err) MUST_USE;
/* Makes a new key file, mode 0600; ERR_EXISTS when there is one. */
int unseal_keyfile_make(const char *path, struct err *err) MUST_USE;

#endif
