/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in with the password of an LDAP directory, in three calls of the exporter: the service
 * account looks for the person, the person binds, the service account looks for the groups. The
 * service account's password never comes here; the person's passes through and is not kept.
 */
#include "idp/federation/entry.h"
#include "idp/federation/federation.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "log/log.h"

enum { FILTER_MAX = 4096, LOGIN_MAX = 256 };

/* In the request's arena. */
struct asking {
    struct idp *idp;
    struct serve_request *request;
    struct provider provider;
    const char *login;
    char *password; /* wiped with the arena, and as soon as it was sent */
    const char *dn;
    json_t *claims;
    struct throttle_try what;
    const char *link_user, *link_uid; /* NULL: a sign-in */
};

static void end(struct asking *asking)
{
    struct serve_request *request = asking->request;

    if (asking->password != NULL)
        mem_wipe(asking->password, strlen(asking->password));
    json_decref(asking->claims);
    provider_free(&asking->provider);
    if (request->later)
        serve_answered(request);
}

static void refuse(struct asking *asking)
{
    asking->request->event.outcome = AUDIT_DENIED;
    reply_problem(asking->request, 401, "the user name or the password is wrong");
}

/* Whether it is the service account or the network: not for the person to hear, who can do nothing
 * about it; the log and the audit log have it. */
static void fail(struct asking *asking, const struct err *err)
{
    struct serve_request *request = asking->request;

    reply_retry_after(request, 5);
    reply_problem(request, 503, "the directory %s cannot be asked at the moment",
                  provider_display(&asking->provider));
    request->event.reason = serve_keep(request, err->msg);
    log_error("idp.federation", err);
}

/* ------------------------------------------------------------------ what it asks */

/* `template` with {login}, {name} (without a domain) and {dn} as they may stand in a filter. */
static int put_filter(const struct asking *asking, const char *template, struct buf *out,
                      struct err *err)
{
    for (const char *at = template; *at != '\0';) {
        if (strncmp(at, "{login}", 7) == 0) {
            egress_put_filter_value(span_str(asking->login), out);
            at += 7;
        } else if (strncmp(at, "{name}", 6) == 0) {
            egress_put_filter_value(span_of(asking->login, strcspn(asking->login, "@")), out);
            at += 6;
        } else if (strncmp(at, "{dn}", 4) == 0 && asking->dn != NULL) {
            egress_put_filter_value(span_str(asking->dn), out);
            at += 4;
        } else {
            buf_put_u8(out, (uint8_t)*at++);
        }
    }
    return buf_check(out, "the filter", err);
}

static struct egress_bind as_service(const struct asking *asking)
{
    const json_t *ldap = asking->provider.ldap;

    return (struct egress_bind){.endpoint = provider_egress(&asking->provider),
                                .url = codec_json_text(ldap, "url", ""),
                                .dn = codec_json_text(ldap, "bindDn", ""),
                                .secret = provider_secret(ldap, "passwordSecretRef"),
                                .scope = EGRESS_SCOPE_SUBTREE};
}

/* ------------------------------------------------------------------ the user */

static int link_account(const struct asking *asking, const struct outside *outside, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    CLEANUP_JSON json_t *shown = NULL;

    TRY(account_load_same(asking->idp, asking->link_user, asking->link_uid, &account, err));
    TRY(people_link(asking->idp, outside, &account, &shown, err));
    reply_json(asking->request, 201, shown);
    return 0;
}

static int sign_in(struct asking *asking, struct err *err)
{
    const char *name = codec_json_text(asking->provider.ldap, "idAttribute", "entryUUID");
    const char *id = codec_json_text(asking->claims, name, "");
    struct outside outside = {.provider = &asking->provider,
                              .issuer = codec_json_text(asking->provider.ldap, "url", ""),
                              .amr = "pwd",
                              .sid = "",
                              .id_token = ""};

    if (id[0] == '\0' || strlen(id) >= sizeof(outside.person.subject))
        return err_set(err, ERR_UNAVAILABLE, "the account has no %s in the directory", name);
    snprintf(outside.person.subject, sizeof(outside.person.subject), "%s", id);
    int result = mapping_run(asking->provider.spec, asking->claims, &outside.person, err);
    if (result == 0)
        result = asking->link_uid != NULL
                     ? link_account(asking, &outside, err)
                     : people_sign_in(asking->idp, asking->request, &outside, err);
    person_free(&outside.person);
    return result;
}

