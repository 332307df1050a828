/* SPDX-License-Identifier: Apache-2.0 */
/* Users and Groups as SCIM resources and back. What has a field in the object is there and nowhere
 * else; the rest of a person is in spec.profile under its SCIM names. */
#include "idp/scim/scim_api.h"

#include "base/mem.h"
#include "codec/json.h"
#include "idp/federation/mapping.h"

#include <strings.h>

static json_t *spec_of(json_t *object)
{
    json_t *spec = json_object_get(object, "spec");

    if (spec == NULL)
        json_object_set_new(object, "spec", spec = json_object());
    return spec;
}

static const char *name_of(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "name", "");
}

/* ------------------------------------------------------------------ ids, versions, names */

void scim_id_of(const json_t *object, char out[SCIM_ID_SIZE])
{
    snprintf(out, SCIM_ID_SIZE, "%s~%s", name_of(object),
             codec_json_text(json_object_get(object, "metadata"), "uid", ""));
}

int scim_find(struct scim *scim, const struct scim_binding *binding, const char *id, json_t **out,
              struct err *err)
{
    const char *tilde = strrchr(id, '~');
    CLEANUP_FREE char *name = mem_strndup(id, tilde == NULL ? 0 : (size_t)(tilde - id));
    CLEANUP_JSON json_t *object = NULL;

