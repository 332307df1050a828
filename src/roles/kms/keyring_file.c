/* SPDX-License-Identifier: Apache-2.0 */
/* The file as a whole: header, seal, replacement on disk. docs/PROTOCOL.kms has the format. */
#include "base/fd.h"
#include "base/mem.h"
#include "keyring_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static const char file_name[] = "keyring";
static const char magic[] = "DRUNKEYS";

enum { MAGIC_LEN = sizeof(magic) - 1, FORMAT = 1, FILE_MODE = 0600 };

void keyring_put_header(const struct keyring_header *header, struct buf *out)
{
    uint8_t digest[CRYPTO_HASH_LEN];

    buf_put(out, magic, MAGIC_LEN);
    buf_put_u16(out, FORMAT);
    buf_put_u8(out, header->provider->id);
    buf_put_block(out, span_str(header->instance));
    buf_put_block(out, span_of(header->params, header->params_len));
    buf_put(out, header->check, sizeof(header->check));
    crypto_sha256(buf_span(out), digest);
    buf_put(out, digest, sizeof(digest));
}

static int damaged(struct err *err, const char *how)
{
    return err_set(err, ERR_CORRUPT, "the keyring is damaged (%s); restore it from a backup", how);
}

int keyring_get_header(struct span file, struct keyring_header *out, struct span *out_aad,
                       struct span *out_body, struct err *err)
{
    struct cursor in = cursor_of(file);
    uint8_t digest[CRYPTO_HASH_LEN];

    if (!span_eq(cursor_bytes(&in, MAGIC_LEN), span_of(magic, MAGIC_LEN)))
        return damaged(err, "it does not start as a keyring");
    unsigned format = cursor_u16(&in);
    uint8_t provider = cursor_u8(&in);
    cursor_text(&in, out->instance, sizeof(out->instance));
    struct span params = cursor_block(&in);
    struct span check = cursor_bytes(&in, KEYRING_CHECK_LEN);
    if (in.failed || params.len > sizeof(out->params))
        return damaged(err, "its header is cut off");
    crypto_sha256(span_of(file.p, (size_t)(in.p - file.p)), digest);
    if (!span_eq(cursor_bytes(&in, sizeof(digest)), span_of(digest, sizeof(digest))))
        return damaged(err, "its header is not what was written");
    out->provider = unseal_by_id(provider);
    if (format != FORMAT || out->provider == NULL)
        return err_set(err, ERR_UNSUPPORTED,
                       "the keyring has format %u and unseal provider %u, which this version of "
                       "drun does not know",
                       format, provider);
    memcpy(out->params, params.p, params.len);
    out->params_len = params.len;
    memcpy(out->check, check.p, sizeof(out->check));
    *out_aad = span_of(file.p, (size_t)(in.p - file.p));
    *out_body = span_of(in.p, in.left);
    return 0;
}

int keyring_put(const struct keyring *keyring, struct buf *file, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(KEYRING_FILE_MAX);
    CLEANUP(buf_free) struct buf header = BUF_INIT(KEYRING_HEADER_MAX);

    keyring_put_header(&keyring->header, &header);
    keyring_put_body(keyring, &body);
    TRY(buf_check(&header, "the keyring's header", err));
    TRY(buf_check(&body, "the keyring", err));
    buf_put_span(file, buf_span(&header));
    return crypto_seal(keyring->body_key, buf_span(&header), buf_span(&body), file, err);
}

int keyring_save(const struct keyring *keyring, struct err *err)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(KEYRING_FILE_MAX);

    TRY(keyring_put(keyring, &file, err));
    if (fd_replace_file(keyring->dir_fd, file_name, FILE_MODE, buf_span(&file), true, err) < 0)
        return err_wrap(err, "the keyring");
    return 0;
}

static int read_file(const struct keyring_place *place, struct buf *file, struct err *err)
{
    if (fd_read_file(place->dir_fd, file_name, file, err) < 0)
        return err->code == ERR_TOO_LARGE ? damaged(err, "it is too long") : -1;
    return 0;
}

/* The keys that work on the file, from the root key, which is then forgotten. */
static int derive_keys(struct keyring *keyring, const struct secret *root,
                       uint8_t check[KEYRING_CHECK_LEN], struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *told = NULL;

    TRY(crypto_derive(root, "drun keyring body", CRYPTO_KEY_LEN, &keyring->body_key, err));
    TRY(crypto_derive(root, "drun keyring entry", CRYPTO_KEY_LEN, &keyring->entry_key, err));
    TRY(crypto_derive(root, "drun keyring check", KEYRING_CHECK_LEN, &told, err));
    memcpy(check, secret_span(told).p, KEYRING_CHECK_LEN);
    return 0;
}

