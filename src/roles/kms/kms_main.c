/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: the root key for a moment, then the keyring with every
 * KEK and private key. Who may speak to me: the roles that table.c names, message by message.
 */
#include "kms.h"

#include "base/fd.h"
#include "base/mem.h"
#include "role/role.h"
#include "role/settings.h"
#include "table.h"

#include <fcntl.h>

/* Its keyring's folder and nothing else: no network, no programs, no other file. */
static const struct role_promises promises = {.promises = LOCKDOWN_FILES,
                                              .data_access = LOCKDOWN_PATH_WRITE};

static char *default_key_file(const struct role *role)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (geteuid() == 0)
        return mem_printf("/etc/drun/unseal-%.8s.key", role_instance(role));
    if (config != NULL && config[0] == '/')
        return mem_printf("%s/drun/unseal-%.8s.key", config, role_instance(role));
    return mem_printf("%s/.config/drun/unseal-%.8s.key", home == NULL ? "" : home,
                      role_instance(role));
}

/* At the first start the key file is made, unless there is one. */
static int make_key_file(const char *path, const struct keyring_place *place, struct err *err)
{
    const struct unseal_provider *provider;
    CLEANUP_FREE char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    struct err ignored = ERR_INIT;

    if (keyring_provider(place, &provider, &ignored) == 0)
        return 0;
    TRY(fd_make_dirs(folder, 0700, err));
    if (unseal_keyfile_make(path, err) < 0 && err->code != ERR_EXISTS)
        return -1;
    err_clear(err);
    return 0;
}

static int from_key_file(struct role *role, const struct keyring_place *place, struct secret **out,
                         struct err *err)
{
    const char *set = role_settings(role)->unseal_key_file;
    CLEANUP_FREE char *path = set == NULL ? default_key_file(role) : mem_strdup(set);
    CLEANUP_FREE char *data_dir =
        mem_strndup(role_data_dir(role), strlen(role_data_dir(role)) - strlen("/kms"));

    TRY(make_key_file(path, place, err));
    return unseal_keyfile_read(path, data_dir, out, err);
}

static int from_passphrase(int fd, struct secret **out, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(KEYS_PASSPHRASE_MAX);

    /* The file in memory is shared with the supervisor, which gives it again after a restart. */
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot read the passphrase");
    TRY(fd_read_all(fd, "the passphrase", &text, err));
    *out = secret_copy(buf_span(&text));
    return 0;
}

/* What is given must be what the keyring asks for; a new keyring takes either. */
static int check_given(const struct keyring_place *place, bool has_passphrase, struct err *err)
{
    const struct unseal_provider *provider;
    struct err ignored = ERR_INIT;

    if (keyring_provider(place, &provider, &ignored) < 0)
        return 0; /* said when it is opened */
    if (provider == &unseal_passphrase && !has_passphrase)
        return err_set(err, ERR_INVALID,
                       "the keyring opens with a passphrase; give it with --passphrase-file FILE, "
                       "or - to type it");
    if (provider == &unseal_keyfile && has_passphrase)
        return err_set(err, ERR_INVALID,
                       "the keyring opens with its key file; leave the passphrase out");
    return 0;
}

int kms_main(struct role *role, struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *material = NULL;
    CLEANUP(kms_free_ptr) struct kms *kms = NULL;
    CLEANUP_FD int passphrase = role_take_fd(role, "passphrase");
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_data_dir(role), err);
    struct keyring_place place = {.dir_fd = dir_fd, .instance = role_instance(role)};

    TRY(dir_fd);
    TRY(check_given(&place, passphrase >= 0, err));
    if (passphrase >= 0)
        TRY(from_passphrase(passphrase, &material, err));
    else
        TRY(from_key_file(role, &place, &material, err));
    TRY(kms_new(&place, passphrase >= 0 ? &unseal_passphrase : &unseal_keyfile, material, &kms,
                err));
    TRY(role_lock_down(role, &promises, err));
    TRY(role_serve(role, &kms_table, kms, err));
    TRY(kms_schedule(kms, role_loop(role), err));
    return role_run(role, err);
}
