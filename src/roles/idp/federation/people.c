/* SPDX-License-Identifier: Apache-2.0 */
/* Which user an outside account is: the linked one, one with the same verified address, a new one;
 * as the IdentityProvider allows. Nobody becomes a user that is there already by a name alone. */
#include "idp/federation/federation.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"

#include <ctype.h>
#include <strings.h>

static bool allows(const struct outside *outside, const char *what)
{
    return json_is_true(codec_json_at(outside->provider->spec, "accounts", what, NULL));
}

/* ------------------------------------------------------------------ what a sign-in changes */

static bool has_text(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (strcmp(json_string_value(item), text) == 0)
            return true;
    return false;
}

/* What the provider gave before goes, what it gives now comes; the rest is not its concern. */
static json_t *new_groups(const json_t *have, const json_t *before, const json_t *now)
{
    json_t *groups = json_array();
    const json_t *item;
    size_t i;

    json_array_foreach (have, i, item)
        if (!has_text(before, json_string_value(item)) || has_text(now, json_string_value(item)))
            json_array_append(groups, (json_t *)(uintptr_t)item);
    json_array_foreach (now, i, item)
        if (!has_text(groups, json_string_value(item)))
            json_array_append(groups, (json_t *)(uintptr_t)item);
    return groups;
}

/* Of what the provider gives, that which the user would not have without it. */
static json_t *given(const json_t *have, const json_t *before, const json_t *now)
{
    json_t *groups = json_array();
    const json_t *item;
    size_t i;

    json_array_foreach (now, i, item)
        if (!has_text(have, json_string_value(item)) || has_text(before, json_string_value(item)))
            json_array_append(groups, (json_t *)(uintptr_t)item);
    return groups;
}

static void set_text(json_t *spec, const char *name, const char *text)
{
    if (text[0] != '\0')
        json_object_set_new(spec, name, json_string(text));
}

static void fill(json_t *spec, const struct person *person)
{
    set_text(spec, "displayName", person->display);
    /* Another provider may link by it: an address that nobody verified is none. */
    if (person->email_verified && kube_format_check(KUBE_EMAIL, person->email) == NULL)
        set_text(spec, "email", person->email);
}

static void set_groups(json_t *spec, const json_t *before, const json_t *now)
{
    json_t *groups = new_groups(json_object_get(spec, "groups"), before, now);

    if (json_array_size(groups) == 0 && json_object_get(spec, "groups") == NULL)
        json_decref(groups);
    else
        json_object_set_new(spec, "groups", groups);
}

/* The user as it is to be; a change of nothing is none. */
static int put_user(struct idp *idp, const struct account *account, json_t *object, struct err *err)
{
    if (json_equal(json_object_get(account->object, "spec"), json_object_get(object, "spec")))
        return 0;
    struct kube_change change = {.kind = &kube_user,
                                 .verb = "update",
                                 .subresource = "",
                                 .namespace = "",
                                 .name = account->name,
                                 .old = account->object,
                                 .object = object};
    TRY(kube_object_put(serve_kube(idp->serve), &kube_user, object, err));
    account_changed(idp, &change);
    return 0;
}

static int bring_up_to_date(struct idp *idp, const struct outside *outside, const json_t *link,
                            const struct account *account, struct err *err)
{
    CLEANUP_JSON json_t *object = json_deep_copy(account->object);
    json_t *spec = json_object_get(object, "spec");

    if (allows(outside, "update"))
        fill(spec, &outside->person);
    set_groups(spec, json_object_get(link, "groups"), outside->person.groups);
    return put_user(idp, account, object, err);
}

int people_take_groups(struct idp *idp, const struct account *account, const json_t *link,
                       struct err *err)
{
    CLEANUP_JSON json_t *object = json_deep_copy(account->object);

    set_groups(json_object_get(object, "spec"), json_object_get(link, "groups"), NULL);
    return put_user(idp, account, object, err);
}

/* ------------------------------------------------------------------ a new user */

static void record_creation(struct idp *idp, const struct outside *outside, const char *name)
{
    struct audit_event event = {
        .event = span_str("drun.auth.federation.user"),
        .actor = {.name = span_str(outside->provider->endpoint), .source = AUDIT_SOURCE_ROLE},
        .action = {.verb = span_str("create"),
                   .api_group = span_str("drun.io"),
                   .resource = span_str("users"),
                   .name = span_str(name)},
    };

    serve_record(idp->serve, &event);
}

