/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/authorize_request.h"

#include "base/num.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"

static int refuse(struct authorize_wish *wish, const char *error, const char *why)
{
    wish->error = error;
    wish->why = why;
    return -1;
}

static int check_response(const struct form *form, struct authorize_wish *out)
{
    const char *type = form->value[FORM_RESPONSE_TYPE];
    const char *mode = form->value[FORM_RESPONSE_MODE];

    if (type == NULL)
        return refuse(out, "invalid_request", "there is no response_type");
    if (strcmp(type, "code") != 0)
        return refuse(out, "unsupported_response_type", "response_type must be code");
    if (mode != NULL && strcmp(mode, "query") != 0)
        return refuse(out, "invalid_request", "response_mode must be query");
    return 0;
}

/* A client that cannot keep a secret must have PKCE; every other one may, and S256 it must be. */
static int check_challenge(const struct client *client, const struct form *form,
                           struct authorize_wish *out)
{
    const char *challenge = form->value[FORM_CODE_CHALLENGE];
    const char *method = form->value[FORM_CODE_CHALLENGE_METHOD];

    if (challenge == NULL && method == NULL && !client->open)
        return 0;
    if (challenge == NULL || !oauth_challenge_is_valid(span_str(challenge)) || method == NULL ||
        strcmp(method, "S256") != 0)
        return refuse(out, "invalid_request", "PKCE with code_challenge_method=S256 is needed");
    return 0;
}

static int read_prompt(const struct form *form, struct authorize_wish *out)
{
    const char *prompt = form->value[FORM_PROMPT];
    struct span rest = span_str(prompt == NULL ? "" : prompt);
    struct span one;
    size_t count = 0;

    if (!oauth_scope_is_valid(rest))
        return refuse(out, "invalid_request", "the prompt is malformed");
    for (; oauth_scope_next(&rest, &one); count++) {
        out->silent |= span_eq_str(one, "none");
        out->consent |= span_eq_str(one, "consent");
        /* Whom to sign in as is the same page as signing in. */
        out->anew |= span_eq_str(one, "login") || span_eq_str(one, "select_account");
    }
    if (out->silent && count > 1)
        return refuse(out, "invalid_request", "prompt=none goes with nothing else");
    return 0;
}

static int read_since(const struct client *client, const struct form *form, int64_t now,
                      struct authorize_wish *out)
{
    const char *max_age = form->value[FORM_MAX_AGE];
    const char *after = form->value[FORM_AUTH_AFTER];
    uint64_t age = 0;
    uint64_t since = 0;
    const json_t *default_age = json_object_get(client->spec, "defaultMaxAge");
    char text[24];
    struct err err = ERR_INIT;

    if (max_age == NULL && default_age != NULL) {
        snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(default_age));
        max_age = text;
    }
    if (max_age != NULL &&
        num_parse_u64(span_str(max_age), 0, INT32_MAX, "max_age", &age, &err) < 0)
        return refuse(out, "invalid_request", "max_age must be a number of seconds");
    if (after != NULL &&
        num_parse_u64(span_str(after), 0, (uint64_t)now, "auth_after", &since, &err) < 0)
        return refuse(out, "invalid_request", "auth_after must be a time that is over");
    out->since = (int64_t)since;
    if (max_age != NULL)
        out->since = NUM_MAX(out->since, now - (int64_t)NUM_MIN(age, (uint64_t)now));
    if (out->anew)
        out->since = now;
    return 0;
}

/* ------------------------------------------------------------------ how well, and who */

/* Any of several will do: the least of them. */
static void want_acr(struct span name, struct authorize_wish *out)
{
    enum auth_level acr = auth_level_by_acr(name);

    if (acr != AUTH_LEVEL_NONE && (out->acr == AUTH_LEVEL_NONE || acr < out->acr))
        out->acr = acr;
}

static void read_acr_values(const struct client *client, const struct form *form,
                            struct authorize_wish *out)
{
    const char *values = form->value[FORM_ACR_VALUES];
    struct span rest = span_str(values == NULL ? "" : values);
    const json_t *item;
    struct span one;
    size_t i;

    while (oauth_scope_next(&rest, &one))
        want_acr(one, out);
    if (values != NULL)
        return;
    json_array_foreach (json_object_get(client->spec, "defaultAcrValues"), i, item)
        if (json_is_string(item))
            want_acr(span_str(json_string_value(item)), out);
}

/* OpenID Connect Core section 5.5.1.1: one that is essential must be met. */
static int read_acr_claim(const json_t *claim, struct authorize_wish *out)
{
    const json_t *values = json_object_get(claim, "values");
    const char *value = codec_json_text(claim, "value", NULL);
    const json_t *item;
    size_t i;

    if (!json_is_true(json_object_get(claim, "essential")) || (value == NULL && values == NULL))
        return 0;
    out->acr = AUTH_LEVEL_NONE;
    if (value != NULL)
        want_acr(span_str(value), out);
    json_array_foreach (values, i, item)
        if (json_is_string(item))
            want_acr(span_str(json_string_value(item)), out);
    out->essential = true;
    if (out->acr == AUTH_LEVEL_NONE)
        return refuse(out, "unmet_authentication_requirements", "none of these acr is known here");
    return 0;
}

static int read_claims(const struct form *form, struct authorize_wish *out)
{
    const char *text = form->value[FORM_CLAIMS];
    CLEANUP_JSON json_t *claims = NULL;
    struct err err = ERR_INIT;

    if (text == NULL)
        return 0;
    if (strlen(text) > CLAIMS_TEXT_MAX ||
        codec_json_parse(span_str(text), "claims", &claims, &err) < 0 || !json_is_object(claims))
        return refuse(out, "invalid_request", "the claims parameter is no JSON object");
    const json_t *wanted = json_object_get(claims, "id_token");
    if (wanted != NULL && !json_is_object(wanted) && !json_is_null(wanted))
        return refuse(out, "invalid_request", "claims.id_token is no object");
    const char *subject = codec_json_text(json_object_get(wanted, "sub"), "value", "");
    snprintf(out->subject, sizeof(out->subject), "%s", subject);
    return read_acr_claim(json_object_get(wanted, "acr"), out);
}

int authorize_read(const struct client *client, const struct form *form, int64_t now,
                   struct authorize_wish *out)
{
    const char *scope = form->value[FORM_SCOPE];

    *out = (struct authorize_wish){0};
    TRY(check_response(form, out));
    if (!client_may(client, "authorization_code"))
        return refuse(out, "unauthorized_client", "the client may not use authorization codes");
    TRY(check_challenge(client, form, out));
    if (scope != NULL && !oauth_scope_is_valid(span_str(scope)))
        return refuse(out, "invalid_scope", "the scope is malformed");
    TRY(read_prompt(form, out));
    TRY(read_since(client, form, now, out));
    read_acr_values(client, form, out);
    TRY(read_claims(form, out));
    if (client->level > out->acr) {
        out->acr = client->level;
        out->essential = true;
    }
    return 0;
}
