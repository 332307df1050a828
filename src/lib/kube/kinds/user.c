/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"
#include "kube/storage.h"

static const struct kube_field mfa_fields[] = {
    {"required", KUBE_BOOL, "Nobody whom this is about signs in without a second factor."},
    {"level", KUBE_STRING, "Whether any second factor will do, or only a passkey.",
     .values = KUBE_NAMES("mfa", "phishing-resistant")},
    {"graceSeconds", KUBE_INT32,
     "How long one may still sign in without it, from the first sign-in on; then it must be set up.",
     .min = 0, .max = 31536000},
    {"methods", KUBE_LIST, "Second factors that may be used; empty means all.", .item = KUBE_STRING,
     .values = KUBE_NAMES("totp", "webauthn", "sms", "recovery"), .list = KUBE_SET},
    {0},
};

const struct kube_shape kube_shape_mfa = {
    "io.drun.v1.Mfa",
    "What is needed beside the password.",
    mfa_fields,
};

static const struct kube_field spec_fields[] = {
    {"displayName", KUBE_STRING, "The name that people read.", .max = 128},
    {"email", KUBE_STRING, "Where the user gets mail.", .format = KUBE_EMAIL},
    {"groups", KUBE_LIST, "Groups that the user is in, beside those that list it as a member.",
     .item = KUBE_STRING, .format = KUBE_PATH_SEGMENT, .list = KUBE_SET, .max = 256},
    {"disabled", KUBE_BOOL, "A disabled user cannot sign in, and its keys and tokens are refused.",
     .fallback = "false"},
    {"mfa", KUBE_OBJECT, "What the user needs beside the password.", .shape = &kube_shape_mfa},
    {"passwordChangeRequired", KUBE_BOOL, "The next sign-in must set a new password."},
    {"profile", KUBE_ANY,
     "What a provisioning client (SCIM 2.0) keeps about the person: attributes of RFC 7643 that have "
     "no field here."},
    {"expiresAt", KUBE_STRING, "After this time the user is as good as disabled.",
     .format = KUBE_TIME},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.UserSpec",
    "The desired state of a user.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    {"state", KUBE_STRING, "Invited: has not set a password yet. Disabled: is shut out.",
     .values = KUBE_NAMES("Invited", "Active", "Disabled")},
    {"lastLogin", KUBE_STRING, "When the user last signed in.", .format = KUBE_TIME},
    {"passwordSet", KUBE_BOOL, "Whether there is a password."},
    {"mfaMethods", KUBE_LIST, "Second factors that are set up.", .item = KUBE_STRING},
    {"inviteURL", KUBE_STRING,
     "The link with which the user sets the first password: in the answer to the creation and never "
     "again."},
    {"lockedUntil", KUBE_STRING, "After too many wrong passwords no sign-in is tried until then.",
     .format = KUBE_TIME},
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.UserStatus",
    "The observed state of a user.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .fallback = "{}"},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.User",
    "A person who signs in. The password is not part of the object.",
    fields,
};

static const struct kube_column columns[] = {
    {"Display Name", "string", "The name that people read.", "spec.displayName"},
    {"Email", "string", "Where the user gets mail.", "spec.email"},
    {"State", "string", "Whether the user can sign in.", "status.state"},
    {"Last Login", "date", "When the user last signed in.", "status.lastLogin", .priority = 1},
    {0},
};

/* At a start idp looks for whom something is against, and for somebody who operates the platform,
 * among very many of whom neither is said. */
static void user_terms(const json_t *object, struct kube_terms *terms)
{
    const json_t *spec = json_object_get(object, "spec");
    const json_t *group;
    size_t i;

    if (json_is_true(json_object_get(spec, "disabled")) ||
        json_object_get(spec, "expiresAt") != NULL)
        kube_terms_add(terms, "limited", "true");
    json_array_foreach (json_object_get(spec, "groups"), i, group)
        if (json_is_string(group) && strcmp(json_string_value(group), "drun:operators") == 0)
            kube_terms_add(terms, "operator", "true");
}

const struct kube_kind kube_user = {
    .group = "drun.io",
    .version = "v1",
    .kind = "User",
    .plural = "users",
    .singular = "user",
    .categories = KUBE_NAMES("drun"),
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .selectable = KUBE_NAMES("spec.disabled", "spec.email"),
    .indexed = KUBE_NAMES("spec.email"),
    .terms = user_terms,
};
