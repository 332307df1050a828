/* SPDX-License-Identifier: Apache-2.0 */
/* Who a client is at our own endpoints: RFC 6749 section 2.3, RFC 7523, RFC 8705. Each client has
 * one method, and another one that would do does not. */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/mac.h"
#include "crypto/x509.h"
#include "crypto/x509_client.h"
#include "idp/oauth/assertion.h"
#include "idp/oauth/oauth.h"
#include "idp/oauth/remote_keys.h"

/* What the request shows. */
struct credentials {
    const char *id;
    const char *secret;
    const char *assertion;
    bool by_header;
};

static const struct client *refuse(struct serve_request *request, bool by_header, const char *why)
{
    request->event.outcome = AUDIT_DENIED;
    if (by_header)
        http_answer_header(request->answer, "WWW-Authenticate", "Basic realm=\"drun\"");
    reply_oauth(request, 401, "invalid_client", why);
    return NULL;
}

static const struct client *malformed(struct serve_request *request, const char *why)
{
    reply_oauth(request, 400, "invalid_request", why);
    return NULL;
}

/* ------------------------------------------------------------------ the methods */

static bool secret_fits(const struct idp *idp, const struct client *client,
                        const struct credentials *shown)
{
    uint8_t digest[IDENTITY_DIGEST_LEN];

    if (shown->secret == NULL || !client->has_secret)
        return false;
    crypto_mac_sha256(idp->digests, span_str(shown->secret), digest);
    return mem_equal_ct(digest, client->secret, sizeof(digest));
}

/* An assertion is good once, also after a restart. */
static int use_up(struct idp *idp, const struct client *client, const struct assertion *assertion,
                  struct err *err)
{
    CLEANUP_FREE char *text = mem_printf("assertion %s %s", client->id, assertion->jti);
    CLEANUP_JSON json_t *record = json_pack("{s:I}", "until", (json_int_t)assertion->until);
    char id[IDP_ID_SIZE];

    idp_id_of(text, id);
    return record_put_new(idp, GRANT_USED, id, record, err);
}

int client_keys(struct idp *idp, const struct client *client, const char *token,
                const struct jose_keys **out, struct err *err)
{
    CLEANUP_FREE char *owner = mem_printf("OidcClient/%.100s", client->id);
    struct remote_source source = {
        .owner = owner,
        .uri = client_text(client, "jwksUri"),
        .ca_pem = client_text(client, "ca"),
        .private_network = json_is_true(json_object_get(client->spec, "privateNetwork"))};

    *out = client->keys;
    return source.uri[0] == '\0' ? 0 : remote_keys_find(idp->remote_keys, &source, token, out, err);
}

static int check_assertion(struct idp *idp, struct serve_request *request,
                           const struct client *client, const char *text, struct err *err)
{
    CLEANUP_FREE char *token_url = mem_printf("%s/oauth2/token", idp->url);
    CLEANUP_FREE char *own_url = mem_printf("%s%s", idp->url, request->http->path);
    CLEANUP_FREE char *mtls_url = mem_printf("%s%s", idp->mtls_url, request->http->path);
    const char *const audiences[] = {idp->url, token_url, own_url,
                                     idp->mtls_url[0] == '\0' ? NULL : mtls_url, NULL};
    struct assertion_expect expect = {
        .client_id = client->id, .audiences = audiences, .now = clock_wall_sec()};
    struct assertion assertion;

    TRY(client_keys(idp, client, text, &expect.keys, err));
    TRY(assertion_check(&expect, text, &assertion, err));
    if (use_up(idp, client, &assertion, err) == 0)
        return 0;
    if (err->code == ERR_EXISTS)
        err_set(err, ERR_UNAUTHENTICATED, "the client_assertion was used before");
    return -1;
}

/* The method "tls_client_auth": an authority's word for one name. */
static int check_certificate(const struct client *client, struct span der, struct err *err)
{
    static const struct {
        const char *member;
        enum x509_client_name kind;
    } names[] = {
        {"subjectDn", X509_CLIENT_SUBJECT}, {"sanDns", X509_CLIENT_DNS},
        {"sanUri", X509_CLIENT_URI},        {"sanIp", X509_CLIENT_IP},
        {"sanEmail", X509_CLIENT_EMAIL},
    };
    const json_t *tls = json_object_get(client->spec, "tlsClientAuth");

    TRY(x509_client_verify(der, span_str(codec_json_text(tls, "ca", "")), clock_wall_sec(), err));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *wanted = codec_json_text(tls, names[i].member, NULL);
        if (wanted != NULL && x509_client_is(der, names[i].kind, wanted))
            return 0;
    }
    return err_set(err, ERR_UNAUTHENTICATED, "the client's certificate is for another name");
}

/* The method "self_signed_tls_client_auth": the very certificate, as the first x5c of a key. */
static int check_self_signed(const struct client *client, struct span der, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(2 * X509_DER_MAX);
    const json_t *jwk;
    size_t i;

    enc_base64_put(ENC_BASE64, der, &text);
    json_array_foreach (json_object_get(json_object_get(client->spec, "jwks"), "keys"), i, jwk) {
        const json_t *first = json_array_get(json_object_get(jwk, "x5c"), 0);
        if (json_is_string(first) && strcmp(json_string_value(first), buf_text(&text)) == 0)
            return 0;
    }
    return err_set(err, ERR_UNAUTHENTICATED, "the certificate is not one of the client's own");
}

