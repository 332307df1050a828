/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/exchange.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "idp/oauth/token.h"
#include "jose/jose.h"

#define TYPE_ACCESS "urn:ietf:params:oauth:token-type:access_token"
#define TYPE_JWT    "urn:ietf:params:oauth:token-type:jwt"
#define TYPE_ID     "urn:ietf:params:oauth:token-type:id_token"
#define TYPE_KEY    "urn:drun:params:oauth:token-type:api_key"

void exchange_subject_free(struct exchange_subject *subject)
{
    json_decref(subject->claims);
    json_decref(subject->groups);
    json_decref(subject->key);
    json_decref(subject->actor);
    *subject = (struct exchange_subject){0};
}

/* ------------------------------------------------------------------ subjects */

static json_t *texts_of(const struct auth_principal *principal, const struct auth_text *list,
                        size_t count)
{
    json_t *out = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, json_string((const char *)auth_text(principal, list[i]).p));
    return out;
}

/* Those of the system come by themselves with each token. */
static json_t *groups_of(const struct auth_principal *principal)
{
    json_t *out = json_array();

    for (size_t i = 0; i < principal->group_count; i++) {
        struct span group = auth_text(principal, principal->groups[i]);
        if (!span_has_prefix(group, "system:"))
            json_array_append_new(out, json_string((const char *)group.p));
    }
    return out;
}

/* All that narrows the key, also where it may be used from: else a token would be a way around it.
 */
static json_t *key_claim(struct idp *idp, const struct auth_principal *who, const char *id)
{
    const json_t *cidrs =
        codec_json_at(publish_key_object(idp->publish, id), "spec", "scopes", "cidrs", NULL);

    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "id", id, "namespace",
                     (const char *)auth_text(who, who->namespace).p, "models",
                     texts_of(who, who->models, who->model_count), "verbs",
                     texts_of(who, who->verbs, who->verb_count), "namespaces",
                     texts_of(who, who->namespaces, who->namespace_count), "cidrs",
                     cidrs == NULL ? json_array() : json_deep_copy(cidrs), "rpm",
                     (json_int_t)who->requests_per_min, "concurrent", (json_int_t)who->concurrent,
                     "tpm", (json_int_t)who->tokens_per_min);
}

/* The session of all that came of a key, until the key is changed. */
static int key_sid(struct idp *idp, const char *id, char out[64], json_int_t *epoch,
                   struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;

    *epoch = 0;
    if (record_get(idp, "keyepochs", id, &record, err) == 0)
        *epoch = record_number(record, "epoch");
    else if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    snprintf(out, 64, "k-%.40s-%lld", id, (long long)*epoch);
    return 0;
}

int exchange_end_key(struct idp *idp, const char *id, struct err *err)
{
    json_int_t epoch;
    char sid[64];

    TRY(key_sid(idp, id, sid, &epoch, err));
    TRY(publish_revoke_session(idp->publish, sid, err));
    CLEANUP_JSON json_t *record = json_pack("{s:I}", "epoch", epoch + 1);
    return record_put(idp, "keyepochs", id, record, NULL, err);
}

int exchange_read_key(struct idp *idp, struct serve_request *request, const char *text,
                      struct exchange_subject *out, struct err *err)
{
    CLEANUP_FREE char *header = mem_printf("Bearer %s", text);
    struct auth_principal *who = arena_alloc(request->http->arena, sizeof(*who));
    const char *address = serve_address(request);
    uint8_t source[16];
    struct auth_input input = {.authorization = span_str(header), .now = clock_wall_sec()};
    json_int_t epoch;
    char sid[64];

    TRY(arena_check(request->http->arena, "the request", err));
    if (address[0] != '\0' && auth_parse_address(address, source, err) == 0)
        input.source = source;
    int result = auth_check(idp->auth, &input, who, err);
    mem_wipe(header, strlen(header));
    TRY(result);
    const char *id = (const char *)auth_text(who, who->credential).p;
    TRY(key_sid(idp, id, sid, &epoch, err));
    out->name = (const char *)auth_text(who, who->name).p;
    /* Service accounts are named by their subject. */
    bool of_user = who->uid.len > 0 && strncmp(out->name, "system:", 7) != 0;
    out->subject = of_user ? (const char *)auth_text(who, who->uid).p : out->name;
    out->sid = (const char *)serve_keep(request, sid).p;
    out->groups = groups_of(who);
    out->ends_at = who->expires_at;
    out->key = key_claim(idp, who, id);
    return 0;
}

