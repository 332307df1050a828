/* SPDX-License-Identifier: Apache-2.0 */
/* Grants, joined with people and keys. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/access.h"
#include "codec/json.h"

#include <stdlib.h>

#define ACCOUNT "system:serviceaccount:"

int64_t access_time(const char *text)
{
    struct err err = ERR_INIT;
    int64_t sec = 0;

    return text != NULL && clock_parse(span_str(text), &sec, &err) == 0 ? sec : 0;
}

const char *access_name(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "name", "");
}

struct join {
    const struct access_source *source;
    json_t *rights;   /* "KIND/NAMESPACE/NAME" of a role to its rights as texts */
    json_t *people;   /* name to User */
    json_t *accounts; /* system:serviceaccount:NS:NAME to true */
    json_t *members;  /* group to {user: true} */
    json_t *key_uses; /* owner to the last use of a key of his */
    json_t *access;
};

/* ------------------------------------------------------------------ rights */

static void put_words(const json_t *list, const char *prefix, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        buf_printf(out, "%s%s%s", i > 0 ? "," : "", prefix,
                   json_string_value(json_array_get(list, i)));
}

/* "get,list drun.io/models,modelservices [one,two]" */
static json_t *right_of(const json_t *rule)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(64 * 1024);
    const json_t *groups = json_object_get(rule, "apiGroups");
    const json_t *names = json_object_get(rule, "resourceNames");

    put_words(json_object_get(rule, "verbs"), "", &text);
    buf_put_u8(&text, ' ');
    if (json_object_get(rule, "nonResourceURLs") != NULL) {
        put_words(json_object_get(rule, "nonResourceURLs"), "", &text);
        return json_string(buf_text(&text));
    }
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const char *group = json_string_value(json_array_get(groups, i));
        CLEANUP_FREE char *prefix = group[0] == '\0' ? mem_strdup("") : mem_printf("%s/", group);
        if (i > 0)
            buf_put_u8(&text, ',');
        put_words(json_object_get(rule, "resources"), prefix, &text);
    }
    if (names != NULL) {
        buf_put_str(&text, " [");
        put_words(names, "", &text);
        buf_put_u8(&text, ']');
    }
    return json_string(buf_text(&text));
}

static char *role_key(const char *kind, const char *namespace, const char *name)
{
    return mem_printf("%s/%s/%s", kind, strcmp(kind, "Role") == 0 ? namespace : "", name);
}

static void index_roles(struct join *join)
{
    const json_t *role;
    const json_t *rule;
    size_t i;
    size_t j;

    json_array_foreach (json_object_get(join->source->report, "roles"), i, role) {
        CLEANUP_FREE char *key =
            role_key(codec_json_text(role, "kind", ""), codec_json_text(role, "namespace", ""),
                     codec_json_text(role, "name", ""));
        json_t *rights = json_array();
        json_array_foreach (json_object_get(role, "rules"), j, rule)
            json_array_append_new(rights, right_of(rule));
        json_object_set_new(join->rights, key, rights);
    }
}

/* ------------------------------------------------------------------ who is who */

static void add_member(struct join *join, const char *group, const char *user)
{
    json_t *users = json_object_get(join->members, group);

    if (users == NULL)
        json_object_set_new(join->members, group, users = json_object());
    json_object_set_new(users, user, json_true());
}

static void index_people(struct join *join)
{
    json_t *object;
    size_t i;

    json_array_foreach (join->source->users, i, object)
        json_object_set(join->people, access_name(object), object);
    json_array_foreach (join->source->accounts, i, object) {
        CLEANUP_FREE char *name = mem_printf(
            ACCOUNT "%s:%s", codec_json_text(json_object_get(object, "metadata"), "namespace", ""),
            access_name(object));
        json_object_set_new(join->accounts, name, json_true());
    }
}

static void index_members(struct join *join)
{
    const json_t *object;
    const json_t *item;
    size_t i;
    size_t j;

    json_array_foreach (join->source->users, i, object)
        json_array_foreach (codec_json_at(object, "spec", "groups", NULL), j, item)
            add_member(join, json_string_value(item), access_name(object));
    json_array_foreach (join->source->groups, i, object)
        json_array_foreach (codec_json_at(object, "spec", "members", NULL), j, item)
            add_member(join, access_name(object), json_string_value(item));
}

static char *owner_of(const json_t *key)
{
    const json_t *spec = json_object_get(key, "spec");
    const char *account = codec_json_text(spec, "serviceAccountName", NULL);

    if (account == NULL)
        return mem_strdup(codec_json_text(spec, "user", ""));
    return mem_printf(ACCOUNT "%s:%s",
                      codec_json_text(json_object_get(key, "metadata"), "namespace", ""), account);
}

static void index_keys(struct join *join, json_t *out)
{
    const json_t *key;
    size_t i;

    json_array_foreach (join->source->keys, i, key) {
        CLEANUP_FREE char *owner = owner_of(key);
        const json_t *use = codec_json_at(key, "status", "lastUsed", NULL);
        const char *time = codec_json_text(use, "time", "");
        const char *known = codec_json_text(join->key_uses, owner, "");
        const json_t *metadata = json_object_get(key, "metadata");
        if (strcmp(time, known) > 0)
            json_object_set_new(join->key_uses, owner, json_string(time));
        json_array_append_new(
            out,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "namespace",
                      codec_json_text(metadata, "namespace", ""), "name", access_name(key), "owner",
                      owner, "created", codec_json_text(metadata, "creationTimestamp", ""),
                      "expires", codec_json_text(json_object_get(key, "spec"), "expiresAt", ""),
                      "lastUsed", time, "address", codec_json_text(use, "address", ""), "disabled",
                      json_is_true(codec_json_at(key, "spec", "disabled", NULL))));
    }
}

