/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/idp_internal.h"

static const char *const names[FORM_FIELDS] = {
    [FORM_CLIENT_ID] = "client_id",
    [FORM_CLIENT_SECRET] = "client_secret",
    [FORM_GRANT_TYPE] = "grant_type",
    [FORM_CODE] = "code",
    [FORM_REDIRECT_URI] = "redirect_uri",
    [FORM_CODE_VERIFIER] = "code_verifier",
    [FORM_REFRESH_TOKEN] = "refresh_token",
    [FORM_SCOPE] = "scope",
    [FORM_TOKEN] = "token",
    [FORM_TOKEN_TYPE_HINT] = "token_type_hint",
    [FORM_RESPONSE_TYPE] = "response_type",
    [FORM_RESPONSE_MODE] = "response_mode",
    [FORM_STATE] = "state",
    [FORM_NONCE] = "nonce",
    [FORM_PROMPT] = "prompt",
    [FORM_MAX_AGE] = "max_age",
    [FORM_CODE_CHALLENGE] = "code_challenge",
    [FORM_CODE_CHALLENGE_METHOD] = "code_challenge_method",
    [FORM_REQUEST] = "request",
    [FORM_REQUEST_URI] = "request_uri",
    [FORM_AUTH_AFTER] = "auth_after",
    [FORM_ID_TOKEN_HINT] = "id_token_hint",
    [FORM_POST_LOGOUT_REDIRECT_URI] = "post_logout_redirect_uri",
    [FORM_CLIENT_ASSERTION] = "client_assertion",
    [FORM_CLIENT_ASSERTION_TYPE] = "client_assertion_type",
    [FORM_ACR_VALUES] = "acr_values",
    [FORM_CLAIMS] = "claims",
    [FORM_LOGIN_HINT] = "login_hint",
    [FORM_DPOP_JKT] = "dpop_jkt",
    [FORM_DEVICE_CODE] = "device_code",
    [FORM_USER_CODE] = "user_code",
    [FORM_SUBJECT_TOKEN] = "subject_token",
    [FORM_SUBJECT_TOKEN_TYPE] = "subject_token_type",
    [FORM_ACTOR_TOKEN] = "actor_token",
    [FORM_ACTOR_TOKEN_TYPE] = "actor_token_type",
    [FORM_REQUESTED_TOKEN_TYPE] = "requested_token_type",
    [FORM_DECISION] = "decision",
};

const char *form_name(enum form_field field)
{
    return names[field];
}

/* False when it is another parameter. */
static bool put_target(struct form *form, const char *name, const char *value)
{
    bool resource = strcmp(name, "resource") == 0;
    const char **list = resource ? form->resource : form->audience;
    size_t *count = resource ? &form->resource_count : &form->audience_count;

    if (!resource && strcmp(name, "audience") != 0)
        return false;
    if (value[0] == '\0')
        return true;
    if (*count == FORM_TARGETS_MAX)
        form->too_many = true;
    else
        list[(*count)++] = value;
    return true;
}

/* Unknown parameters are ignored, as RFC 6749 section 3.1 wants it. */
void form_put(void *ctx, const char *name, const char *value)
{
    struct form *form = ctx;

    if (put_target(form, name, value))
        return;
    for (size_t i = 0; i < FORM_FIELDS; i++) {
        /* Most differ in the first character already. */
        if (names[i][0] != name[0] || strcmp(names[i], name) != 0)
            continue;
        if (form->value[i] != NULL)
            form->twice = names[i];
        if (value[0] != '\0')
            form->value[i] = value;
        return;
    }
}

int form_read(struct serve_request *request, struct form *out)
{
    struct err err = ERR_INIT;

    *out = (struct form){0};
    if (http_request_each_form(request->http, form_put, out, &err) < 0) {
        reply_oauth(request, 400, "invalid_request", err.msg);
        return -1;
    }
    if (out->twice != NULL || out->too_many) {
        reply_oauth(request, 400, "invalid_request",
                    out->too_many ? "there are more than 8 resources or audiences"
                                  : "a parameter is there twice");
        return -1;
    }
    return 0;
}
