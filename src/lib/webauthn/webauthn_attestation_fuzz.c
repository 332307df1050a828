/* SPDX-License-Identifier: Apache-2.0 */
/* An attestation object of any bytes: what is read lies within it, and what registers has a key. */
#include "base/mem.h"
#include "webauthn/webauthn_internal.h"
#include "webauthn/webauthn_vectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_statement(struct span object)
{
    struct attestation parts;
    struct statement statement;
    struct err err = ERR_INIT;

    if (attestation_parse(object, &parts, &err) < 0)
        return;
    INVARIANT(parts.auth_data.p >= object.p &&
              parts.auth_data.p + parts.auth_data.len <= object.p + object.len);
    if (statement_parse(parts.statement, &statement, &err) == 0)
        INVARIANT(statement.cert_count <= STATEMENT_CERTS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct webauthn_site site = {"drun.example", "https://drun.example"};
    const struct webauthn_ceremony how = {.site = &site, .challenge = span_str(VECTOR_CHALLENGE)};
    struct webauthn_credential made;
    struct err err = ERR_INIT;

    check_statement(span_of(data, size));
    if (webauthn_register(&how, NULL, span_str(vector_create), span_of(data, size), &made, &err) ==
        0)
        INVARIANT(made.key != NULL && made.id.len > 0 && made.id.len <= WEBAUTHN_ID_MAX);
    else
        INVARIANT(made.key == NULL && err.code != ERR_NONE);
    sign_key_free(made.key);
    (void)vectors;
    (void)assertion_vectors;
    (void)vector_get;
    (void)vector_root_pem;
    return 0;
}
