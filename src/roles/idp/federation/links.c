/* SPDX-License-Identifier: Apache-2.0 */
/* Links between outside accounts and users: kept, shown to their owners, added and removed. */
#include "idp/federation/federation.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/factors/actor.h"

static void id_of(const struct outside *outside, char id[IDP_ID_SIZE])
{
    CLEANUP_FREE char *text = mem_printf("link %s %s %s", outside->provider->uid, outside->issuer,
                                         outside->person.subject);

    idp_id_of(text, id);
}

int links_find(struct idp *idp, const struct outside *outside, char id[IDP_ID_SIZE], json_t **out,
               struct err *err)
{
    id_of(outside, id);
    *out = NULL;
    if (record_get(idp, FEDERATION_LINKS, id, out, err) == 0)
        return 0;
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    return 0;
}

int links_put(struct idp *idp, const char *id, const json_t *link, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", codec_json_text(link, "user", ""));

    return record_put(idp, FEDERATION_LINKS, id, link, term, err);
}

static int drop_one(void *ctx, const char *id, const json_t *link UNUSED, struct err *err)
{
    return record_delete(ctx, FEDERATION_LINKS, id, err);
}

int links_drop_user(struct idp *idp, const char *user, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", user);

    return record_each(idp, FEDERATION_LINKS, term, drop_one, idp, err);
}

struct of_provider {
    struct idp *idp;
    const char *name;
};

static int drop_if_of(void *ctx, const char *id, const json_t *link, struct err *err)
{
    const struct of_provider *of = ctx;

    return strcmp(codec_json_text(link, "provider", ""), of->name) == 0
               ? record_delete(of->idp, FEDERATION_LINKS, id, err)
               : 0;
}

int links_drop_provider(struct idp *idp, const char *provider, struct err *err)
{
    struct of_provider of = {.idp = idp, .name = provider};

    return record_each(idp, FEDERATION_LINKS, NULL, drop_if_of, &of, err);
}

/* ------------------------------------------------------------------ looking */

static json_t *time_of(int64_t sec)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_sec(sec, text);
    return json_string(text);
}

json_t *links_shown(const char *id, const json_t *link, const char *display, const char *type)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id", id, "provider",
                     codec_json_text(link, "provider", ""), "displayName", display, "type", type,
                     "account", codec_json_text(link, "account", ""), "linkedAt",
                     time_of(record_number(link, "since")), "lastUsedAt",
                     time_of(record_number(link, "used")));
}

struct listing {
    struct idp *idp;
    const char *uid;
    const struct provider *only; /* NULL: all */
    json_t *items;
};

static int list_one(void *ctx, const char *id, const json_t *link, struct err *err UNUSED)
{
    struct listing *listing = ctx;
    CLEANUP(provider_free) struct provider provider = {.name = ""};
    const char *name = codec_json_text(link, "provider", "");
    struct err why = ERR_INIT;

    /* What another user of that name, or another provider, left behind is not his. */
    if (strcmp(codec_json_text(link, "uid", ""), listing->uid) != 0)
        return 0;
    bool there = provider_load(listing->idp, name, &provider, &why) == 0;
    if (there && strcmp(provider.uid, codec_json_text(link, "providerUid", "")) != 0)
        return 0;
    if (listing->only != NULL && strcmp(listing->only->name, name) != 0)
        return 0;
    const char *type = there && provider.ldap != NULL ? "ldap" : "oidc";
    return json_array_append_new(
        listing->items, links_shown(id, link, there ? provider_display(&provider) : name, type));
}

static int list(struct idp *idp, const struct account *account, const struct provider *only,
                json_t **out, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", account->name);
    CLEANUP_JSON json_t *items = json_array();
    struct listing listing = {.idp = idp, .uid = account->uid, .only = only, .items = items};

    TRY(record_each(idp, FEDERATION_LINKS, term, list_one, &listing, err));
    *out = json_incref(items);
    return 0;
}

int links_has(struct idp *idp, const struct account *account, const struct provider *provider,
              bool *out, struct err *err)
{
    CLEANUP_JSON json_t *items = NULL;

    TRY(list(idp, account, provider, &items, err));
    *out = json_array_size(items) > 0;
    return 0;
}

/* GET /session/links */
void links_show(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *links = NULL;
    CLEANUP_JSON json_t *providers = NULL;
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (actor_find_signed_in(idp, request, &actor, &err) < 0 ||
        list(idp, actor.account, NULL, &links, &err) < 0 ||
        provider_list(idp, NULL, &providers, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *body = json_pack("{s:O, s:O}", "links", links, "providers", providers);
    reply_json(request, 200, body);
}

/* ------------------------------------------------------------------ adding and removing */

/* POST /session/links */
void links_add(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP(provider_free) struct provider provider = {.name = ""};
    CLEANUP_JSON json_t *body = session_body(idp, request);
    struct err err = ERR_INIT;

    if (body == NULL || !actor_may_change(idp, request, "drun.auth.link", &actor))
        return;
    if (actor.enrolling) {
        reply_problem(request, 401, "you are not signed in");
        return;
    }
    if (provider_load(idp, codec_json_text(body, "provider", ""), &provider, &err) < 0)
        reply_err(request, &err);
    else if (provider.ldap != NULL)
        directory_link(idp, request, &provider, actor.account,
                       codec_json_text(body, "username", ""),
                       codec_json_text(body, "password", ""));
    else
        flow_link(idp, request, &provider, actor.account,
                  codec_json_text(body, "return", "/account"));
}

/* Whoever would have no way in any more keeps the last one. */
static int check_other_way(struct idp *idp, const struct account *account, struct err *err)
{
    CLEANUP_JSON json_t *links = NULL;
    CLEANUP_FREE char *phc = NULL;
    size_t passkeys = 0;

    TRY(list(idp, account, NULL, &links, err));
    TRY(account_password(idp, account->name, account->uid, &phc, err));
    TRY(passkeys_count(idp, account, &passkeys, err));
    if (phc != NULL || passkeys > 0 || json_array_size(links) > 1)
        return 0;
    return err_set(err, ERR_CONFLICT,
                   "you could not sign in any more; set a password or a passkey first");
}

/* The groups that came with it go with it. */
static int remove_link(struct idp *idp, const struct account *account, const char *id,
                       struct err *err)
{
    CLEANUP_JSON json_t *link = NULL;

    TRY(record_get(idp, FEDERATION_LINKS, id, &link, err));
    if (strcmp(codec_json_text(link, "uid", ""), account->uid) != 0)
        return err_set(err, ERR_NOT_FOUND, "you have no such link");
    TRY(check_other_way(idp, account, err));
    TRY(people_take_groups(idp, account, link, err));
    return record_delete(idp, FEDERATION_LINKS, id, err);
}

/* DELETE /session/links/ID */
void links_remove(struct idp *idp, struct serve_request *request)
{
    const char *id = request->http->path + strlen("/session/links/");
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    struct err err = ERR_INIT;

    if (!actor_may_change(idp, request, "drun.auth.unlink", &actor))
        return;
    if (actor.enrolling || strlen(id) != IDP_ID_SIZE - 1)
        reply_problem(request, 404, "you have no such link");
    else if (remove_link(idp, actor.account, id, &err) < 0)
        reply_err(request, &err);
    else
        reply_empty(request, 204);
}
