/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

#include <string.h>

static const struct kube_field secret_fields[] = {
    {"namespace", KUBE_STRING, "The namespace of the Secret.", .flags = KUBE_REQUIRED,
     .format = KUBE_DNS_LABEL},
    {"name", KUBE_STRING, "The Secret, of the type drun.io/identity-provider.",
     .flags = KUBE_REQUIRED, .format = KUBE_DNS_SUBDOMAIN},
    {"key", KUBE_STRING, "Which of its values.", .format = KUBE_CONFIG_KEY,
     .fallback = "\"secret\""},
    {0},
};

static const struct kube_shape secret_shape = {
    "io.drun.v1.IdentityProviderSecretReference",
    "A value in a Secret, which the exporter puts in on the way out.",
    secret_fields,
};

static const struct kube_field oidc_fields[] = {
    {"issuer", KUBE_STRING, "Its issuer; the metadata is at /.well-known/openid-configuration.",
     .flags = KUBE_REQUIRED, .format = KUBE_URL},
    {"clientId", KUBE_STRING, "Our client_id there.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY,
     .max = 253},
    {"clientSecretRef", KUBE_OBJECT, "The client's secret; none for a public client.",
     .shape = &secret_shape},
    {"clientAuth", KUBE_STRING, "How the secret is shown.",
     .values = KUBE_NAMES("client_secret_basic", "client_secret_post"),
     .fallback = "\"client_secret_basic\""},
    {"scopes", KUBE_LIST, "What is asked for.", .item = KUBE_STRING, .list = KUBE_SET, .max = 32,
     .fallback = "[\"openid\",\"profile\",\"email\"]"},
    {"userInfo", KUBE_BOOL, "Whether userinfo is asked for further claims.", .fallback = "false"},
    {"trustMfa", KUBE_BOOL,
     "A sign-in whose amr says mfa there is one with a second factor here, too.",
     .fallback = "false"},
    {"logout", KUBE_BOOL, "Who signs out here is sent there to sign out, too.",
     .fallback = "false"},
    {0},
};

static const struct kube_shape oidc_shape = {
    "io.drun.v1.IdentityProviderOidc",
    "An OpenID Connect provider: authorization code with PKCE. Its redirect_uri for us is "
    "URL/session/providers/NAME/callback.",
    oidc_fields,
};

