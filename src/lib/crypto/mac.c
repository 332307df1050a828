/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/mac.h"

#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

struct crypto_mac {
    EVP_MAC_CTX *ctx;
};

struct crypto_mac *crypto_mac_new(struct span key)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    struct crypto_mac *mac = mem_new(sizeof(*mac));
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    mac->ctx = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    INVARIANT(mac->ctx != NULL && EVP_MAC_init(mac->ctx, key.p, key.len, params) == 1);
    return mac;
}

void crypto_mac_free(struct crypto_mac *mac)
{
    if (mac == NULL)
        return;
    EVP_MAC_CTX_free(mac->ctx);
    free(mac);
}

void crypto_mac_free_ptr(struct crypto_mac **mac)
{
    crypto_mac_free(*mac);
}

void crypto_mac_sha256(struct crypto_mac *mac, struct span data, uint8_t out[CRYPTO_HASH_LEN])
{
    size_t len = 0;

    INVARIANT(EVP_MAC_init(mac->ctx, NULL, 0, NULL) == 1 &&
              EVP_MAC_update(mac->ctx, data.p, data.len) == 1 &&
              EVP_MAC_final(mac->ctx, out, &len, CRYPTO_HASH_LEN) == 1 && len == CRYPTO_HASH_LEN);
}