static void conclude(struct asking *asking)
{
    struct err err = ERR_INIT;

    if (sign_in(asking, &err) < 0) {
        /* That nobody is linked is no missing page. */
        if (err.code == ERR_NOT_FOUND)
            err.code = ERR_DENIED;
        reply_err(asking->request, &err);
    }
    end(asking);
}

/* ------------------------------------------------------------------ 3: the groups */

static void on_groups(void *ctx, const struct egress_directory *found, const struct err *why)
{
    struct asking *asking = ctx;
    const char *name = codec_json_text(asking->provider.ldap, "groupAttribute", "cn");

    if (why != NULL) {
        fail(asking, why);
        end(asking);
        return;
    }
    json_t *groups = json_array();
    for (size_t i = 0; i < found->entry_count; i++) {
        const struct egress_attribute *attribute = egress_entry_attribute(&found->entries[i], name);
        for (size_t j = 0; attribute != NULL && j < attribute->value_count; j++)
            json_array_append_new(groups, entry_value(attribute->values[j]));
    }
    json_object_set_new(asking->claims, "groups", groups);
    conclude(asking);
}

/* 0: on its way. */
static int ask_groups(struct asking *asking, struct err *err)
{
    const json_t *ldap = asking->provider.ldap;
    CLEANUP(buf_free) struct buf filter = BUF_INIT(FILTER_MAX);
    const char *attributes[] = {codec_json_text(ldap, "groupAttribute", "cn"), NULL};
    struct egress_bind bind = as_service(asking);

    TRY(put_filter(asking, codec_json_text(ldap, "groupFilter", "(member={dn})"), &filter, err));
    bind.base = codec_json_text(ldap, "groupBase", "");
    bind.filter = buf_text(&filter);
    bind.attributes = attributes;
    return egress_bind(asking->idp->egress, &bind, on_groups, asking, NULL, err);
}

/* ------------------------------------------------------------------ 2: the person */

static void on_bound(void *ctx, const struct egress_directory *found UNUSED, const struct err *why)
{
    struct asking *asking = ctx;
    struct err err = ERR_INIT;

    mem_wipe(asking->password, strlen(asking->password));
    if (why != NULL && why->code == ERR_UNAUTHENTICATED) {
        refuse(asking);
    } else if (why != NULL) {
        fail(asking, why);
    } else {
        throttle_passed(asking->idp->throttle, &asking->what);
        if (codec_json_text(asking->provider.ldap, "groupBase", "")[0] == '\0') {
            conclude(asking);
            return;
        }
        if (ask_groups(asking, &err) == 0)
            return;
        fail(asking, &err);
    }
    end(asking);
}

static int ask_bind(struct asking *asking, struct err *err)
{
    struct egress_bind bind = {.endpoint = provider_egress(&asking->provider),
                               .url = codec_json_text(asking->provider.ldap, "url", ""),
                               .dn = asking->dn,
                               .password = span_str(asking->password)};

    return egress_bind(asking->idp->egress, &bind, on_bound, asking, NULL, err);
}

/* ------------------------------------------------------------------ 1: who is it? */

/* Two that fit are none: the filter does not say whom it means. */
static bool take_entry(struct asking *asking, const struct egress_directory *found)
{
    const char *names[ENTRY_NAMES];

    if (found->entry_count != 1)
        return false;
    entry_names(asking->provider.ldap, names);
    entry_claims(&found->entries[0], names, asking->claims);
    asking->dn = arena_copy(asking->request->http->arena, found->entries[0].dn);
    return asking->dn != NULL && asking->dn[0] != '\0';
}

static void on_found(void *ctx, const struct egress_directory *found, const struct err *why)
{
    struct asking *asking = ctx;
    struct err err = ERR_INIT;

    if (why != NULL && why->code != ERR_TOO_LARGE) {
        fail(asking, why);
    } else if (why != NULL || !take_entry(asking, found)) {
        refuse(asking);
    } else if (ask_bind(asking, &err) < 0) {
        fail(asking, &err);
    } else {
        return;
    }
    end(asking);
}