static const struct kube_field ldap_fields[] = {
    {"url", KUBE_STRING, "ldaps://HOST[:PORT], or ldap://HOST[:PORT], which is then StartTLS.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .max = 512},
    {"bindDn", KUBE_STRING, "The account that searches.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY,
     .max = 1024},
    {"passwordSecretRef", KUBE_OBJECT, "Its password.", .shape = &secret_shape,
     .flags = KUBE_REQUIRED},
    {"userBase", KUBE_STRING, "Where accounts are.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY,
     .max = 1024},
    {"userFilter", KUBE_STRING,
     "Finds one account; {login} is what the person typed, {name} the same "
     "without @ and what follows.",
     .fallback = "\"(&(objectClass=person)(uid={login}))\"", .max = 1024},
    {"idAttribute", KUBE_STRING, "What names an account for good.",
     .values = KUBE_NAMES("entryUUID", "objectGUID", "ipaUniqueID", "nsUniqueId", "uid"),
     .fallback = "\"entryUUID\""},
    {"attributes", KUBE_LIST, "Further attributes that the mapping wants.", .item = KUBE_STRING,
     .list = KUBE_SET, .max = 24},
    {"groupBase", KUBE_STRING,
     "Where groups are; without it groups are those of the account's attributes, as memberOf.",
     .max = 1024},
    {"groupFilter", KUBE_STRING, "Finds the groups of the account {dn}, or {login}.",
     .fallback = "\"(member={dn})\"", .max = 1024},
    {"groupAttribute", KUBE_STRING, "The attribute of a group that becomes the claim \"groups\".",
     .fallback = "\"cn\"", .max = 64},
    {0},
};

static const struct kube_shape ldap_shape = {
    "io.drun.v1.IdentityProviderLdap",
    "An LDAP directory: a search for the account, then a bind with the person's password.",
    ldap_fields,
};

static const struct kube_field accounts_fields[] = {
    {"create", KUBE_BOOL, "Who has no user here yet gets one when signing in.",
     .fallback = "false"},
    {"linkByEmail", KUBE_BOOL,
     "Who has a user with the same e-mail address gets that one, when the provider says that the "
     "address is verified.",
     .fallback = "false"},
    {"emailsAreVerified", KUBE_BOOL,
     "The provider verifies all addresses, although it does not say so with each.",
     .fallback = "false"},
    {"update", KUBE_BOOL, "Each sign-in brings name and address up to date.", .fallback = "true"},
    {0},
};

static const struct kube_shape accounts_shape = {
    "io.drun.v1.IdentityProviderAccounts",
    "Which user an account of the provider is. Without any of these a signed-in user links it.",
    accounts_fields,
};

static const struct kube_field value_fields[] = {
    {"claim", KUBE_STRING,
     "The name of a claim or attribute; with a slash at its beginning a JSON Pointer into them.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .max = 256},
    {"match", KUBE_STRING, "What the value must be; * stands for any run of characters.",
     .fallback = "\"*\"", .max = 256},
    {"template", KUBE_STRING, "What it becomes; {0} is the value, {1} what the first * was.",
     .fallback = "\"{0}\"", .max = 256},
    {0},
};

static const struct kube_shape value_shape = {
    "io.drun.v1.IdentityProviderValue",
    "How a claim becomes a text here.",
    value_fields,
};

static const struct kube_field mapping_fields[] = {
    {"userName", KUBE_OBJECT,
     "The name of a new user; by default preferred_username, of a directory uid.",
     .shape = &value_shape},
    {"displayName", KUBE_OBJECT, "By default name, of a directory cn.", .shape = &value_shape},
    {"email", KUBE_OBJECT, "By default email, of a directory mail.", .shape = &value_shape},
    {"groups", KUBE_LIST,
     "Groups that the user is in; each rule adds those that fit it. Without rules: none.",
     .item = KUBE_OBJECT, .shape = &value_shape, .list = KUBE_ATOMIC, .max = 64},
    {0},
};

static const struct kube_shape mapping_shape = {
    "io.drun.v1.IdentityProviderMapping",
    "What claims become.",
    mapping_fields,
};

static const struct kube_field spec_fields[] = {
    {"displayName", KUBE_STRING, "The name on the button.", .max = 128},
    {"disabled", KUBE_BOOL, "Nobody signs in through it, and the sessions that came from it end.",
     .fallback = "false"},
    {"hidden", KUBE_BOOL, "It has no button: only names of its domains lead there.",
     .fallback = "false"},
    {"domains", KUBE_LIST, "Names with these domains belong to it: corp.example.",
     .item = KUBE_STRING, .format = KUBE_DNS_SUBDOMAIN, .list = KUBE_SET, .max = 64},
    {"privateNetwork", KUBE_BOOL, "It may be at a private address.", .fallback = "false"},
    {"ca", KUBE_STRING, "The authorities of its certificate, PEM; by default the system's.",
     .max = 32768},
    {"oidc", KUBE_OBJECT, "An OpenID Connect provider.", .shape = &oidc_shape},
    {"ldap", KUBE_OBJECT, "An LDAP directory.", .shape = &ldap_shape},
    {"accounts", KUBE_OBJECT, "Which user an account of it is.", .shape = &accounts_shape,
     .fallback = "{}"},
    {"mapping", KUBE_OBJECT, "What its claims become.", .shape = &mapping_shape, .fallback = "{}"},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.IdentityProviderSpec",
    "The desired state of an identity provider.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.IdentityProviderStatus",
    "The observed state of an identity provider.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.IdentityProvider",
    "Whose accounts may sign in here: an OpenID Connect provider or an LDAP directory.",
    fields,
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

static json_t *type_cell(const json_t *object, int64_t now UNUSED)
{
    const json_t *spec = json_object_get(object, "spec");

    return json_string(json_object_get(spec, "oidc") != NULL ? "oidc" : "ldap");
}

static json_t *ready_cell(const json_t *object, int64_t now UNUSED)
{
    const json_t *conditions = json_object_get(json_object_get(object, "status"), "conditions");

    return json_string(text_of(json_array_get(conditions, 0), "reason"));
}

static const struct kube_column columns[] = {
    {"Type", "string", "oidc or ldap.", .cell = type_cell},
    {"Ready", "string", "Whether it answers, when it was last asked.", .cell = ready_cell},
    {"Display Name", "string", "The name on the button.", "spec.displayName"},
    {"Disabled", "boolean", "Whether nobody signs in through it.", "spec.disabled"},
    {0},
};

static void refuse(struct kube_causes *causes, const char *path, const char *why)
{
    kube_cause(causes, "FieldValueInvalid", path, "Invalid value: %s", why);
}

/* A search that does not ask for the person would find somebody else. */
static void validate_ldap(const json_t *ldap, struct kube_causes *causes)
{
    const char *url = text_of(ldap, "url");
    const char *filter = text_of(ldap, "groupFilter");

    if (strncmp(url, "ldaps://", 8) != 0 && strncmp(url, "ldap://", 7) != 0)
        refuse(causes, "spec.ldap.url", "must begin with ldaps:// or ldap://");
    if (strstr(text_of(ldap, "userFilter"), "{login}") == NULL &&
        strstr(text_of(ldap, "userFilter"), "{name}") == NULL)
        refuse(causes, "spec.ldap.userFilter", "must have {login} or {name} in it");
    if (strstr(filter, "{dn}") == NULL && strstr(filter, "{login}") == NULL)
        refuse(causes, "spec.ldap.groupFilter", "must have {dn} or {login} in it");
}

static void validate_oidc(const json_t *oidc, struct kube_causes *causes)
{
    bool openid = false;
    const json_t *scope;
    size_t i;

    if (strncmp(text_of(oidc, "issuer"), "https://", 8) != 0)
        refuse(causes, "spec.oidc.issuer", "must begin with https://");
    json_array_foreach (json_object_get(oidc, "scopes"), i, scope) {
        const char *text = json_string_value(scope);
        openid |= strcmp(text, "openid") == 0;
        if (text[0] == '\0' || strpbrk(text, " \"\\") != NULL)
            refuse(causes, "spec.oidc.scopes", "a scope has a blank, a quote or a backslash");
    }
    if (!openid)
        refuse(causes, "spec.oidc.scopes", "openid must be among them");
}

static void validate(const json_t *object, const json_t *old UNUSED, struct kube_causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");
    const json_t *oidc = json_object_get(spec, "oidc");
    const json_t *ldap = json_object_get(spec, "ldap");

    if ((oidc == NULL) == (ldap == NULL))
        kube_cause(causes, "FieldValueRequired", "spec.oidc",
                   "Required value: one of oidc and ldap");
    if (oidc != NULL)
        validate_oidc(oidc, causes);
    if (ldap != NULL)
        validate_ldap(ldap, causes);
}

const struct kube_kind kube_identity_provider = {
    .group = "drun.io",
    .version = "v1",
    .kind = "IdentityProvider",
    .plural = "identityproviders",
    .singular = "identityprovider",
    .short_names = KUBE_NAMES("idp"),
    .categories = KUBE_NAMES("drun"),
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
    .validate = validate,
};
