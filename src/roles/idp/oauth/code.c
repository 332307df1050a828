/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization codes: single use, one minute. A used one is kept until its access token is over:
 * who comes with it again has stolen it, or it was stolen before, and what it gave is revoked
 * (RFC 6749 section 4.1.2, RFC 9700).
 */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "idp/oauth/token.h"

/* A text that is NULL is left out. */
static json_t *text_of(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

json_t *grant_new(const struct session *session, const struct form *form, const char *client,
                  const char *scope)
{
    json_t *resources = NULL;

    if (form->resource_count > 0)
        resources = json_array();
    for (size_t i = 0; i < form->resource_count; i++)
        json_array_append_new(resources, json_string(form->resource[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o*, s:s*}", "client", client, "user",
                     session->account.name, "uid", session->account.uid, "scope", scope, "sid",
                     session->id, "amr", codec_json_text(session->record, "amr", "pwd"), "authTime",
                     (json_int_t)session->auth_time, "resources", resources, "claims",
                     form->value[FORM_CLAIMS]);
}

json_t *grant_copy(const json_t *record)
{
    static const char *const members[] = {"client", "user",     "uid",       "scope", "sid",
                                          "amr",    "authTime", "resources", "claims"};
    json_t *copy = json_object();

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (json_object_get(record, members[i]) != NULL)
            json_object_set(copy, members[i], json_object_get(record, members[i]));
    return copy;
}

int code_make(struct idp *idp, const struct session *session, const struct form *form,
              const char *scope, char out[IDP_SECRET_SIZE], struct err *err)
{
    CLEANUP_JSON json_t *record = grant_new(session, form, form->value[FORM_CLIENT_ID], scope);
    CLEANUP_JSON json_t *more = json_pack(
        "{s:s, s:I, s:o, s:o, s:o}", "redirect", form->value[FORM_REDIRECT_URI], "until",
        (json_int_t)(clock_wall_sec() + IDP_CODE_SEC), "nonce", text_of(form->value[FORM_NONCE]),
        "challenge", text_of(form->value[FORM_CODE_CHALLENGE]), "jkt",
        text_of(form->value[FORM_DPOP_JKT]));
    char id[IDP_ID_SIZE];

    if (record == NULL || more == NULL)
        return err_set(err, ERR_INVALID, "a parameter is not UTF-8");
    json_object_update(record, more);
    TRY(idp_random(out, err));
    idp_id_of(out, id);
    return record_put(idp, GRANT_CODES, id, record, NULL, err);
}

/* ------------------------------------------------------------------ exchange */

static bool same(const json_t *record, const char *name, const char *given)
{
    const char *kept = codec_json_text(record, name, NULL);

    return kept != NULL && given != NULL && strcmp(kept, given) == 0;
}

/* Without a challenge there must be no verifier either (RFC 9700 section 4.8.2). */
static bool verifier_fits(const json_t *record, const char *verifier)
{
    const char *challenge = codec_json_text(record, "challenge", NULL);

    if (challenge == NULL || verifier == NULL)
        return challenge == NULL && verifier == NULL;
    return oauth_verifier_fits(span_str(verifier), span_str(challenge));
}

/* NULL, or why it cannot be exchanged. */
static const char *fault_of(struct idp *idp, const struct client *client, const struct form *form,
                            const struct binding *binding, const json_t *record)
{
    if (record_number(record, "until") <= clock_wall_sec())
        return "the code has expired";
    if (!same(record, "client", client->id))
        return "the code is another client's";
    if (!same(record, "redirect", form->value[FORM_REDIRECT_URI]))
        return "the redirect_uri is not the one of the request";
    if (!verifier_fits(record, form->value[FORM_CODE_VERIFIER]))
        return "the code_verifier is not the one of the request";
    if (!binding_fits(binding, codec_json_text(record, "jkt", ""), ""))
        return "the code is bound to another key than that of the DPoP proof";
    if (!session_is_open(idp, codec_json_text(record, "sid", ""),
                         codec_json_text(record, "user", "")))
        return "the session has ended";
    return NULL;
}

/* What came of a code is void now. */
static int revoke_issued(struct idp *idp, const json_t *record, struct err *err)
{
    const char *jti = codec_json_text(record, "jti", "");
    const char *family = codec_json_text(record, "family", "");

    if (jti[0] != '\0')
        TRY(publish_revoke_token(idp->publish, jti, err));
    return family[0] == '\0' ? 0 : refresh_end(idp, family, err);
}

static void refuse_reuse(struct idp *idp, struct serve_request *request, const json_t *record)
{
    struct err err = ERR_INIT;

    request->event.event = span_str(AUDIT_TOKEN_REVOKED);
    if (revoke_issued(idp, record, &err) < 0)
        token_unavailable(request, &err);
    else
        token_refuse(request, "the code was used before; what it gave is revoked");
}

static void note_issued(json_t *record, const struct token_issued *issued)
{
    json_object_set_new(record, "used", json_true());
    json_object_set_new(record, "jti", json_string(issued->jti));
    json_object_set_new(record, "family", json_string(issued->family));
    json_object_set_new(record, "until", json_integer(clock_wall_sec() + IDP_ACCESS_MAX_SEC));
}

static int exchange(struct idp *idp, struct serve_request *request, struct token_grant grant,
                    const char *id, json_t *record, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    struct token_issued issued = {0};

    TRY(account_load_same(idp, codec_json_text(record, "user", ""),
                          codec_json_text(record, "uid", ""), &account, err));
    grant.account = &account;
    TRY(token_issue(idp, request, &grant, &issued, err));
    note_issued(record, &issued);
    return record_put(idp, GRANT_CODES, id, record, NULL, err);
}

static void exchange_good(struct idp *idp, struct serve_request *request,
                          const struct client *client, const struct form *form,
                          const struct binding *binding, const char *id, json_t *record)
{
    CLEANUP_JSON json_t *targets = NULL;
    struct token_grant grant = {
        .client = client,
        .record = record,
        .scope = codec_json_text(record, "scope", ""),
        .nonce = codec_json_text(record, "nonce", NULL),
        .binding = binding,
    };
    struct err err = ERR_INIT;

    if (targets_read(idp, client, form, json_object_get(record, "resources"), &targets, &err) < 0) {
        reply_oauth(request, 400, "invalid_target", err.msg);
        return;
    }
    grant.targets = targets;
    if (exchange(idp, request, grant, id, record, &err) < 0)
        token_fail(request, &err);
}

void code_exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                   const struct form *form, const struct binding *binding)
{
    const char *code = form->value[FORM_CODE];
    CLEANUP_JSON json_t *record = NULL;
    char id[IDP_ID_SIZE];
    struct err err = ERR_INIT;

    if (code == NULL) {
        reply_oauth(request, 400, "invalid_request", "there is no code");
        return;
    }
    idp_id_of(code, id);
    if (record_get(idp, GRANT_CODES, id, &record, &err) < 0) {
        if (err.code == ERR_NOT_FOUND)
            token_refuse(request, "the code is not known");
        else
            token_unavailable(request, &err);
        return;
    }
    if (json_is_true(json_object_get(record, "used"))) {
        refuse_reuse(idp, request, record);
        return;
    }
    const char *fault = fault_of(idp, client, form, binding, record);
    if (fault != NULL) {
        /* A code that met a wrong client, URI or verifier is in wrong hands. */
        if (record_delete(idp, GRANT_CODES, id, &err) < 0)
            token_unavailable(request, &err);
        else
            token_refuse(request, fault);
        return;
    }
    exchange_good(idp, request, client, form, binding, id, record);
}