    if (name[0] != '\0' && strlen(id) < SCIM_ID_SIZE &&
        kube_format_check(binding->kind->name_format, name) == NULL) {
        int found =
            kube_object_get(serve_kube(scim->idp->serve), binding->kind, "", name, &object, err);
        if (found < 0 && err->code != ERR_NOT_FOUND)
            return -1;
        if (found == 0 && strcmp(codec_json_text(json_object_get(object, "metadata"), "uid", ""),
                                 tilde + 1) == 0) {
            *out = json_incref(object);
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "there is no %s with the id %.280s", binding->resource->name,
                   id);
}

void scim_version(const json_t *object, char out[64])
{
    snprintf(out, 64, "W/\"%.40s\"",
             codec_json_text(json_object_get(object, "metadata"), "resourceVersion", ""));
}

void scim_make_name(const struct scim_binding *binding, const char *text, char out[254])
{
    snprintf(out, 254, "%s", strlen(text) < 254 ? text : "");
    if (binding->kind == &kube_user || kube_format_check(binding->kind->name_format, out) != NULL)
        mapping_make_name(out);
}

/* ------------------------------------------------------------------ users */

static const char enterprise[] = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/* The preferred one, or the first. */
static const char *primary_of(const json_t *emails)
{
    const char *first = "";
    const json_t *email;
    size_t i;

    json_array_foreach (emails, i, email) {
        const char *value = codec_json_text(email, "value", "");
        if (json_is_true(json_object_get(email, "primary")))
            return value;
        if (first[0] == '\0')
            first = value;
    }
    return first;
}

static json_t *emails_of(const json_t *spec, const json_t *profile)
{
    const char *email = codec_json_text(spec, "email", "");
    json_t *kept = json_object_get(profile, "emails");

    if (email[0] == '\0')
        return NULL;
    /* Somebody has changed it in the object since. */
    if (strcasecmp(primary_of(kept), email) == 0)
        return json_deep_copy(kept);
    return json_pack("[{s:s, s:b}]", "value", email, "primary", 1);
}

static json_t *group_of_user(struct scim *scim, const char *group)
{
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;
    char id[SCIM_ID_SIZE];

    if (kube_object_get(serve_kube(scim->idp->serve), &kube_group, "", group, &object, &err) < 0)
        return json_pack("{s:s, s:s, s:s}", "value", group, "display", group, "type", "direct");
    scim_id_of(object, id);
    CLEANUP_FREE char *ref = mem_printf("%s" SCIM_PREFIX "/Groups/%s", scim->idp->url, id);
    return json_pack("{s:s, s:s, s:s, s:s}", "value", id, "$ref", ref, "display",
                     codec_json_text(json_object_get(object, "spec"), "displayName", group), "type",
                     "direct");
}

static json_t *groups_of_user(struct scim *scim, const json_t *object)
{
    json_t *have = json_object_get(json_object_get(object, "spec"), "groups");
    CLEANUP_JSON json_t *names = have == NULL ? json_array() : json_copy(have);
    json_t *groups = json_array();
    struct err err = ERR_INIT;
    const json_t *name;
    size_t i;

    if (members_add_groups(scim->idp->members, name_of(object), names, &err) < 0)
        err_clear(&err);
    json_array_foreach (names, i, name)
        json_array_append_new(groups, group_of_user(scim, json_string_value(name)));
    return groups;
}

static json_t *user_to_scim(struct scim *scim, const json_t *object)
{
    const json_t *spec = json_object_get(object, "spec");
    const json_t *profile = json_object_get(spec, "profile");
    json_t *user = json_is_object(profile) ? json_deep_copy(profile) : json_object();
    json_t *emails = emails_of(spec, profile);
    const char *display = codec_json_text(spec, "displayName", "");

    if (json_object_get(user, "userName") == NULL)
        json_object_set_new(user, "userName", json_string(name_of(object)));
    if (display[0] != '\0')
        json_object_set_new(user, "displayName", json_string(display));
    json_object_set_new(user, "active",
                        json_boolean(!json_is_true(json_object_get(spec, "disabled"))));
    json_object_del(user, "emails");
    if (emails != NULL)
        json_object_set_new(user, "emails", emails);
    json_object_set_new(user, "groups", groups_of_user(scim, object));
    return user;
}

/* What people read, where the client says no displayName: the parts of the name. */
static json_t *display_of(const json_t *resource)
{
    const json_t *name = json_object_get(resource, "name");
    const char *given = codec_json_text(name, "givenName", "");
    const char *family = codec_json_text(name, "familyName", "");
    const char *text =
        codec_json_text(resource, "displayName", codec_json_text(name, "formatted", ""));

    if (text[0] != '\0')
        return json_string(text);
    if (given[0] == '\0' && family[0] == '\0')
        return NULL;
    CLEANUP_FREE char *both =
        mem_printf("%s%s%s", given, given[0] != '\0' && family[0] != '\0' ? " " : "", family);
    return json_string(both);
}

static void set_or_del(json_t *object, const char *name, json_t *value)
{
    if (value != NULL)
        json_object_set_new(object, name, value);
    else
        json_object_del(object, name);
}

static int take_email(const json_t *resource, json_t *spec, const char **type, struct err *err)
{
    const char *email = primary_of(json_object_get(resource, "emails"));
    const char *why = email[0] == '\0' ? NULL : kube_format_check(KUBE_EMAIL, email);

    if (why != NULL) {
        *type = "invalidValue";
        return err_set(err, ERR_INVALID, "emails: \"%.128s\" is no address: %s", email, why);
    }
    set_or_del(spec, "email", email[0] == '\0' ? NULL : json_string(email));
    return 0;
}

/* One address that says no more than spec.email does. */
static bool is_plain(const json_t *emails)
{
    const json_t *email = json_array_get(emails, 0);

    return json_array_size(emails) == 1 && json_object_size(email) == 2 &&
           json_is_true(json_object_get(email, "primary")) &&
           json_object_get(email, "value") != NULL;
}

/* All that has no field. */
static json_t *profile_of(const json_t *resource, const char *name)
{
    static const char *const elsewhere[] = {"schemas", "id",       "meta",        "groups",
                                            "active",  "password", "displayName", NULL};
    json_t *profile = json_deep_copy(resource);

    for (const char *const *one = elsewhere; *one != NULL; one++)
        json_object_del(profile, *one);
    if (strcmp(codec_json_text(profile, "userName", ""), name) == 0)
        json_object_del(profile, "userName");
    if (is_plain(json_object_get(profile, "emails")))
        json_object_del(profile, "emails");
    if (json_object_size(json_object_get(profile, enterprise)) == 0)
        json_object_del(profile, enterprise);
    if (json_object_size(profile) > 0)
        return profile;
    json_decref(profile);
    return NULL;
}

static int user_from_scim(struct scim *scim UNUSED, const json_t *resource, json_t *object,
                          const char **type, struct err *err)
{
    json_t *spec = spec_of(object);
    json_t *active = json_object_get(resource, "active");
    json_t *profile = profile_of(resource, name_of(object));

    set_or_del(spec, "profile", profile);
    if (profile != NULL && json_dumpb(profile, NULL, 0, JSON_COMPACT) > SCIM_PROFILE_MAX)
        return err_set(err, ERR_TOO_LARGE, "a user's attributes are more than %d bytes",
                       SCIM_PROFILE_MAX);
    set_or_del(spec, "displayName", display_of(resource));
    /* Whoever does not speak of it lets nobody in again. */
    if (active != NULL)
        json_object_set_new(spec, "disabled", json_boolean(!json_is_true(active)));
    return take_email(resource, spec, type, err);
}

/* ------------------------------------------------------------------ groups */

static json_t *member_of(struct scim *scim, const char *user)
{
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;
    char id[SCIM_ID_SIZE];

    if (kube_object_get(serve_kube(scim->idp->serve), &kube_user, "", user, &object, &err) < 0)
        return NULL;
    scim_id_of(object, id);
    CLEANUP_FREE char *ref = mem_printf("%s" SCIM_PREFIX "/Users/%s", scim->idp->url, id);
    return json_pack("{s:s, s:s, s:s}", "value", id, "$ref", ref, "type", "User");
}

static json_t *group_to_scim(struct scim *scim, const json_t *object)
{
    const json_t *spec = json_object_get(object, "spec");
    const char *external = codec_json_text(spec, "externalId", "");
    json_t *members = json_array();
    json_t *group =
        json_pack("{s:s}", "displayName", codec_json_text(spec, "displayName", name_of(object)));
    const json_t *user;
    size_t i;

    if (external[0] != '\0')
        json_object_set_new(group, "externalId", json_string(external));
    json_array_foreach (json_object_get(spec, "members"), i, user) {
        json_t *member = member_of(scim, json_string_value(user));
        if (member != NULL)
            json_array_append_new(members, member);
    }
    json_object_set_new(group, "members", members);
    return group;
}

static int take_member(struct scim *scim, const json_t *member, json_t *names, const char **type,
                       struct err *err)
{
    CLEANUP_JSON json_t *user = NULL;
    const char *id = codec_json_text(member, "value", "");
    const json_t *have;
    size_t i;

