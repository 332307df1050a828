/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refresh tokens: a family for each sign-in, of which one token at a time is good. The token is the
 * family's name and a text; using it replaces the text by one that is made of it under our own key,
 * so that who asks twice, because the first answer was lost, gets the same one again. Who comes
 * with an old one shows that two hold the family: all of it is revoked (RFC 9700 section 4.14).
 */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "idp/oauth/oauth.h"
#include "idp/oauth/token.h"

static int put(struct idp *idp, const char *family, const json_t *record, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", codec_json_text(record, "user", ""));

    return record_put(idp, GRANT_REFRESH, family, record, term, err);
}

/* The token that comes after this one. */
static void successor(const struct idp *idp, const char *family, const char *text,
                      char out[REFRESH_TEXT_SIZE])
{
    CLEANUP(buf_free_wiped) struct buf input = BUF_INIT(256);
    CLEANUP(buf_free_wiped) struct buf secret = BUF_INIT(IDP_SECRET_SIZE);
    uint8_t mac[CRYPTO_HASH_LEN];

    buf_printf(&input, "refresh %s", text);
    crypto_hmac_sha256(span_of(idp->pepper, sizeof(idp->pepper)), buf_span(&input), mac);
    enc_base64_put(ENC_BASE64URL, span_of(mac, sizeof(mac)), &secret);
    snprintf(out, REFRESH_TEXT_SIZE, "%s%s", family, buf_text(&secret));
    mem_wipe(mac, sizeof(mac));
}

static void set_current(json_t *record, const char *text)
{
    char id[IDP_ID_SIZE];

    idp_id_of(text, id);
    json_object_set_new(record, "current", json_string(id));
}

int refresh_make(struct idp *idp, const struct client *client, const json_t *grant,
                 const struct binding *binding, const char family[CLAIMS_ID_SIZE],
                 char out[REFRESH_TEXT_SIZE], struct err *err)
{
    CLEANUP_JSON json_t *record = grant_copy(grant);
    char secret[IDP_SECRET_SIZE];

    json_object_set_new(record, "until", json_integer(clock_wall_sec() + client->refresh_sec));
    if (binding != NULL && binding->jkt[0] != '\0')
        json_object_set_new(record, "jkt", json_string(binding->jkt));
    if (binding != NULL && binding->x5t[0] != '\0')
        json_object_set_new(record, "x5t", json_string(binding->x5t));
    TRY(idp_random(secret, err));
    snprintf(out, REFRESH_TEXT_SIZE, "%s%s", family, secret);
    mem_wipe(secret, sizeof(secret));
    set_current(record, out);
    return put(idp, family, record, err);
}

static bool is(const json_t *record, const char *member, const char *id)
{
    const char *kept = codec_json_text(record, member, "");

    return strlen(kept) == strlen(id) && mem_equal_ct(kept, id, strlen(id));
}

int refresh_find(struct idp *idp, const char *text, json_t **record, char family[CLAIMS_ID_SIZE],
                 enum refresh_age *age, struct err *err)
{
    char id[IDP_ID_SIZE];

    if (strlen(text) != REFRESH_TEXT_SIZE - 1)
        return err_set(err, ERR_NOT_FOUND, "the refresh token is not known");
    snprintf(family, CLAIMS_ID_SIZE, "%.*s", CLAIMS_ID_SIZE - 1, text);
    TRY(record_get(idp, GRANT_REFRESH, family, record, err));
    idp_id_of(text, id);
    if (is(*record, "current", id))
        *age = REFRESH_CURRENT;
    else if (is(*record, "previous", id) &&
             clock_wall_sec() <= record_number(*record, "replaced") + IDP_REFRESH_GRACE_SEC)
        *age = REFRESH_JUST_REPLACED;
    else
        *age = REFRESH_OLD;
    return 0;
}

int refresh_end(struct idp *idp, const char *family, struct err *err)
{
    TRY(record_delete(idp, GRANT_REFRESH, family, err));
    return publish_revoke_session(idp->publish, family, err);
}

/* ------------------------------------------------------------------ exchange */

