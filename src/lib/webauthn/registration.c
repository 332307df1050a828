/* SPDX-License-Identifier: Apache-2.0 */
/* Section 7.1. */
#include "crypto/crypto.h"
#include "webauthn/webauthn_internal.h"

static int check_attestation(const struct attestation *object, struct attestation_facts *facts,
                             struct webauthn_credential *out, struct err *err)
{
    struct statement statement;

    TRY(statement_parse(object->statement, &statement, err));
    return statement_check(object->format, &statement, facts, out, err);
}

static void describe(const struct auth_data *data, struct webauthn_credential *out)
{
    out->id = data->credential_id;
    memcpy(out->aaguid, data->aaguid.p, WEBAUTHN_AAGUID_LEN);
    out->sign_count = data->sign_count;
    out->user_verified = (data->flags & AUTH_DATA_UV) != 0;
    out->backup_eligible = (data->flags & AUTH_DATA_BE) != 0;
    out->backed_up = (data->flags & AUTH_DATA_BS) != 0;
}

int webauthn_register(const struct webauthn_ceremony *ceremony, const struct webauthn_roots *roots,
                      struct span client_data, struct span attestation_object,
                      struct webauthn_credential *out, struct err *err)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    struct attestation object;
    struct auth_data data;
    struct attestation_facts facts = {.parsed = &data, .roots = roots};

    *out = (struct webauthn_credential){0};
    TRY(client_data_check(client_data, "webauthn.create", ceremony, err));
    TRY(attestation_parse(attestation_object, &object, err));
    TRY(auth_data_parse(object.auth_data, &data, err));
    TRY(auth_data_check(&data, ceremony, err));
    if (!(data.flags & AUTH_DATA_AT))
        return err_set(err, ERR_INVALID, "the authenticator data names no credential");
    TRY(cose_key_parse(data.key, &key, &facts.alg, err));
    facts.auth_data = object.auth_data;
    facts.key = key;
    crypto_sha256(client_data, facts.client_hash);
    TRY(check_attestation(&object, &facts, out, err));
    describe(&data, out);
    out->key = key;
    key = NULL;
    return 0;
}
