/* SPDX-License-Identifier: Apache-2.0 */
/* Authenticator data: section 6.1. Numbers are big-endian. */
#include "base/buf.h"
#include "crypto/crypto.h"
#include "webauthn/webauthn_internal.h"

static uint32_t be(struct span bytes)
{
    uint32_t number = 0;

    for (size_t i = 0; i < bytes.len; i++)
        number = number << 8 | bytes.p[i];
    return number;
}

/* The COSE key has no length of its own: it ends where its CBOR ends. */
static void read_cbor(struct cursor *in, struct span *out)
{
    struct cbor_reader reader = cbor_reader_of(span_of(in->p, in->failed ? 0 : in->left));

    *out = cbor_read_whole(&reader);
    if (reader.failed)
        in->failed = true;
    else
        (void)cursor_bytes(in, out->len);
}

static void read_attested(struct cursor *in, struct auth_data *out)
{
    out->aaguid = cursor_bytes(in, WEBAUTHN_AAGUID_LEN);
    struct span len = cursor_bytes(in, 2);
    out->credential_id = cursor_bytes(in, in->failed ? 0 : be(len));
    if (out->credential_id.len == 0 || out->credential_id.len > WEBAUTHN_ID_MAX)
        in->failed = true;
    read_cbor(in, &out->key);
}

int auth_data_parse(struct span bytes, struct auth_data *out, struct err *err)
{
    struct cursor in = cursor_of(bytes);
    struct span extensions;

    *out = (struct auth_data){0};
    if (bytes.len > WEBAUTHN_AUTH_DATA_MAX)
        return err_set(err, ERR_TOO_LARGE, "the authenticator data has more than %d bytes",
                       WEBAUTHN_AUTH_DATA_MAX);
    out->rp_id_hash = cursor_bytes(&in, WEBAUTHN_HASH_LEN);
    out->flags = cursor_u8(&in);
    struct span count = cursor_bytes(&in, 4);
    out->sign_count = in.failed ? 0 : be(count);
    if (out->flags & AUTH_DATA_AT)
        read_attested(&in, out);
    if (out->flags & AUTH_DATA_ED)
        read_cbor(&in, &extensions);
    return cursor_done(&in, "the authenticator data", err);
}

int auth_data_check(const struct auth_data *data, const struct webauthn_ceremony *ceremony,
                    struct err *err)
{
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_sha256(span_str(ceremony->site->rp_id), hash);
    if (!span_eq(data->rp_id_hash, span_of(hash, sizeof(hash))))
        return err_set(err, ERR_DENIED, "the authenticator signed for another site than %s",
                       ceremony->site->rp_id);
    if (!(data->flags & AUTH_DATA_UP))
        return err_set(err, ERR_DENIED, "the authenticator saw nobody");
    if (ceremony->user_verification && !(data->flags & AUTH_DATA_UV))
        return err_set(err, ERR_DENIED,
                       "the authenticator did not verify who uses it (by PIN or finger)");
    if ((data->flags & AUTH_DATA_BS) && !(data->flags & AUTH_DATA_BE))
        return err_set(err, ERR_DENIED,
                       "the authenticator says that a key was copied that cannot be");
    return 0;
}
