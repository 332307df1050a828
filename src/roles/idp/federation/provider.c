/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/federation/provider.h"

#include "base/mem.h"
#include "codec/json.h"
#include "idp/federation/federation.h"
#include "idp/federation/mapping.h"
#include "log/log.h"

#include <strings.h>

void provider_free(struct provider *provider)
{
    json_decref(provider->object);
    *provider = (struct provider){.name = ""};
}

void provider_of(const json_t *object, struct provider *out)
{
    const json_t *metadata = json_object_get(object, "metadata");

    out->object = json_incref((json_t *)(uintptr_t)object);
    out->spec = json_object_get(object, "spec");
    out->oidc = json_object_get(out->spec, "oidc");
    out->ldap = json_object_get(out->spec, "ldap");
    out->name = codec_json_text(metadata, "name", "");
    out->uid = codec_json_text(metadata, "uid", "");
    snprintf(out->endpoint, sizeof(out->endpoint), "IdentityProvider/%.63s", out->name);
}

void provider_copy(const struct provider *provider, struct provider *out)
{
    provider_of(provider->object, out);
}

static bool is_disabled(const json_t *object)
{
    return json_is_true(codec_json_at(object, "spec", "disabled", NULL));
}

int provider_load(struct idp *idp, const char *name, struct provider *out, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    if (kube_format_check(KUBE_DNS_LABEL, name) != NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no such identity provider");
    TRY(kube_object_get(serve_kube(idp->serve), &kube_identity_provider, "", name, &object, err));
    if (is_disabled(object))
        return err_set(err, ERR_NOT_FOUND, "the identity provider %s is disabled", name);
    provider_of(object, out);
    return 0;
}

const char *provider_display(const struct provider *provider)
{
    return codec_json_text(provider->spec, "displayName", provider->name);
}

struct egress_endpoint provider_egress(const struct provider *provider)
{
    return (struct egress_endpoint){
        .name = provider->endpoint,
        .ca_pem = span_str(codec_json_text(provider->spec, "ca", "")),
        .private_network = json_is_true(json_object_get(provider->spec, "privateNetwork"))};
}

struct egress_secret provider_secret(const json_t *holder, const char *name)
{
    const json_t *ref = json_object_get(holder, name);

    return (struct egress_secret){.namespace = codec_json_text(ref, "namespace", ""),
                                  .name = codec_json_text(ref, "name", NULL),
                                  .key = codec_json_text(ref, "key", "secret")};
}

/* ------------------------------------------------------------------ whose name is it? */

bool provider_has_domain_of(const struct provider *provider, const char *user_name)
{
    const char *at = strrchr(user_name, '@');
    const json_t *domain;
    size_t i;

    if (at == NULL)
        return false;
    json_array_foreach (json_object_get(provider->spec, "domains"), i, domain)
        if (strcasecmp(json_string_value(domain), at + 1) == 0)
            return true;
    return false;
}

struct search {
    const char *user_name;
    struct provider *out;
};

static int look_for_directory(void *ctx, const json_t *object, struct err *err UNUSED)
{
    struct search *search = ctx;
    CLEANUP(provider_free) struct provider provider = {.name = ""};

    provider_of(object, &provider);
    if (is_disabled(object) || provider.ldap == NULL ||
        !provider_has_domain_of(&provider, search->user_name))
        return 0;
    *search->out = provider;
    provider = (struct provider){.name = ""};
    return 1;
}

int provider_find_directory(struct idp *idp, const char *user_name, struct provider *out,
                            struct err *err)
{
    struct search search = {.user_name = user_name, .out = out};
    int found = kube_object_each(serve_kube(idp->serve), &kube_identity_provider, NULL,
                                 look_for_directory, &search, err);

    TRY(found);
    return found == 1 ? 0 : err_set(err, ERR_NOT_FOUND, "no directory has names of that domain");
}

/* ------------------------------------------------------------------ the list */

struct listing {
    const char *user_name; /* NULL: those with a button */
    json_t *items;
};

static int list_one(void *ctx, const json_t *object, struct err *err UNUSED)
{
    struct listing *listing = ctx;
    CLEANUP(provider_free) struct provider provider = {.name = ""};

    provider_of(object, &provider);
    bool shown = listing->user_name != NULL
                     ? provider_has_domain_of(&provider, listing->user_name)
                     : !json_is_true(json_object_get(provider.spec, "hidden"));
    if (is_disabled(object) || !shown)
        return 0;
    CLEANUP_FREE char *start = mem_printf(PROVIDER_PREFIX "%s/%s", provider.name,
                                          provider.oidc != NULL ? "start" : "sign-in");
    return json_array_append_new(
        listing->items, json_pack("{s:s, s:s, s:s, s:s}", "name", provider.name, "displayName",
                                  provider_display(&provider), "type",
                                  provider.oidc != NULL ? "oidc" : "ldap", "start", start));
}

int provider_list(struct idp *idp, const char *user_name, json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *items = json_array();
    struct listing listing = {.user_name = user_name, .items = items};

    TRY(kube_object_each(serve_kube(idp->serve), &kube_identity_provider, NULL, list_one, &listing,
                         err));
    *out = json_incref(items);
    return 0;
}

/* ------------------------------------------------------------------ who may write it */

static bool differs(const struct kube_change *change, const char *const path[3])
{
    return !json_equal(codec_json_at(change->old, path[0], path[1], path[2], NULL),
                       codec_json_at(change->object, path[0], path[1], path[2], NULL));
}

/* A change after which somebody else could vouch for users that are linked already. */
static bool moves(const struct kube_change *change)
{
    static const char *const paths[][3] = {{"spec", "oidc", NULL},
                                           {"spec", "ldap", NULL},
                                           {"spec", "ca", NULL},
                                           {"spec", "privateNetwork", NULL}};

    for (size_t i = 0; change->old != NULL && i < ARRAY_LEN(paths); i++)
        if (differs(change, paths[i]))
            return true;
    return false;
}

static int check_groups(struct idp *idp, const struct kube_change *change, struct err *err)
{
    static const char *const path[3] = {"spec", "mapping", "groups"};
    const json_t *rule;
    size_t i;

    if (!differs(change, path))
        return 0;
    json_array_foreach (codec_json_at(change->object, "spec", "mapping", "groups", NULL), i, rule) {
        const char *template = codec_json_text(rule, "template", "{0}");
        if (mapping_is_fixed(template)) {
            CLEANUP_JSON json_t *group = json_pack("[s]", template);
            if (!mapping_group_is_good(template))
                return err_set(err, ERR_INVALID,
                               "spec.mapping.groups[%zu].template: nobody can be put into %.64s", i,
                               template);
            TRY(members_may_add(idp, change->principal, NULL, group, err));
        } else if (!idp_may_impersonate(idp, change->principal, "groups", "", "")) {
            return err_set(err, ERR_DENIED,
                           "spec.mapping.groups[%zu].template stands for groups of any name, and "
                           "%s has no right to impersonate every group; name the group",
                           i, change->principal->name);
        }
    }
    return 0;
}

/*
 * Creating users and linking one's own account is harmless. What could make the writer somebody
 * else needs the right to impersonate users: linking by e-mail, and leading a provider that has
 * links to another place. Groups are given away as in a User.
 */
int provider_admit(struct idp *idp, struct kube_change *change, struct err *err)
{
    bool by_email =
        json_is_true(codec_json_at(change->object, "spec", "accounts", "linkByEmail", NULL));

    if (change->object == NULL)
        return 0;
    if ((by_email || moves(change)) &&
        !json_equal(json_object_get(change->old, "spec"),
                    json_object_get(change->object, "spec")) &&
        !idp_may_impersonate(idp, change->principal, "users", "", ""))
        return err_set(err, ERR_DENIED,
                       "%s has no right to impersonate users, so may not say who vouches for those "
                       "that are there already (%s)",
                       change->principal->name,
                       by_email ? "spec.accounts.linkByEmail" : "a change of where it is");
    return check_groups(idp, change, err);
}

void provider_changed(struct idp *idp, const struct kube_change *change)
{
    struct err err = ERR_INIT;

    metadata_forget(idp->federation, change->name);
    if (change->object != NULL && !is_disabled(change->object)) {
        reach_look(idp, change->object);
        return;
    }
    int result = federation_end_sessions(idp, change->name, &err);
    if (result == 0 && change->object == NULL)
        result = links_drop_provider(idp, change->name, &err);
    if (result < 0)
        log_error("idp.federation", &err);
}
