/* SPDX-License-Identifier: Apache-2.0 */
/* Section 7.2, from the point on where the key is known. */
#include "base/buf.h"
#include "crypto/crypto.h"
#include "webauthn/webauthn_internal.h"

enum { SIGNED_MAX = WEBAUTHN_AUTH_DATA_MAX + CRYPTO_HASH_LEN };

static int check_signature(const struct sign_key *key, const struct webauthn_response *response,
                           struct err *err)
{
    CLEANUP(buf_free) struct buf data = BUF_INIT(SIGNED_MAX);
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_sha256(response->client_data, hash);
    buf_put_span(&data, response->auth_data);
    buf_put(&data, hash, sizeof(hash));
    TRY(buf_check(&data, "the authenticator data", err));
    if (sign_verify_asn1(key, buf_span(&data), response->signature, err) < 0)
        return err_set(err, ERR_DENIED, "the signature is not of this passkey");
    return 0;
}

int webauthn_assert(const struct webauthn_ceremony *ceremony, const struct sign_key *key,
                    const struct webauthn_response *response, struct webauthn_assertion *out,
                    struct err *err)
{
    struct auth_data data;

    TRY(client_data_check(response->client_data, "webauthn.get", ceremony, err));
    TRY(auth_data_parse(response->auth_data, &data, err));
    TRY(auth_data_check(&data, ceremony, err));
    TRY(check_signature(key, response, err));
    *out = (struct webauthn_assertion){
        .sign_count = data.sign_count,
        .user_verified = (data.flags & AUTH_DATA_UV) != 0,
        .backup_eligible = (data.flags & AUTH_DATA_BE) != 0,
        .backed_up = (data.flags & AUTH_DATA_BS) != 0,
    };
    return 0;
}

bool webauthn_count_is_good(uint32_t stored, uint32_t seen)
{
    return (stored == 0 && seen == 0) || seen > stored;
}