    *type = "invalidValue";
    if (strcasecmp(codec_json_text(member, "type", "User"), "User") != 0)
        return err_set(err, ERR_INVALID, "members: a group has users alone, no groups");
    if (scim_find(scim, &scim_bindings[0], id, &user, err) < 0) {
        if (err->code == ERR_NOT_FOUND)
            return err_set(err, ERR_INVALID, "members: there is no User with the id %.280s", id);
        return -1;
    }
    json_array_foreach (names, i, have)
        if (strcmp(json_string_value(have), name_of(user)) == 0)
            return 0;
    json_array_append_new(names, json_string(name_of(user)));
    return 0;
}

static int group_from_scim(struct scim *scim, const json_t *resource, json_t *object,
                           const char **type, struct err *err)
{
    json_t *spec = spec_of(object);
    const char *display = codec_json_text(resource, "displayName", "");
    const char *external = codec_json_text(resource, "externalId", "");
    json_t *names = json_array();
    const json_t *member;
    size_t i;

    json_object_set_new(spec, "members", names);
    json_array_foreach (json_object_get(resource, "members"), i, member)
        TRY(take_member(scim, member, names, type, err));
    if (json_array_size(names) == 0)
        json_object_del(spec, "members");
    set_or_del(spec, "displayName", json_string(display));
    set_or_del(spec, "externalId", external[0] == '\0' ? NULL : json_string(external));
    return 0;
}

/* ------------------------------------------------------------------ both */

const struct scim_binding scim_bindings[] = {
    {&scim_user, &kube_user, user_to_scim, user_from_scim, "userName"},
    {&scim_group, &kube_group, group_to_scim, group_from_scim, "displayName"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct scim_binding *scim_binding_of(const char *endpoint)
{
    for (const struct scim_binding *one = scim_bindings; one->resource != NULL; one++)
        if (strcmp(one->resource->endpoint + 1, endpoint) == 0)
            return one;
    return NULL;
}

/* The newest time that somebody wrote a field. */
static const char *last_change(const json_t *metadata)
{
    const char *newest = codec_json_text(metadata, "creationTimestamp", "1970-01-01T00:00:00Z");
    const json_t *entry;
    size_t i;

    json_array_foreach (json_object_get(metadata, "managedFields"), i, entry) {
        const char *time = codec_json_text(entry, "time", "");
        if (strcmp(time, newest) > 0)
            newest = time;
    }
    return newest;
}

json_t *scim_show(struct scim *scim, const struct scim_binding *binding, const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");
    json_t *shown = binding->to_scim(scim, object);
    json_t *schemas = json_pack("[s]", binding->resource->schema->urn);
    char id[SCIM_ID_SIZE], version[64];

    if (binding->resource->extension != NULL &&
        json_object_get(shown, binding->resource->extension->urn) != NULL)
        json_array_append_new(schemas, json_string(binding->resource->extension->urn));
    scim_id_of(object, id);
    scim_version(object, version);
    CLEANUP_FREE char *location =
        mem_printf("%s" SCIM_PREFIX "%s/%s", scim->idp->url, binding->resource->endpoint, id);
    json_object_set_new(shown, "schemas", schemas);
    json_object_set_new(shown, "id", json_string(id));
    json_object_set_new(
        shown, "meta",
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "resourceType", binding->resource->name, "created",
                  codec_json_text(metadata, "creationTimestamp", ""), "lastModified",
                  last_change(metadata), "location", location, "version", version));
    return shown;
}