/* The name is that of somebody else, who may or may not be the same person. */
static int name_is_taken(struct idp *idp, const struct outside *outside, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;
    const char *name = outside->person.user_name;

    if (kube_format_check(KUBE_DNS_SUBDOMAIN, name) != NULL)
        return err_set(err, ERR_DENIED, "the name %.64s cannot be that of a user here", name);
    if (kube_object_get(serve_kube(idp->serve), &kube_user, "", name, &object, err) == 0)
        return err_set(err, ERR_EXISTS,
                       "there is a user %s already; if that is you, sign in as before and link "
                       "this account to it",
                       name);
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    return 0;
}

static int create(struct idp *idp, const struct outside *outside, struct account *out,
                  struct err *err)
{
    const char *name = outside->person.user_name;

    TRY(name_is_taken(idp, outside, err));
    CLEANUP_JSON json_t *user =
        json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:O}}", "apiVersion", "drun.io/v1", "kind",
                  "User", "metadata", "name", name, "labels", "drun.io/identity-provider",
                  outside->provider->name, "spec", "groups", outside->person.groups);
    fill(json_object_get(user, "spec"), &outside->person);
    struct kube_change change = {
        .kind = &kube_user, .verb = "create", .name = name, .object = user};
    user_status_admit(&change);
    TRY(kube_object_put(serve_kube(idp->serve), &kube_user, user, err));
    publish_touch(idp->publish, &kube_user, "", name);
    record_creation(idp, outside, name);
    return account_load(idp, name, out, err);
}

/* ------------------------------------------------------------------ one with the same address */

struct search {
    const char *email;
    char *name;
    size_t count;
};

static int look_at(void *ctx, const json_t *object, struct err *err UNUSED)
{
    struct search *search = ctx;
    const char *email = codec_json_text(json_object_get(object, "spec"), "email", "");

    if (email[0] == '\0' || strcasecmp(email, search->email) != 0)
        return 0;
    if (search->count++ == 0)
        search->name = mem_strdup(codec_json_text(json_object_get(object, "metadata"), "name", ""));
    return 0;
}

/* A provider with domains speaks for the addresses of those alone. */
static bool may_link_by(const struct outside *outside)
{
    const struct person *person = &outside->person;

    return allows(outside, "linkByEmail") && person->email_verified &&
           (json_array_size(json_object_get(outside->provider->spec, "domains")) == 0 ||
            provider_has_domain_of(outside->provider, person->email));
}

static int find_by_email(struct idp *idp, const struct outside *outside, struct account *out,
                         struct err *err)
{
    struct search search = {.email = outside->person.email};
    bool linked;

    if (!may_link_by(outside))
        return err_set(err, ERR_NOT_FOUND, "no user is looked for by an address");
    CLEANUP_FREE char *term = mem_printf(KUBE_USERS_EMAIL "%s", outside->person.email);
    for (char *at = term; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    int result =
        kube_object_each_by(serve_kube(idp->serve), &kube_user, NULL, term, look_at, &search, err);
    CLEANUP_FREE char *name = search.name;
    TRY(result);
    if (search.count > 1)
        return err_set(err, ERR_CONFLICT,
                       "more than one user has the address %s; an administrator must clear that up",
                       outside->person.email);
    if (search.count == 0)
        return err_set(err, ERR_NOT_FOUND, "no user has that address");
    TRY(account_load(idp, name, out, err));
    if (links_has(idp, out, outside->provider, &linked, err) == 0 && !linked)
        return 0;
    account_free(out);
    return err->code != ERR_NONE
               ? -1
               : err_set(err, ERR_CONFLICT, "another account of %s is linked to your user already",
                         provider_display(outside->provider));
}

/* ------------------------------------------------------------------ the link */

static int put_link(struct idp *idp, const struct outside *outside, const char *id,
                    const json_t *before, const struct account *account, const json_t *have,
                    json_t **out, struct err *err)
{
    json_int_t now = clock_wall_sec();
    const struct person *person = &outside->person;
    CLEANUP_JSON json_t *link =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I}", "provider",
                  outside->provider->name, "providerUid", outside->provider->uid, "subject",
                  person->subject, "user", account->name, "uid", account->uid, "account",
                  person->email[0] != '\0' ? person->email : person->user_name, "groups",
                  given(have, json_object_get(before, "groups"), person->groups), "since",
                  before == NULL ? now : record_number(before, "since"), "used", now);

    if (link == NULL)
        return err_set(err, ERR_INVALID, "the account's names are no UTF-8");
    TRY(links_put(idp, id, link, err));
    if (out != NULL)
        *out = json_incref(link);
    return 0;
}

