/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that only their holder can use: by a key (RFC 9449) or a TLS certificate (RFC 8705). */
#include "auth/auth_internal.h"
#include "crypto/x509.h"
#include "jose/dpop.h"

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAUTHENTICATED, "the token is refused: %s", why);
}

static int check_proof(struct auth_seen *seen, const char *issuer, const struct auth_input *input,
                       struct span token, const struct auth_principal *principal, struct err *err)
{
    const char *const origins[] = {issuer, NULL};
    struct dpop_expect expect = {.method = input->method,
                                 .origins = origins,
                                 .path = input->path,
                                 .access_token = token,
                                 .now = input->now};
    struct dpop_proof proof;

    if (input->proof.len == 0 || input->method == NULL || input->path == NULL)
        return refuse(err, "it is bound to a key, and there is no DPoP proof of it");
    TRY(dpop_verify(&expect, input->proof, &proof, err));
    if (!span_eq_str(auth_text(principal, principal->jkt), proof.jkt))
        return refuse(err, "it is bound to another key than that of the DPoP proof");
    if (seen->shared != NULL)
        return seen->shared(seen->ctx, proof.id, err);
    return auth_replay_check(seen->own, proof.id, input->now, err);
}

/* ---------------------------------------------------------------- certificates */

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int auth_read_certificate(struct span escaped, struct buf *der, struct err *err)
{
    CLEANUP(buf_free) struct buf pem = BUF_INIT(X509_PEM_MAX);

    for (size_t i = 0; i < escaped.len; i++) {
        if (escaped.p[i] != '%') {
            buf_put_u8(&pem, escaped.p[i]);
            continue;
        }
        int high = i + 2 < escaped.len ? hex_of(escaped.p[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_of(escaped.p[i + 2]);
        if (low < 0)
            return err_set(err, ERR_INVALID, "the certificate is not percent-encoded");
        buf_put_u8(&pem, (uint8_t)(high << 4 | low));
        i += 2;
    }
    TRY(buf_check(&pem, "the certificate", err));
    return x509_from_pem(buf_span(&pem), der, err);
}

static bool certificate_fits(const struct auth_input *input, struct span wanted)
{
    CLEANUP(buf_free) struct buf der = BUF_INIT(X509_DER_MAX);
    char hash[SIGN_KID_SIZE];
    struct err err = ERR_INIT;

    if (input->certificate.len == 0 || auth_read_certificate(input->certificate, &der, &err) < 0)
        return false;
    dpop_hash_text(buf_span(&der), hash);
    return span_eq_str(wanted, hash);
}

/* ---------------------------------------------------------------- both */

int auth_check_possession(struct auth_seen *seen, const char *issuer,
                          const struct auth_input *input, struct span token, bool with_proof,
                          const struct auth_principal *principal, struct err *err)
{
    if (principal->x5t.len > 0 && !certificate_fits(input, auth_text(principal, principal->x5t)))
        return refuse(err, "it is bound to a certificate that the caller did not show");
    if (principal->jkt.len == 0)
        return with_proof ? refuse(err, "it is bound to no key; send it as \"Bearer\"") : 0;
    if (!with_proof)
        return refuse(err, "it is bound to a key; send it as \"DPoP\" with a proof");
    return check_proof(seen, issuer, input, token, principal, err);
}
