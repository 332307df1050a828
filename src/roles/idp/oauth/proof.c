/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tokens are bound to: the key of a DPoP proof (RFC 9449) or the TLS certificate (RFC 8705)
 * that comes with the request for them. A proof here needs a nonce of ours, which names the minute
 * that it was given in: no proof can be made in advance, and one from before a restart is void.
 */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "crypto/x509.h"
#include "jose/dpop.h"

enum { NONCE_SEC = 60, NONCE_BYTES = 18, NONCE_SIZE = 25 };

static void nonce_of(const struct idp *idp, int64_t minute, char out[NONCE_SIZE])
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(NONCE_SIZE);
    uint8_t mac[CRYPTO_HASH_LEN];

    crypto_hmac_sha256(span_of(idp->nonce_key, sizeof(idp->nonce_key)),
                       span_of(&minute, sizeof(minute)), mac);
    enc_base64_put(ENC_BASE64URL, span_of(mac, NONCE_BYTES), &text);
    snprintf(out, NONCE_SIZE, "%s", buf_text(&text));
}

static bool nonce_is_ours(const struct idp *idp, const char *nonce)
{
    int64_t minute = clock_wall_sec() / NONCE_SEC;
    char wanted[NONCE_SIZE];

    for (int64_t age = 0; age <= 2; age++) {
        nonce_of(idp, minute - age, wanted);
        if (strlen(nonce) == strlen(wanted) && mem_equal_ct(nonce, wanted, strlen(wanted)))
            return true;
    }
    return false;
}

static int refuse(struct serve_request *request, const char *code, const char *why)
{
    request->event.outcome = AUDIT_DENIED;
    reply_oauth(request, 400, code, why);
    return -1;
}

static int check_proof(struct idp *idp, struct serve_request *request, const char *header,
                       struct binding *out)
{
    const char *const origins[] = {idp->url, idp->mtls_url[0] == '\0' ? NULL : idp->mtls_url, NULL};
    struct dpop_expect expect = {.method = request->http->method,
                                 .origins = origins,
                                 .path = request->http->path,
                                 .now = clock_wall_sec()};
    struct dpop_proof proof;
    char nonce[NONCE_SIZE];
    struct err err = ERR_INIT;

    nonce_of(idp, expect.now / NONCE_SEC, nonce);
    http_answer_header(request->answer, "DPoP-Nonce", nonce);
    http_answer_header(request->answer, "Access-Control-Expose-Headers", "DPoP-Nonce");
    if (http_request_header_count(request->http, "DPoP") > 1)
        return refuse(request, "invalid_dpop_proof", "there is more than one DPoP proof");
    if (dpop_verify(&expect, span_str(header), &proof, &err) < 0)
        return refuse(request, "invalid_dpop_proof", err.msg);
    if (!nonce_is_ours(idp, proof.nonce))
        return refuse(request, "use_dpop_nonce", "the DPoP proof needs the nonce of DPoP-Nonce");
    if (auth_replay_check(idp->replay, proof.id, expect.now, &err) < 0)
        return refuse(request, "invalid_dpop_proof", err.msg);
    snprintf(out->jkt, sizeof(out->jkt), "%s", proof.jkt);
    return 0;
}

int binding_of(struct idp *idp, struct serve_request *request, const struct client *client,
               struct binding *out)
{
    const char *header = http_request_header(request->http, "DPoP");
    CLEANUP(buf_free) struct buf der = BUF_INIT(X509_DER_MAX);
    struct err err = ERR_INIT;

    *out = (struct binding){0};
    if (header != NULL && check_proof(idp, request, header, out) < 0)
        return -1;
    if (client->dpop_bound && header == NULL)
        return refuse(request, "invalid_dpop_proof", "this client's tokens need a DPoP proof");
    if (!client->cert_bound)
        return 0;
    if (client_certificate(request, &der, &err) < 0)
        return refuse(request, "invalid_request", err.msg);
    dpop_hash_text(buf_span(&der), out->x5t);
    return 0;
}

int binding_check_token(struct idp *idp, const struct serve_request *request, const char *token,
                        const json_t *claims, bool with_proof, struct err *err)
{
    const json_t *cnf = json_object_get(claims, "cnf");
    const char *header = http_request_header(request->http, "DPoP");
    const char *jkt = codec_json_text(cnf, "jkt", "");
    const char *x5t = codec_json_text(cnf, "x5t#S256", "");
    CLEANUP(buf_free) struct buf der = BUF_INIT(X509_DER_MAX);
    const char *const origins[] = {idp->url, NULL};
    struct dpop_expect expect = {.method = request->http->method,
                                 .origins = origins,
                                 .path = request->http->path,
                                 .access_token = span_str(token),
                                 .now = clock_wall_sec()};
    struct dpop_proof proof = {0};
    struct binding shown = {0};

    if (with_proof != (jkt[0] != '\0'))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is not of the kind that was said");
    if (x5t[0] != '\0') {
        TRY(client_certificate(request, &der, err));
        dpop_hash_text(buf_span(&der), shown.x5t);
    }
    if (with_proof) {
        TRY(dpop_verify(&expect, span_str(header == NULL ? "" : header), &proof, err));
        TRY(auth_replay_check(idp->replay, proof.id, expect.now, err));
    }
    memcpy(shown.jkt, proof.jkt, sizeof(shown.jkt));
    if (!binding_fits(&shown, jkt, x5t))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is bound to something else");
    return 0;
}

bool binding_fits(const struct binding *binding, const char *jkt, const char *x5t)
{
    return (jkt[0] == '\0' || strcmp(binding->jkt, jkt) == 0) &&
           (x5t[0] == '\0' || strcmp(binding->x5t, x5t) == 0);
}

const char *binding_type(const struct binding *binding)
{
    return binding != NULL && binding->jkt[0] != '\0' ? "DPoP" : "Bearer";
}

void binding_put(const struct binding *binding, struct buf *out)
{
    if (binding == NULL || (binding->jkt[0] == '\0' && binding->x5t[0] == '\0'))
        return;
    buf_put_str(out, ",\"cnf\":{");
    if (binding->jkt[0] != '\0')
        buf_printf(out, "\"jkt\":\"%s\"%s", binding->jkt, binding->x5t[0] == '\0' ? "" : ",");
    if (binding->x5t[0] != '\0')
        buf_printf(out, "\"x5t#S256\":\"%s\"", binding->x5t);
    buf_put_u8(out, '}');
}
