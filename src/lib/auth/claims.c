/* SPDX-License-Identifier: Apache-2.0 */
/* The claims of an access token (RFC 9068) as a principal. */
#include "auth/auth_internal.h"
#include "codec/json.h"

#define RESERVED        "system:"
#define SERVICE_ACCOUNT "system:serviceaccount:"
#define OPERATOR        "system:operator:"

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAUTHENTICATED, "the token is refused: %s", why);
}

/* A claim that must be a text; with `required` it must be there and not be empty. */
static int put_claim(struct auth_principal *principal, const json_t *claims, const char *name,
                     bool required, struct auth_text *out, struct err *err)
{
    const json_t *value = json_object_get(claims, name);

    if (value == NULL && !required)
        return 0;
    if (!json_is_string(value) || (required && json_string_length(value) == 0))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is refused: it has no good %s", name);
    return auth_put_text(principal, span_of(json_string_value(value), json_string_length(value)),
                         out, err);
}

static int get_seconds(const json_t *claims, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(claims, name);
    double seconds = json_number_value(value);

    if (!json_is_number(value) || !(seconds >= 0 && seconds < 1e15))
        return -1;
    *out = (int64_t)seconds;
    return 0;
}

static int read_times(const json_t *claims, struct auth_token_times *times, struct err *err)
{
    if (get_seconds(claims, "exp", &times->expires_at) < 0 ||
        get_seconds(claims, "iat", &times->issued_at) < 0)
        return refuse(err, "it has no good exp or iat");
    times->not_before = 0;
    if (json_object_get(claims, "nbf") != NULL &&
        get_seconds(claims, "nbf", &times->not_before) < 0)
        return refuse(err, "its nbf is no good");
    return 0;
}

static int read_groups(const json_t *claims, struct auth_principal *out, struct err *err)
{
    const json_t *groups = json_object_get(claims, "groups");
    const json_t *group;
    size_t i;

    if (groups != NULL && !json_is_array(groups))
        return refuse(err, "its groups are no list");
    json_array_foreach (groups, i, group) {
        struct span name = span_of(json_string_value(group), json_string_length(group));
        if (name.len == 0 || span_has_prefix(name, RESERVED))
            return refuse(err, "it names a group that no token may name");
        TRY(auth_put_group(out, name, err));
    }
    return 0;
}

/* system:serviceaccount:NAMESPACE:NAME */
static int read_service_account(struct auth_principal *out, struct err *err)
{
    struct span rest = auth_text(out, out->name);
    char group[300];

    rest = span_of(rest.p + strlen(SERVICE_ACCOUNT), rest.len - strlen(SERVICE_ACCOUNT));
    const uint8_t *colon = rest.len > 0 ? memchr(rest.p, ':', rest.len) : NULL;
    if (colon == NULL || colon == rest.p || colon + 1 == rest.p + rest.len || rest.len > 255)
        return refuse(err, "its service account is none");
    struct span namespace = span_of(rest.p, (size_t)(colon - rest.p));
    snprintf(group, sizeof(group), "system:serviceaccounts:%.*s", SPAN_ARG(namespace));
    out->source = AUTH_SERVICE_ACCOUNT;
    TRY(auth_put_text(out, namespace, &out->namespace, err));
    TRY(auth_put_group(out, span_str("system:serviceaccounts"), err));
    return auth_put_group(out, span_str(group), err);
}

/* Those of the platform itself: the one at the operator's socket, and who probes the controls. */
static bool is_platform_name(struct span name)
{
    return (span_has_prefix(name, OPERATOR) && name.len > strlen(OPERATOR)) ||
           span_eq_str(name, AUTH_POSTURE);
}

static int read_name(const json_t *claims, struct auth_principal *out, struct err *err)
{
    TRY(put_claim(out, claims, "sub", true, &out->uid, err));
    out->name = out->uid;
    if (span_has_prefix(auth_text(out, out->uid), SERVICE_ACCOUNT))
        return read_service_account(out, err);
    if (is_platform_name(auth_text(out, out->uid))) {
        if (span_has_prefix(auth_text(out, out->uid), OPERATOR))
            out->source = AUTH_OPERATOR;
        return 0;
    }
    TRY(put_claim(out, claims, "preferred_username", false, &out->name, err));
    struct span name = auth_text(out, out->name);
    if (name.len == 0 || span_has_prefix(name, RESERVED))
        return refuse(err, "it names a user that no token may name");
    return 0;
}