int client_certificate(const struct serve_request *request, struct buf *der, struct err *err)
{
    const char *header = http_request_header(request->http, SERVE_CERTIFICATE_HEADER);

    if (header == NULL || header[0] == '\0')
        return err_set(err, ERR_UNAUTHENTICATED, "the client showed no certificate in TLS");
    return auth_read_certificate(span_str(header), der, err);
}

static int check_tls(struct serve_request *request, const struct client *client, struct err *err)
{
    CLEANUP(buf_free) struct buf der = BUF_INIT(X509_DER_MAX);

    TRY(client_certificate(request, &der, err));
    if (strcmp(client->method, "tls_client_auth") == 0)
        return check_certificate(client, buf_span(&der), err);
    return check_self_signed(client, buf_span(&der), err);
}

static int check(struct idp *idp, struct serve_request *request, const struct client *client,
                 const struct credentials *shown, struct err *err)
{
    static const char why[] = "the client is not known, or its credential is wrong";
    const char *method = client->method;
    bool by_secret = shown->secret != NULL;
    bool plain = !by_secret && shown->assertion == NULL;

    if (strcmp(method, "private_key_jwt") == 0 && shown->assertion != NULL)
        return check_assertion(idp, request, client, shown->assertion, err);
    if ((strcmp(method, "tls_client_auth") == 0 ||
         strcmp(method, "self_signed_tls_client_auth") == 0) &&
        plain)
        return check_tls(request, client, err);
    if (client->open && strcmp(method, "none") == 0 && plain)
        return 0;
    if (strcmp(method, shown->by_header ? "client_secret_basic" : "client_secret_post") == 0 &&
        by_secret && secret_fits(idp, client, shown))
        return 0;
    return err_set(err, ERR_UNAUTHENTICATED, "%s", why);
}

/* ------------------------------------------------------------------ what the request shows */

static bool names_another(const struct credentials *shown, const char *id)
{
    return shown->id != NULL && strcmp(shown->id, id) != 0;
}

/* False when it was answered. */
static bool read_basic(struct serve_request *request, const char *header, struct credentials *out)
{
    const char *id;
    struct err err = ERR_INIT;

    out->by_header = true;
    if (oauth_basic_parse(span_str(header), request->http->arena, &id, &out->secret, &err) < 0) {
        refuse(request, true, err.msg);
        return false;
    }
    if (names_another(out, id)) {
        malformed(request, "the client_id is not the one of the Authorization header");
        return false;
    }
    out->id = id;
    return true;
}

static bool read_assertion(struct serve_request *request, const struct form *form,
                           struct credentials *out)
{
    const char *type = form->value[FORM_CLIENT_ASSERTION_TYPE];
    char id[OAUTH_ID_MAX + 1];

    if (type == NULL || strcmp(type, ASSERTION_TYPE) != 0) {
        malformed(request, "client_assertion_type must be " ASSERTION_TYPE);
        return false;
    }
    assertion_client(out->assertion, id, sizeof(id));
    if (id[0] == '\0' || names_another(out, id)) {
        refuse(request, false, "the client_assertion does not name the client");
        return false;
    }
    out->id = (const char *)serve_keep(request, id).p;
    return true;
}

static bool read_credentials(struct serve_request *request, const struct form *form,
                             struct credentials *out)
{
    const char *header = http_request_header(request->http, "Authorization");

    *out = (struct credentials){.id = form->value[FORM_CLIENT_ID],
                                .secret = form->value[FORM_CLIENT_SECRET],
                                .assertion = form->value[FORM_CLIENT_ASSERTION]};
    if ((header != NULL) + (out->secret != NULL) + (out->assertion != NULL) > 1) {
        malformed(request, "the client proves itself in two ways");
        return false;
    }
    if (header != NULL && !read_basic(request, header, out))
        return false;
    if (out->assertion != NULL && !read_assertion(request, form, out))
        return false;
    if (out->id != NULL)
        return true;
    malformed(request, "there is no client_id");
    return false;
}

const struct client *client_of(struct idp *idp, struct serve_request *request,
                               const struct form *form)
{
    const struct client *client;
    struct credentials shown;
    struct err err = ERR_INIT;

    if (!read_credentials(request, form, &shown))
        return NULL;
    reply_event(request, AUDIT_TOKEN_ISSUED, AUDIT_SOURCE_NONE, shown.id, "");
    if (clients_get(idp->clients, shown.id, &client, &err) == 0 &&
        check(idp, request, client, &shown, &err) == 0)
        return client;
    if (err.code == ERR_NOT_FOUND)
        return refuse(request, shown.by_header,
                      "the client is not known, or its credential is wrong");
    if (err.code == ERR_UNAUTHENTICATED || err.code == ERR_INVALID)
        return refuse(request, shown.by_header, err.msg);
    reply_oauth_later(request, &err);
    return NULL;
}