/* The linked user; ERR_NOT_FOUND also when that one is gone, so that the link is made anew. */
static int find_linked(struct idp *idp, const json_t *link, struct account *out, struct err *err)
{
    return account_load_same(idp, codec_json_text(link, "user", ""),
                             codec_json_text(link, "uid", ""), out, err);
}

/* 1: it was made just now. */
static int find_or_make(struct idp *idp, const struct outside *outside, struct account *out,
                        struct err *err)
{
    if (find_by_email(idp, outside, out, err) == 0)
        return 0;
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    if (allows(outside, "create"))
        return create(idp, outside, out, err) < 0 ? -1 : 1;
    return err_set(err, ERR_NOT_FOUND,
                   "no user here is linked to this account; sign in as before and link it, or ask "
                   "an administrator");
}

int people_find(struct idp *idp, struct serve_request *request UNUSED,
                const struct outside *outside, struct account *out, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    CLEANUP_JSON json_t *link = NULL;
    char id[IDP_ID_SIZE];
    int made = 0;

    TRY(links_find(idp, outside, id, &link, err));
    if (link != NULL && find_linked(idp, link, &account, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        json_decref(link);
        link = NULL;
    }
    if (link == NULL)
        made = find_or_make(idp, outside, &account, err);
    TRY(made);
    TRY(bring_up_to_date(idp, outside, link, &account, err));
    const json_t *have = codec_json_at(account.object, "spec", "groups", NULL);
    TRY(put_link(idp, outside, id, link, &account, made == 1 ? NULL : have, NULL, err));
    /* With the groups that it has now. */
    return account_load_same(idp, account.name, account.uid, out, err);
}

int people_link(struct idp *idp, const struct outside *outside, const struct account *account,
                json_t **shown, struct err *err)
{
    CLEANUP(account_free) struct account other = {0};
    CLEANUP_JSON json_t *link = NULL;
    CLEANUP_JSON json_t *made = NULL;
    char id[IDP_ID_SIZE];

    TRY(links_find(idp, outside, id, &link, err));
    if (link != NULL && strcmp(codec_json_text(link, "uid", ""), account->uid) != 0 &&
        account_load_any(idp, codec_json_text(link, "user", ""), &other, err) == 0 &&
        strcmp(other.uid, codec_json_text(link, "uid", "")) == 0)
        return err_set(err, ERR_CONFLICT, "this account of %s is linked to another user",
                       provider_display(outside->provider));
    err_clear(err);
    TRY(bring_up_to_date(idp, outside, link, account, err));
    TRY(put_link(idp, outside, id, link, account,
                 codec_json_at(account->object, "spec", "groups", NULL), &made, err));
    if (shown != NULL)
        *shown = links_shown(id, made, provider_display(outside->provider),
                             outside->provider->oidc != NULL ? "oidc" : "ldap");
    return 0;
}

/* ------------------------------------------------------------------ the session */

int people_sign_in(struct idp *idp, struct serve_request *request, const struct outside *outside,
                   struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    CLEANUP(signin_free) struct signin signin = {0};

    TRY(people_find(idp, request, outside, &account, err));
    signin_begin(&signin, &account, outside->amr);
    /* Its password is the provider's concern. */
    json_object_set_new(signin.record, "renewed", json_true());
    json_object_set_new(signin.record, "outside",
                        json_pack("{s:s, s:s, s:s, s:s}", "provider", outside->provider->name,
                                  "subject", outside->person.subject, "sid", outside->sid,
                                  "idToken", outside->id_token));
    return signin_continue(idp, request, &signin, NULL, err);
}
