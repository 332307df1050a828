/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field account_fields[] = {
    {"namespace", KUBE_STRING, "Its namespace.", .flags = KUBE_REQUIRED, .format = KUBE_DNS_LABEL},
    {"name", KUBE_STRING, "Its name.", .flags = KUBE_REQUIRED, .format = KUBE_DNS_SUBDOMAIN},
    {0},
};

static const struct kube_shape account_shape = {
    "io.drun.v1.TrustedIssuerServiceAccount",
    "A service account.",
    account_fields,
};

static const struct kube_field rule_fields[] = {
    {"subject", KUBE_STRING,
     "What the token's sub must be; * stands for any run of characters: "
     "repo:example/app:ref:refs/heads/*.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .max = 1024},
    {"claims", KUBE_MAP, "Further claims that it must have, as patterns.", .item = KUBE_STRING},
    {"serviceAccount", KUBE_OBJECT, "Whose token is given for it.", .shape = &account_shape,
     .flags = KUBE_REQUIRED},
    {0},
};

static const struct kube_shape rule_shape = {
    "io.drun.v1.TrustedIssuerRule",
    "Which of the issuer's tokens stand for which service account.",
    rule_fields,
};

static const struct kube_field spec_fields[] = {
    {"issuer", KUBE_STRING, "The iss of its tokens.", .flags = KUBE_REQUIRED, .format = KUBE_URL},
    {"jwks", KUBE_ANY, "Its public keys themselves."},
    {"jwksUri", KUBE_STRING, "Where its public keys are.", .format = KUBE_URL},
    {"privateNetwork", KUBE_BOOL, "The jwksUri may lead to a private address."},
    {"ca", KUBE_STRING, "The authority of its certificate, PEM; by default the system's.",
     .max = 32768},
    {"audiences", KUBE_LIST, "What aud must be, or hold; by default this platform's URL.",
     .item = KUBE_STRING, .list = KUBE_SET, .max = 16},
    {"rules", KUBE_LIST, "The first that fits counts.", .item = KUBE_OBJECT, .shape = &rule_shape,
     .list = KUBE_ATOMIC, .max = 256},
    {"disabled", KUBE_BOOL, "Nothing is given for a disabled issuer's tokens.",
     .fallback = "false"},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.TrustedIssuerSpec",
    "The desired state of a trusted issuer.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.TrustedIssuerStatus",
    "The observed state of a trusted issuer.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.TrustedIssuer",
    "An OpenID Connect issuer of elsewhere, such as a CI system, whose tokens programs exchange for "
    "those of service accounts here (RFC 8693).",
    fields,
};

static const struct kube_column columns[] = {
    {"Issuer", "string", "The iss of its tokens.", "spec.issuer"},
    {"Disabled", "boolean", "Whether its tokens are refused.", "spec.disabled"},
    {0},
};

static void validate(const json_t *object, const json_t *old UNUSED, struct kube_causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");
    const json_t *rules = json_object_get(spec, "rules");
    const json_t *rule;
    size_t i;

    if ((json_object_get(spec, "jwks") == NULL) == (json_object_get(spec, "jwksUri") == NULL))
        kube_cause(causes, "FieldValueRequired", "spec.jwks",
                   "Required value: one of jwks and jwksUri");
    json_array_foreach (rules, i, rule) {
        const char *subject = json_string_value(json_object_get(rule, "subject"));
        char path[64];
        snprintf(path, sizeof(path), "spec.rules[%zu].subject", i);
        if (subject != NULL && subject[strspn(subject, "*")] == '\0')
            kube_cause(causes, "FieldValueInvalid", path,
                       "Invalid value: it would fit everybody at this issuer");
    }
}

const struct kube_kind kube_trusted_issuer = {
    .group = "drun.io",
    .version = "v1",
    .kind = "TrustedIssuer",
    .plural = "trustedissuers",
    .singular = "trustedissuer",
    .categories = KUBE_NAMES("drun"),
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .validate = validate,
};
