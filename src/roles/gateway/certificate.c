/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "keys/keys.h"
#include "role/settings.h"

#include <fcntl.h>
#include <netdb.h>

enum { SANS_MAX = 8, KEY_PEM_MAX = 4096 };

static int add(struct x509_san *sans, size_t *count, const char *name, struct err *err)
{
    INVARIANT(*count < SANS_MAX);
    TRY(x509_san_parse(name, &sans[*count], err));
    for (size_t i = 0; i < *count; i++)
        if (strcmp(sans[i].value, sans[*count].value) == 0)
            return 0;
    (*count)++;
    return 0;
}

/* The host of public-url: between "//" and the port or path. */
static char *public_host(const struct settings *settings)
{
    char url[512];

    settings_public_url(settings, url, sizeof(url));
    const char *host = strstr(url, "//");
    host = host == NULL ? url : host + 2;
    if (*host == '[')
        return mem_strndup(host + 1, strcspn(host + 1, "]"));
    return mem_strndup(host, strcspn(host, ":/"));
}

/* What the platform is called: its public name, this gateway's address, and localhost. */
static int names_of(const struct settings *settings, const struct opt_listen *listen,
                    struct x509_san sans[SANS_MAX], size_t *count, struct err *err)
{
    CLEANUP_FREE char *host = public_host(settings);
    char hostname[256] = "";

    *count = 0;
    TRY(add(sans, count, host, err));
    if (strcmp(listen->host, "0.0.0.0") != 0 && strcmp(listen->host, "::") != 0)
        TRY(add(sans, count, listen->host, err));
    TRY(add(sans, count, "localhost", err));
    TRY(add(sans, count, "127.0.0.1", err));
    TRY(add(sans, count, "::1", err));
    struct err ignored = ERR_INIT;
    if (gethostname(hostname, sizeof(hostname) - 1) == 0 &&
        add(sans, count, hostname, &ignored) < 0)
        err_clear(&ignored); /* a machine's name may be no DNS name */
    return 0;
}

static int put_key_pem(const struct sign_key *key, struct buf *pem, struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *der = NULL;
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(KEY_PEM_MAX);

    TRY(sign_key_to_pkcs8(key, &der, err));
    enc_base64_put(ENC_BASE64, secret_span(der), &text);
    buf_put_str(pem, "-----BEGIN PRIVATE KEY-----\n");
    for (size_t at = 0; at < text.len; at += 64)
        buf_printf(pem, "%.64s\n", buf_text(&text) + at);
    buf_put_str(pem, "-----END PRIVATE KEY-----\n");
    return buf_check(pem, "the key", err);
}

int certificate_renew(struct role *role, struct err *err)
{
    const struct settings *settings = role_settings(role);
    const struct opt_listen *listen =
        settings_listener(settings, settings_listener_of(role_self(role)));
    struct ipc_client *kms = role_peer(role, ROLE_KMS);
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    CLEANUP(buf_free) struct buf csr = BUF_INIT(X509_DER_MAX);
    CLEANUP(buf_free) struct buf chain = BUF_INIT(KEYS_PEM_MAX);
    CLEANUP(buf_free) struct buf ca = BUF_INIT(KEYS_PEM_MAX);
    CLEANUP(buf_free_wiped) struct buf key_pem = BUF_INIT(KEY_PEM_MAX);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(role), err);
    struct x509_san sans[SANS_MAX];
    size_t count;

    TRY(dir_fd);
    TRY(names_of(settings, listen, sans, &count, err));
    TRY(sign_key_generate(SIGN_ES256, &key, err));
    TRY(x509_csr_new(key, sans[0].value, &csr, err));
    TRY(keys_certify(kms, buf_span(&csr), sans, count,
                     (uint32_t)(settings->certificate_ttl_ms / 1000), &chain, err));
    TRY(keys_ca_pem(kms, &ca, err));
    TRY(put_key_pem(key, &key_pem, err));
    TRY(fd_replace_file(dir_fd, "tls.key", 0600, buf_span(&key_pem), false, err));
    TRY(fd_replace_file(dir_fd, "tls.crt", 0644, buf_span(&chain), false, err));
    return fd_replace_file(dir_fd, "ca.pem", 0644, buf_span(&ca), false, err);
}
