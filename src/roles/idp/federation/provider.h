/* SPDX-License-Identifier: Apache-2.0 */
/* IdentityProviders: one of them, the list for the sign-in page, and who may write them. */
#ifndef DRUN_IDP_PROVIDER_H
#define DRUN_IDP_PROVIDER_H

#include "egress/egress.h"
#include "idp/idp_internal.h"

#define PROVIDER_PREFIX "/session/providers/"

struct provider {
    json_t *object;
    const json_t *spec, *oidc, *ldap; /* in the object; one of the last two is NULL */
    const char *name, *uid;
    char endpoint[EGRESS_NAME_MAX]; /* "IdentityProvider/corp" */
};

void provider_free(struct provider *provider);
/* Of a whole object. */
void provider_of(const json_t *object, struct provider *out);
void provider_copy(const struct provider *provider, struct provider *out);
/* ERR_NOT_FOUND, also for one that is disabled. */
int provider_load(struct idp *idp, const char *name, struct provider *out,
                  struct err *err) MUST_USE;
/* The name for people. */
const char *provider_display(const struct provider *provider);
/* Do names like alice@corp.example belong to it? */
bool provider_has_domain_of(const struct provider *provider, const char *user_name);
/* The directory that a typed name belongs to, by its domain; ERR_NOT_FOUND. */
int provider_find_directory(struct idp *idp, const char *user_name, struct provider *out,
                            struct err *err) MUST_USE;
/* Where calls go. Points into the provider. */
struct egress_endpoint provider_egress(const struct provider *provider);
/* A secretRef of it; name NULL without one. */
struct egress_secret provider_secret(const json_t *holder, const char *name);
/* What a button needs, and what links can be made to: an array. */
int provider_list(struct idp *idp, const char *user_name, json_t **out, struct err *err) MUST_USE;

/* Whoever says who vouches for users could be each of them: see the function. */
int provider_admit(struct idp *idp, struct kube_change *change, struct err *err) MUST_USE;
void provider_changed(struct idp *idp, const struct kube_change *change);

#endif
