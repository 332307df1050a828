/* SPDX-License-Identifier: Apache-2.0 */
/* Authenticator data of any bytes: its parts lie within it, and only with their flags. */
#include "webauthn/webauthn_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_data parsed;
    struct err err = ERR_INIT;

    if (auth_data_parse(span_of(data, size), &parsed, &err) < 0)
        return 0;
    INVARIANT(parsed.rp_id_hash.p == data && parsed.rp_id_hash.len == WEBAUTHN_HASH_LEN);
    if (parsed.flags & AUTH_DATA_AT)
        INVARIANT(parsed.credential_id.len > 0 && parsed.key.p + parsed.key.len <= data + size);
    else
        INVARIANT(parsed.key.p == NULL);
    INVARIANT((parsed.flags & (AUTH_DATA_AT | AUTH_DATA_ED)) != 0 || size == 37);
    return 0;
}
