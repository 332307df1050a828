/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/prctl.h>

enum { HEAP_BYTES = 256 * 1024, HEAP_MIN_PIECE = 32 };

struct secret {
    size_t len;
    uint8_t data[];
};

static bool heap_locked;

int secret_heap_init(struct err *err)
{
    if (CRYPTO_secure_malloc_initialized())
        return 0;
    int made = CRYPTO_secure_malloc_init(HEAP_BYTES, HEAP_MIN_PIECE);
    if (made == 0)
        return err_set(err, ERR_INTERNAL, "cannot set up the secure heap of %d bytes", HEAP_BYTES);
    heap_locked = made == 1;
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return err_sys(err, "cannot switch core dumps off");
    return 0;
}

bool secret_heap_locked(void)
{
    return heap_locked;
}

struct secret *secret_new(size_t len)
{
    INVARIANT(CRYPTO_secure_malloc_initialized());
    INVARIANT(len <= SECRET_MAX);
    struct secret *secret = OPENSSL_secure_zalloc(sizeof(*secret) + len);
    INVARIANT(secret != NULL);
    secret->len = len;
    return secret;
}

struct secret *secret_copy(struct span bytes)
{
    struct secret *secret = secret_new(bytes.len);

    if (bytes.len > 0)
        memcpy(secret->data, bytes.p, bytes.len);
    return secret;
}

int secret_random(size_t len, struct secret **out, struct err *err)
{
    struct secret *secret = secret_new(len);

    if (RAND_priv_bytes(secret->data, (int)len) != 1) {
        secret_free(secret);
        return err_set(err, ERR_INTERNAL, "the system gives no random bytes");
    }
    *out = secret;
    return 0;
}

void secret_free(struct secret *secret)
{
    if (secret != NULL)
        OPENSSL_secure_clear_free(secret, sizeof(*secret) + secret->len);
}

void secret_free_ptr(struct secret **secret)
{
    secret_free(*secret);
}

uint8_t *secret_data(struct secret *secret)
{
    return secret->data;
}

size_t secret_len(const struct secret *secret)
{
    return secret->len;
}

struct span secret_span(const struct secret *secret)
{
    return span_of(secret->data, secret->len);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->len == b->len && mem_equal_ct(a->data, b->data, a->len);
}
