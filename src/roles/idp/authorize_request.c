/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/authorize_request.h"

#include "base/num.h"
#include "idp/oauth.h"

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
    if (form->value[FORM_REQUEST] != NULL)
        return refuse(out, "request_not_supported", "request objects are not taken here");
    if (form->value[FORM_REQUEST_URI] != NULL)
        return refuse(out, "request_uri_not_supported", "request objects are not taken here");
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
        /* Whom to sign in as is the same page as signing in. */
        out->anew |= span_eq_str(one, "login") || span_eq_str(one, "select_account");
    }
    if (out->silent && count > 1)
        return refuse(out, "invalid_request", "prompt=none goes with nothing else");
    return 0;
}

static int read_since(const struct form *form, int64_t now, struct authorize_wish *out)
{
    const char *max_age = form->value[FORM_MAX_AGE];
    const char *after = form->value[FORM_AUTH_AFTER];
    uint64_t age = 0;
    uint64_t since = 0;
    struct err err = ERR_INIT;

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
    TRY(read_since(form, now, out));
    if (client->consent)
        return refuse(out, "consent_required",
                      "this client wants its users' consent, which cannot be given here yet");
    return 0;
}