static int unseal(struct keyring *keyring, const struct secret *material, struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *root = NULL;
    struct keyring_header *header = &keyring->header;
    struct span params = span_of(header->params, header->params_len);
    uint8_t check[KEYRING_CHECK_LEN];

    TRY(header->provider->derive(material, params, &root, err));
    TRY(derive_keys(keyring, root, check, err));
    if (!mem_equal_ct(check, header->check, sizeof(check)))
        return err_set(err, ERR_DENIED, "the %s is not the one that this keyring was sealed with",
                       header->provider->name);
    return 0;
}

static int check_instance(const struct keyring_header *header, const char *instance,
                          struct err *err)
{
    if (strcmp(header->instance, instance) != 0)
        return err_set(err, ERR_INVALID,
                       "the keyring belongs to the instance %s, but this is %s; put its own back",
                       header->instance, instance);
    return 0;
}

int keyring_load(const struct keyring_place *place, const struct secret *material,
                 struct keyring **out, struct err *err)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(KEYRING_FILE_MAX);
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(KEYRING_FILE_MAX);
    CLEANUP(keyring_free_ptr) struct keyring *keyring = mem_new(sizeof(*keyring));
    struct span aad;
    struct span sealed;

    keyring->dir_fd = place->dir_fd;
    TRY(read_file(place, &file, err));
    TRY(keyring_get_header(buf_span(&file), &keyring->header, &aad, &sealed, err));
    TRY(check_instance(&keyring->header, place->instance, err));
    TRY(unseal(keyring, material, err));
    if (crypto_open(keyring->body_key, aad, sealed, &body, err) < 0 ||
        keyring_get_body(keyring, buf_span(&body), err) < 0)
        return damaged(err, "its seal or its content is broken");
    *out = keyring;
    keyring = NULL;
    return 0;
}

int keyring_provider(const struct keyring_place *place, const struct unseal_provider **out,
                     struct err *err)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(KEYRING_FILE_MAX);
    struct keyring_header header;
    struct span aad;
    struct span sealed;

    TRY(read_file(place, &file, err));
    TRY(keyring_get_header(buf_span(&file), &header, &aad, &sealed, err));
    TRY(check_instance(&header, place->instance, err));
    *out = header.provider;
    return 0;
}

/* ------------------------------------------------------------------ a new one */

static int make_header(struct keyring *keyring, const char *instance,
                       const struct unseal_provider *provider, const struct secret *material,
                       struct err *err)
{
    CLEANUP(buf_free) struct buf params = BUF_INIT(UNSEAL_PARAMS_MAX);
    CLEANUP(secret_free_ptr) struct secret *root = NULL;
    struct keyring_header *header = &keyring->header;

    if (instance[0] == '\0' || strlen(instance) >= sizeof(header->instance))
        return err_set(err, ERR_INVALID, "the instance's id has %zu characters, not 1 to %zu",
                       strlen(instance), sizeof(header->instance) - 1);
    memcpy(header->instance, instance, strlen(instance) + 1);
    header->provider = provider;
    TRY(provider->check(material, err));
    TRY(provider->put_params(&params, err));
    if (params.len > 0)
        memcpy(header->params, params.data, params.len);
    header->params_len = params.len;
    TRY(provider->derive(material, buf_span(&params), &root, err));
    return derive_keys(keyring, root, header->check, err);
}

int keyring_create(const struct keyring_place *place, const struct unseal_provider *provider,
                   const struct secret *material, int64_t now_sec, struct keyring **out,
                   struct err *err)
{
    CLEANUP(keyring_free_ptr) struct keyring *keyring = mem_new(sizeof(*keyring));
    struct stat st;

    keyring->dir_fd = place->dir_fd;
    if (fstatat(place->dir_fd, file_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(err, ERR_EXISTS, "there is a keyring already; a new one would lose it");
    if (errno != ENOENT)
        return err_sys(err, "cannot look for the keyring");
    TRY(make_header(keyring, place->instance, provider, material, err));
    TRY(keyring_add_kek(keyring, now_sec, err));
    for (const struct keyring_policy *policy = keyring_policies; policy->name != NULL; policy++)
        TRY(keyring_add_generation(keyring, policy, now_sec, now_sec, err));
    TRY(keyring_save(keyring, err));
    *out = keyring;
    keyring = NULL;
    return 0;
}

/* Works on a copy that borrows all but the keys of the file, so that a failure changes nothing. */
int keyring_reseal(struct keyring *keyring, const struct unseal_provider *provider,
                   const struct secret *material, struct err *err)
{
    struct keyring next = *keyring;
    CLEANUP(secret_free_ptr) struct secret *done_body_key = NULL;
    CLEANUP(secret_free_ptr) struct secret *done_entry_key = NULL;

    next.header = (struct keyring_header){0};
    next.body_key = NULL;
    next.entry_key = NULL;
    if (make_header(&next, keyring->header.instance, provider, material, err) < 0 ||
        keyring_save(&next, err) < 0) {
        done_body_key = next.body_key;
        done_entry_key = next.entry_key;
        return -1;
    }
    done_body_key = keyring->body_key;
    done_entry_key = keyring->entry_key;
    *keyring = next;
    return 0;
}