static int ask_who(struct asking *asking, struct err *err)
{
    CLEANUP(buf_free) struct buf filter = BUF_INIT(FILTER_MAX);
    const char *names[ENTRY_NAMES];
    struct egress_bind bind = as_service(asking);

    entry_names(asking->provider.ldap, names);
    TRY(put_filter(asking, codec_json_text(asking->provider.ldap, "userFilter", ""), &filter, err));
    bind.base = codec_json_text(asking->provider.ldap, "userBase", "");
    bind.filter = buf_text(&filter);
    bind.attributes = names;
    bind.entries_max = 2;
    return egress_bind(asking->idp->egress, &bind, on_found, asking, NULL, err);
}

/* ------------------------------------------------------------------ requests */

/* False when it was answered. */
static bool may_try(struct asking *asking)
{
    struct serve_request *request = asking->request;
    uint64_t now = clock_mono_ns() / 1000000000ULL;

    asking->what =
        (struct throttle_try){.kind = THROTTLE_PASSWORD,
                              .account = arena_printf(request->http->arena, "%s/%s",
                                                      asking->provider.name, asking->login),
                              .address = serve_address(request)};
    if (asking->what.account == NULL)
        return false;
    uint32_t wait = throttle_wait(asking->idp->throttle, &asking->what, now);
    if (wait == 0) {
        throttle_begin(asking->idp->throttle, &asking->what, now);
        return true;
    }
    request->event.outcome = AUDIT_DENIED;
    reply_retry_after(request, wait);
    reply_problem(request, 429, "too many wrong passwords; the next one is taken in %u seconds",
                  wait);
    return false;
}

static void ask(struct asking *asking, const char *login, const char *password)
{
    struct arena *arena = asking->request->http->arena;
    struct err err = ERR_INIT;

    asking->login = arena_strdup(arena, login);
    asking->password = arena_strdup(arena, password);
    asking->claims = json_object();
    if (arena_check(arena, "the request", &err) < 0) {
        reply_err(asking->request, &err);
    } else if (login[0] == '\0' || strlen(login) > LOGIN_MAX || password[0] == '\0' ||
               strlen(password) > HASHER_PASSWORD_MAX) {
        refuse(asking);
    } else if (may_try(asking)) {
        if (ask_who(asking, &err) == 0) {
            serve_later(asking->request);
            return;
        }
        fail(asking, &err);
    }
    end(asking);
}

static struct asking *asking_new(struct idp *idp, struct serve_request *request,
                                 const struct provider *provider)
{
    struct asking *asking = arena_alloc(request->http->arena, sizeof(*asking));
    struct err err = ERR_INIT;

    if (arena_check(request->http->arena, "the request", &err) < 0) {
        reply_err(request, &err);
        return NULL;
    }
    *asking = (struct asking){.idp = idp, .request = request};
    provider_copy(provider, &asking->provider);
    return asking;
}

void directory_sign_in(struct idp *idp, struct serve_request *request,
                       const struct provider *provider, const char *login, const char *password)
{
    struct asking *asking = asking_new(idp, request, provider);

    reply_event(request, AUDIT_LOGIN, AUDIT_SOURCE_PASSWORD, login, "");
    if (asking != NULL)
        ask(asking, login, password);
}

void directory_link(struct idp *idp, struct serve_request *request, const struct provider *provider,
                    const struct account *account, const char *login, const char *password)
{
    struct asking *asking = asking_new(idp, request, provider);

    if (asking == NULL)
        return;
    asking->link_user = arena_strdup(request->http->arena, account->name);
    asking->link_uid = arena_strdup(request->http->arena, account->uid);
    ask(asking, login, password);
}

bool directory_takes(struct idp *idp, struct serve_request *request, const char *login,
                     const char *password)
{
    CLEANUP(provider_free) struct provider provider = {.name = ""};
    struct err err = ERR_INIT;

    if (strchr(login, '@') == NULL || provider_find_directory(idp, login, &provider, &err) < 0)
        return false;
    directory_sign_in(idp, request, &provider, login, password);
    return true;
}