int exchange_read_own(struct idp *idp, const char *text, struct exchange_subject *out,
                      struct err *err)
{
    TRY(check_access_token(idp, text, &out->claims, err));
    out->subject = codec_json_text(out->claims, "sub", "");
    out->name = codec_json_text(out->claims, "preferred_username", NULL);
    out->sid = codec_json_text(out->claims, "sid", NULL);
    out->groups = json_incref(json_object_get(out->claims, "groups"));
    out->key = json_incref(json_object_get(out->claims, "drun_key"));
    out->actor = json_incref(json_object_get(out->claims, "act"));
    out->ends_at = record_number(out->claims, "exp");
    return 0;
}

/* ------------------------------------------------------------------ what is asked for */

static bool type_is(const struct form *form, enum form_field field, const char *type)
{
    return form->value[field] != NULL && strcmp(form->value[field], type) == 0;
}

static const char *fault_of(const struct form *form)
{
    const char *wanted = form->value[FORM_REQUESTED_TOKEN_TYPE];

    if (form->value[FORM_SUBJECT_TOKEN] == NULL || form->value[FORM_SUBJECT_TOKEN_TYPE] == NULL)
        return "subject_token and subject_token_type are needed";
    if (!type_is(form, FORM_SUBJECT_TOKEN_TYPE, TYPE_ACCESS) &&
        !type_is(form, FORM_SUBJECT_TOKEN_TYPE, TYPE_JWT) &&
        !type_is(form, FORM_SUBJECT_TOKEN_TYPE, TYPE_ID) &&
        !type_is(form, FORM_SUBJECT_TOKEN_TYPE, TYPE_KEY))
        return "this subject_token_type is not known here";
    if (form->value[FORM_ACTOR_TOKEN] != NULL)
        return "actor tokens are not taken: the client that authenticates is the actor";
    if (wanted != NULL && strcmp(wanted, TYPE_ACCESS) != 0 && strcmp(wanted, TYPE_JWT) != 0)
        return "only access tokens are given";
    return NULL;
}

static int read_subject(struct idp *idp, struct serve_request *request, const struct form *form,
                        struct exchange_subject *out, struct err *err)
{
    const char *text = form->value[FORM_SUBJECT_TOKEN];
    CLEANUP_JSON json_t *claims = NULL;

    if (type_is(form, FORM_SUBJECT_TOKEN_TYPE, TYPE_KEY) ||
        strncmp(text, AUTH_KEY_PREFIX, strlen(AUTH_KEY_PREFIX)) == 0)
        return exchange_read_key(idp, request, text, out, err);
    TRY(jose_jwt_peek(span_str(text), &claims, err));
    if (strcmp(codec_json_text(claims, "iss", ""), idp->url) == 0)
        return exchange_read_own(idp, text, out, err);
    return exchange_read_foreign(idp, request, text, out, err);
}

static bool is_bound_to(const struct exchange_subject *subject, const struct binding *binding)
{
    const json_t *cnf = json_object_get(subject->claims, "cnf");

    return binding_fits(binding, codec_json_text(cnf, "jkt", ""),
                        codec_json_text(cnf, "x5t#S256", ""));
}

/* Less of what the subject token allows. A service account's token has no scope: RBAC alone says
 * what it may. */
static int narrow(const struct exchange_subject *subject, const struct form *form,
                  struct buf *scope, struct err *err)
{
    const char *had = codec_json_text(subject->claims, "scope", "");
    const char *wanted = form->value[FORM_SCOPE];
    struct span rest = span_str(wanted == NULL ? had : wanted);
    struct span one;
    char name[OAUTH_SCOPE_MAX + 1];

    if (!oauth_scope_is_valid(rest))
        return err_set(err, ERR_INVALID, "the scope is malformed");
    buf_put_span(scope, rest);
    while (oauth_scope_next(&rest, &one)) {
        snprintf(name, sizeof(name), "%.*s", SPAN_ARG(one));
        if (!oauth_scope_has(span_str(had), name))
            return err_set(err, ERR_INVALID, "the scope is more than the subject token has");
    }
    return 0;
}

static bool is_for_platform(const struct exchange_subject *subject)
{
    const json_t *audience = json_object_get(subject->claims, "aud");

    return subject->claims == NULL ||
           (json_is_string(audience) && strcmp(json_string_value(audience), IDP_AUDIENCE) == 0);
}