/* "Active", "Missing", or "" where it cannot be told. */
static const char *state_of(const struct join *join, const char *kind, const char *name,
                            const json_t *user)
{
    const struct access_source *source = join->source;

    if (strcmp(kind, "Group") == 0)
        return "";
    if (strncmp(name, ACCOUNT, strlen(ACCOUNT)) == 0)
        return source->accounts == NULL || json_object_get(join->accounts, name) != NULL
                   ? ""
                   : "Missing";
    if (strncmp(name, "system:", 7) == 0 || source->users == NULL)
        return "";
    if (user == NULL)
        return "Missing";
    return codec_json_text(json_object_get(user, "status"), "state", "Active");
}

/* ------------------------------------------------------------------ rows */

static void add_row(struct join *join, const char *kind, const char *name, const char *via,
                    const json_t *grant)
{
    const json_t *user = strcmp(kind, "User") == 0 ? json_object_get(join->people, name) : NULL;
    bool is_account = strncmp(name, ACCOUNT, strlen(ACCOUNT)) == 0;
    const char *role_kind = codec_json_text(grant, "roleKind", "");
    const char *namespace = codec_json_text(grant, "namespace", "");
    const char *role = codec_json_text(grant, "role", "");
    CLEANUP_FREE char *key = role_key(role_kind, namespace, role);
    json_t *rights = json_object_get(join->rights, key);
    json_t *row = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "kind",
        is_account ? "ServiceAccount" : kind, "name", is_account ? name + strlen(ACCOUNT) : name,
        "state", state_of(join, kind, name, user), "via", via, "namespace", namespace, "roleKind",
        role_kind, "role", role, "bindingKind", codec_json_text(grant, "bindingKind", ""),
        "binding", codec_json_text(grant, "binding", ""), "lastSignIn",
        codec_json_text(json_object_get(user, "status"), "lastLogin", ""), "lastKeyUse",
        codec_json_text(join->key_uses, name, ""), "rights",
        rights == NULL ? json_array() : json_incref(rights));

    json_array_append_new(join->access, row);
}

/* A group that nobody is known to be in is a row of its own; so are those that are everybody. */
static void add_grant(struct join *join, const json_t *grant)
{
    const char *kind = codec_json_text(grant, "kind", "");
    const char *name = codec_json_text(grant, "name", "");
    json_t *users = strcmp(kind, "Group") == 0 ? json_object_get(join->members, name) : NULL;
    CLEANUP_FREE char *via = mem_printf("Group %s", name);
    const char *user;
    json_t *value UNUSED;

    if (users == NULL)
        add_row(join, kind, name, "", grant);
    json_object_foreach (users, user, value)
        add_row(join, "User", user, via, grant);
}

static int compare(const void *a, const void *b)
{
    static const char *const order[] = {"kind", "name", "namespace", "role", "binding"};
    const json_t *one = *(json_t *const *)a;
    const json_t *other = *(json_t *const *)b;
    int result = 0;

    for (size_t i = 0; i < ARRAY_LEN(order) && result == 0; i++)
        result = strcmp(codec_json_text(one, order[i], ""), codec_json_text(other, order[i], ""));
    return result;
}

static json_t *sorted(json_t *rows)
{
    size_t count = json_array_size(rows);
    CLEANUP_FREE json_t **items = mem_new_array(count, sizeof(*items));
    json_t *out = json_array();

    for (size_t i = 0; i < count; i++)
        items[i] = json_array_get(rows, i);
    qsort(items, count, sizeof(*items), compare);
    for (size_t i = 0; i < count; i++)
        json_array_append(out, items[i]);
    json_decref(rows);
    return out;
}

static json_t *unread(const struct access_source *source)
{
    const struct {
        const json_t *list;
        const char *name;
    } lists[] = {{source->users, "users"},
                 {source->groups, "groups"},
                 {source->keys, "apikeys"},
                 {source->accounts, "serviceaccounts"}};
    json_t *out = json_array();

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (lists[i].list == NULL)
            json_array_append_new(out, json_string(lists[i].name));
    return out;
}

json_t *access_review(const struct access_source *source)
{
    struct join join = {.source = source,
                        .rights = json_object(),
                        .people = json_object(),
                        .accounts = json_object(),
                        .members = json_object(),
                        .key_uses = json_object(),
                        .access = json_array()};
    json_t *keys = json_array();
    json_t *findings = json_array();
    const json_t *grant;
    size_t i;

    index_roles(&join);
    index_people(&join);
    index_members(&join);
    index_keys(&join, keys);
    json_array_foreach (json_object_get(source->report, "grants"), i, grant)
        add_grant(&join, grant);
    json_t *access = sorted(join.access);
    access_find(source, access, keys, findings);
    json_decref(join.rights);
    json_decref(join.people);
    json_decref(join.accounts);
    json_decref(join.members);
    json_decref(join.key_uses);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "time",
                     codec_json_text(source->report, "time", ""), "namespace",
                     codec_json_text(source->report, "namespace", ""), "access", access, "keys",
                     keys, "findings", findings, "unread", unread(source));
}
