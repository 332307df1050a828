/* SPDX-License-Identifier: Apache-2.0 */
/* The attestation object: section 6.5.4, a map of three; and its statement, a map of the format's.
 */
#include "webauthn/webauthn_internal.h"

enum { STATEMENT_MEMBERS_MAX = 16 };

static void read_part(struct cbor_reader *reader, struct attestation *out)
{
    struct span name = cbor_read_bytes(reader, CBOR_TEXT);
    struct span *to = NULL;

    if (span_eq_str(name, "fmt"))
        to = &out->format;
    else if (span_eq_str(name, "attStmt"))
        to = &out->statement;
    else if (span_eq_str(name, "authData"))
        to = &out->auth_data;
    if (to == NULL || to->p != NULL) {
        reader->failed = true;
        return;
    }
    if (to == &out->statement)
        *to = cbor_read_whole(reader);
    else
        *to = cbor_read_bytes(reader, to == &out->format ? CBOR_TEXT : CBOR_BYTES);
}

int attestation_parse(struct span bytes, struct attestation *out, struct err *err)
{
    struct cbor_reader reader = cbor_reader_of(bytes);

    *out = (struct attestation){0};
    if (bytes.len > WEBAUTHN_ATTESTATION_MAX)
        return err_set(err, ERR_TOO_LARGE, "the attestation object has more than %d bytes",
                       WEBAUTHN_ATTESTATION_MAX);
    if (cbor_read_count(&reader, CBOR_MAP) != 3)
        reader.failed = true;
    for (int i = 0; i < 3 && !reader.failed; i++)
        read_part(&reader, out);
    if (reader.failed || reader.rest.len > 0)
        return err_set(err, ERR_INVALID,
                       "the attestation object is no map of fmt, attStmt and authData");
    return 0;
}

static void read_certs(struct cbor_reader *reader, struct statement *out)
{
    uint64_t count = cbor_read_count(reader, CBOR_ARRAY);

    if (count == 0 || count > STATEMENT_CERTS_MAX || out->cert_count > 0) {
        reader->failed = true;
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        out->certs[i] = cbor_read_bytes(reader, CBOR_BYTES);
    out->cert_count = (size_t)count;
}

static void read_once(struct cbor_reader *reader, enum cbor_kind kind, struct span *out)
{
    reader->failed |= out->p != NULL;
    *out = cbor_read_bytes(reader, kind);
}

static void read_member(struct cbor_reader *reader, struct statement *out)
{
    struct span name = cbor_read_bytes(reader, CBOR_TEXT);

    if (span_eq_str(name, "alg") && out->alg == 0)
        out->alg = cbor_read_int(reader);
    else if (span_eq_str(name, "sig"))
        read_once(reader, CBOR_BYTES, &out->sig);
    else if (span_eq_str(name, "x5c"))
        read_certs(reader, out);
    else if (span_eq_str(name, "ver"))
        read_once(reader, CBOR_TEXT, &out->ver);
    else if (span_eq_str(name, "certInfo"))
        read_once(reader, CBOR_BYTES, &out->cert_info);
    else if (span_eq_str(name, "pubArea"))
        read_once(reader, CBOR_BYTES, &out->pub_area);
    else
        (void)cbor_read_whole(reader);
}

int statement_parse(struct span cbor, struct statement *out, struct err *err)
{
    struct cbor_reader reader = cbor_reader_of(cbor);
    uint64_t count = cbor_read_count(&reader, CBOR_MAP);

    *out = (struct statement){.members = (size_t)count};
    if (count > STATEMENT_MEMBERS_MAX)
        reader.failed = true;
    for (uint64_t i = 0; i < count && !reader.failed; i++)
        read_member(&reader, out);
    if (reader.failed || reader.rest.len > 0)
        return err_set(err, ERR_INVALID, "the attestation statement is malformed");
    return 0;
}