static int read_patterns(const json_t *list, struct auth_principal *out,
                         struct auth_text patterns[AUTH_PATTERNS_MAX], uint8_t *count,
                         struct err *err)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > AUTH_PATTERNS_MAX)
        return refuse(err, "its drun_key is no good");
    json_array_foreach (list, i, item) {
        if (json_string_length(item) == 0)
            return refuse(err, "its drun_key is no good");
        TRY(auth_put_text(out, span_of(json_string_value(item), json_string_length(item)),
                          &patterns[i], err));
    }
    *count = (uint8_t)json_array_size(list);
    return 0;
}

static int read_limits(const json_t *key, struct auth_principal *out, struct err *err)
{
    json_int_t requests = json_integer_value(json_object_get(key, "rpm"));
    json_int_t concurrent = json_integer_value(json_object_get(key, "concurrent"));
    json_int_t tokens = json_integer_value(json_object_get(key, "tpm"));

    if (requests < 0 || requests > UINT32_MAX || concurrent < 0 || concurrent > UINT32_MAX ||
        tokens < 0)
        return refuse(err, "its drun_key is no good");
    out->requests_per_min = (uint32_t)requests;
    out->concurrent = (uint32_t)concurrent;
    out->tokens_per_min = (uint64_t)tokens;
    return 0;
}

/* A token that came of an API key (RFC 8693) may what the key may, from where the key may be used,
 * and counts as the key. */
static int read_key(const json_t *claims, struct auth_principal *out, struct err *err)
{
    const json_t *key = json_object_get(claims, "drun_key");

    if (key == NULL)
        return 0;
    out->source = AUTH_API_KEY;
    TRY(put_claim(out, key, "id", true, &out->credential, err));
    TRY(put_claim(out, key, "namespace", false, &out->namespace, err));
    TRY(read_patterns(json_object_get(key, "models"), out, out->models, &out->model_count, err));
    TRY(read_patterns(json_object_get(key, "verbs"), out, out->verbs, &out->verb_count, err));
    TRY(read_patterns(json_object_get(key, "namespaces"), out, out->namespaces,
                      &out->namespace_count, err));
    TRY(read_patterns(json_object_get(key, "cidrs"), out, out->cidrs, &out->cidr_count, err));
    return read_limits(key, out, err);
}

/* A binding that is not understood must not be lost. */
static int read_binding(const json_t *claims, struct auth_principal *out, struct err *err)
{
    const json_t *binding = json_object_get(claims, "cnf");

    if (binding == NULL)
        return 0;
    if (!json_is_object(binding))
        return refuse(err, "its cnf is no object");
    TRY(put_claim(out, binding, "jkt", false, &out->jkt, err));
    TRY(put_claim(out, binding, "x5t#S256", false, &out->x5t, err));
    if (out->jkt.len == 0 && out->x5t.len == 0)
        return refuse(err, "its cnf names neither a key nor a certificate");
    return 0;
}

/* What it does not say well, it does not say: only a demand for more asks for it (RFC 9470). */
static void read_sign_in(const json_t *claims, struct auth_principal *out)
{
    out->level = (uint8_t)auth_level_by_acr(span_str(codec_json_text(claims, "acr", "")));
    if (get_seconds(claims, "auth_time", &out->auth_time) < 0)
        out->auth_time = 0;
}

int auth_read_claims(const json_t *claims, struct auth_principal *out,
                     struct auth_token_times *times, struct err *err)
{
    auth_principal_init(out, AUTH_SESSION);
    TRY(read_times(claims, times, err));
    TRY(read_name(claims, out, err));
    TRY(put_claim(out, claims, "jti", true, &out->token, err));
    out->credential = out->token;
    TRY(read_key(claims, out, err));
    TRY(put_claim(out, claims, "client_id", false, &out->client, err));
    TRY(put_claim(out, claims, "sid", false, &out->session, err));
    TRY(read_binding(claims, out, err));
    TRY(read_groups(claims, out, err));
    TRY(auth_put_group(out, span_str(AUTH_GROUP_AUTHENTICATED), err));
    out->expires_at = times->expires_at;
    read_sign_in(claims, out);
    return 0;
}