/* Nobody comes from a token for something else to one for the platform. */
static int choose_audience(struct idp *idp, const struct client *client, const struct form *form,
                           const struct exchange_subject *subject, json_t **out, struct err *err)
{
    struct form both = *form;
    CLEANUP_JSON json_t *targets = NULL;

    for (size_t i = 0; i < form->audience_count && both.resource_count < FORM_TARGETS_MAX; i++)
        both.resource[both.resource_count++] =
            strcmp(form->audience[i], IDP_AUDIENCE) == 0 ? idp->url : form->audience[i];
    TRY(targets_read(idp, client, &both, NULL, &targets, err));
    if (targets == NULL && !is_for_platform(subject))
        *out = json_incref(json_object_get(subject->claims, "aud"));
    else
        *out = targets_audience(idp, targets, span_str(IDP_AUDIENCE));
    if (json_is_string(*out)) {
        json_t *list = json_array();
        json_array_append_new(list, *out);
        *out = list;
    }
    const char *first = json_string_value(json_array_get(*out, 0));
    if (first != NULL && strcmp(first, IDP_AUDIENCE) == 0 && !is_for_platform(subject))
        return err_set(err, ERR_INVALID, "the subject token is not for the platform");
    return 0;
}

/* ------------------------------------------------------------------ the token */

static json_t *actor_of(const struct client *client, const struct exchange_subject *subject)
{
    json_t *actor;

    if (client->open)
        return json_incref(subject->actor);
    actor = json_pack("{s:s+}", "sub", "client:", client->id);
    if (subject->actor != NULL)
        json_object_set(actor, "act", subject->actor);
    return actor;
}

static int64_t ttl_of(const struct client *client, const struct exchange_subject *subject)
{
    int64_t ttl = NUM_MIN((int64_t)client->access_sec, (int64_t)EXCHANGE_SEC);

    if (subject->ends_at > 0)
        ttl = NUM_MIN(ttl, subject->ends_at - clock_wall_sec());
    return ttl;
}

static int issue(struct idp *idp, struct serve_request *request, const struct client *client,
                 const struct exchange_subject *subject, const json_t *audience, const char *scope,
                 const struct binding *binding, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *actor = actor_of(client, subject);
    struct buf *body = &request->answer->body;
    int64_t ttl = ttl_of(client, subject);
    char jti[CLAIMS_ID_SIZE];
    struct claims claims = {.subject = subject->subject,
                            .name = subject->name,
                            .groups = subject->groups,
                            .sid = subject->sid,
                            .client = client->id,
                            .scope = scope,
                            .audiences = audience,
                            .key = subject->key,
                            .actor = actor,
                            .binding = binding,
                            .auth_time = record_number(subject->claims, "auth_time"),
                            .ttl_sec = (uint32_t)ttl};

    if (ttl <= 0)
        return err_set(err, ERR_UNAUTHENTICATED, "the subject token has expired");
    TRY(claims_access_token(idp, &claims, &token, jti, err));
    buf_printf(body,
               "{\"access_token\":\"%s\",\"issued_token_type\":\"" TYPE_ACCESS
               "\",\"token_type\":\"%s\",\"expires_in\":%lld,\"scope\":",
               buf_text(&token), binding_type(binding), (long long)ttl);
    oauth_put_json(body, span_str(scope));
    buf_put_u8(body, '}');
    reply_event(request, AUDIT_TOKEN_ISSUED, AUDIT_SOURCE_TOKEN,
                subject->name == NULL ? subject->subject : subject->name, "");
    request->event.actor.key_id = serve_keep(request, jti);
    request->event.action.name = serve_keep(request, client->id);
    reply_body(request, 200);
    return 0;
}

static void refuse(struct serve_request *request, const struct err *err, const char *code)
{
    if (err->code == ERR_INVALID || err->code == ERR_UNAUTHENTICATED || err->code == ERR_DENIED ||
        err->code == ERR_NOT_FOUND) {
        request->event.outcome = AUDIT_DENIED;
        reply_oauth(request, 400, code, err->msg);
    } else {
        token_unavailable(request, err);
    }
}

void token_exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                    const struct form *form, const struct binding *binding)
{
    CLEANUP(exchange_subject_free) struct exchange_subject subject = {0};
    CLEANUP(buf_free) struct buf scope = BUF_INIT(OAUTH_SCOPE_MAX);
    CLEANUP_JSON json_t *audience = NULL;
    const char *fault = fault_of(form);
    struct err err = ERR_INIT;

    if (fault != NULL)
        reply_oauth(request, 400, "invalid_request", fault);
    else if (read_subject(idp, request, form, &subject, &err) < 0)
        refuse(request, &err, "invalid_grant");
    else if (!is_bound_to(&subject, binding))
        token_refuse(request, "the subject_token is bound to another key or certificate");
    else if (narrow(&subject, form, &scope, &err) < 0)
        refuse(request, &err, "invalid_scope");
    else if (choose_audience(idp, client, form, &subject, &audience, &err) < 0)
        refuse(request, &err, "invalid_target");
    else if (issue(idp, request, client, &subject, audience, buf_text(&scope), binding, &err) < 0)
        refuse(request, &err, "invalid_grant");
}