/* The same scope, or less of it (RFC 6749 section 6). */
static bool narrow_scope(const char *granted, const char *wanted, const char **out)
{
    struct span rest = span_str(wanted == NULL ? "" : wanted);
    struct span one;
    char name[OAUTH_SCOPE_MAX + 1];

    *out = wanted == NULL ? granted : wanted;
    if (!oauth_scope_is_valid(rest))
        return false;
    while (oauth_scope_next(&rest, &one)) {
        snprintf(name, sizeof(name), "%.*s", SPAN_ARG(one));
        if (!oauth_scope_has(span_str(granted), name))
            return false;
    }
    return true;
}

static void refuse_reuse(struct idp *idp, struct serve_request *request, const char *family,
                         const json_t *record)
{
    struct err err = ERR_INIT;

    reply_event(request, AUDIT_TOKEN_REVOKED, AUDIT_SOURCE_NONE,
                codec_json_text(record, "user", ""), codec_json_text(record, "uid", ""));
    if (refresh_end(idp, family, &err) < 0)
        token_unavailable(request, &err);
    else
        token_refuse(request, "the refresh token was used before; all that came of it is revoked");
}

static int turn(struct idp *idp, const char *family, json_t *record, const char *next,
                struct err *err)
{
    json_object_set(record, "previous", json_object_get(record, "current"));
    json_object_set_new(record, "replaced", json_integer(clock_wall_sec()));
    set_current(record, next);
    return put(idp, family, record, err);
}

/* `text` is the current token, or the one before it. */
static int exchange(struct idp *idp, struct serve_request *request, struct token_grant grant,
                    const char *text, bool is_current, json_t *record, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    char next[REFRESH_TEXT_SIZE];
    struct token_issued issued = {0};

    TRY(account_load_same(idp, codec_json_text(record, "user", ""),
                          codec_json_text(record, "uid", ""), &account, err));
    successor(idp, grant.family, text, next);
    grant.account = &account;
    grant.refresh = next;
    int result = token_issue(idp, request, &grant, &issued, err);
    if (result == 0 && is_current)
        result = turn(idp, grant.family, record, next, err);
    mem_wipe(next, sizeof(next));
    return result;
}

/* NULL, or why it is no good. */
static const char *fault_of(const struct client *client, const struct binding *binding,
                            const json_t *record)
{
    if (strcmp(codec_json_text(record, "client", ""), client->id) != 0)
        return "the refresh token is another client's";
    if (record_number(record, "until") <= clock_wall_sec())
        return "the refresh token has expired";
    if (!binding_fits(binding, codec_json_text(record, "jkt", ""),
                      codec_json_text(record, "x5t", "")))
        return "the refresh token is bound to another key or certificate";
    return NULL;
}

static void exchange_good(struct idp *idp, struct serve_request *request, struct token_grant *grant,
                          const struct form *form, bool is_current, json_t *record)
{
    CLEANUP_JSON json_t *targets = NULL;
    struct err err = ERR_INIT;

    if (!narrow_scope(codec_json_text(record, "scope", ""), form->value[FORM_SCOPE],
                      &grant->scope)) {
        reply_oauth(request, 400, "invalid_scope", "the scope is more than was granted");
    } else if (targets_read(idp, grant->client, form, json_object_get(record, "resources"),
                            &targets, &err) < 0) {
        reply_oauth(request, 400, "invalid_target", err.msg);
    } else {
        grant->targets = targets;
        if (exchange(idp, request, *grant, form->value[FORM_REFRESH_TOKEN], is_current, record,
                     &err) < 0)
            token_fail(request, &err);
    }
}

void refresh_exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                      const struct form *form, const struct binding *binding)
{
    const char *text = form->value[FORM_REFRESH_TOKEN];
    CLEANUP_JSON json_t *record = NULL;
    char family[CLAIMS_ID_SIZE];
    enum refresh_age age;
    struct err err = ERR_INIT;

    if (text == NULL) {
        reply_oauth(request, 400, "invalid_request", "there is no refresh_token");
        return;
    }
    if (refresh_find(idp, text, &record, family, &age, &err) < 0) {
        if (err.code == ERR_NOT_FOUND)
            token_refuse(request, "the refresh token is not known");
        else
            token_unavailable(request, &err);
        return;
    }
    const char *fault = fault_of(client, binding, record);
    if (age == REFRESH_OLD) {
        refuse_reuse(idp, request, family, record);
    } else if (fault != NULL) {
        token_refuse(request, fault);
    } else {
        struct token_grant grant = {
            .client = client, .record = record, .binding = binding, .family = family};
        exchange_good(idp, request, &grant, form, age == REFRESH_CURRENT, record);
    }
}
