/* SPDX-License-Identifier: Apache-2.0 */
/* Users, and beside them, in a collection that no API shows, their passwords. */
#include "idp/factors/factors.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/federation/federation.h"
#include "idp/scim/scim_api.h"
#include "log/log.h"
#include "wire/proofs.h"

#define CREDENTIALS "credentials"

void account_free(struct account *account)
{
    json_decref(account->object);
    json_decref(account->groups);
    *account = (struct account){0};
}

static int check_usable(const struct account *account, struct err *err)
{
    const json_t *spec = json_object_get(account->object, "spec");
    const char *expires = codec_json_text(spec, "expiresAt", NULL);
    int64_t sec = 0;

    if (json_is_true(json_object_get(spec, "disabled")))
        return err_set(err, ERR_DENIED, "the user %s is disabled", account->name);
    if (expires == NULL)
        return 0;
    TRY(clock_parse(span_str(expires), &sec, err));
    if (sec <= clock_wall_sec())
        return err_set(err, ERR_DENIED, "the time of the user %s is over", account->name);
    return 0;
}

int account_load_any(struct idp *idp, const char *name, struct account *out, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};

    if (name[0] == '\0')
        return err_set(err, ERR_NOT_FOUND, "there is no user without a name");
    TRY(kube_object_get(serve_kube(idp->serve), &kube_user, "", name, &account.object, err));
    const json_t *metadata = json_object_get(account.object, "metadata");
    const json_t *spec = json_object_get(account.object, "spec");
    account.name = codec_json_text(metadata, "name", "");
    account.uid = codec_json_text(metadata, "uid", "");
    account.display = codec_json_text(spec, "displayName", "");
    account.email = codec_json_text(spec, "email", "");
    account.groups = json_object_get(spec, "groups") != NULL
                         ? json_copy(json_object_get(spec, "groups"))
                         : json_array();
    TRY(members_add_groups(idp->members, account.name, account.groups, err));
    *out = account;
    account = (struct account){0};
    return 0;
}

int account_load(struct idp *idp, const char *name, struct account *out, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};

    TRY(account_load_any(idp, name, &account, err));
    TRY(check_usable(&account, err));
    *out = account;
    account = (struct account){0};
    return 0;
}

int account_load_same(struct idp *idp, const char *name, const char *uid, struct account *out,
                      struct err *err)
{
    TRY(account_load(idp, name, out, err));
    if (strcmp(out->uid, uid) == 0)
        return 0;
    account_free(out);
    return err_set(err, ERR_NOT_FOUND, "the user %s is another one than it was", name);
}

static bool is_in(const json_t *groups, const char *group)
{
    for (size_t i = 0; i < json_array_size(groups); i++)
        if (strcmp(json_string_value(json_array_get(groups, i)), group) == 0)
            return true;
    return false;
}

/* 1: has a password, or came in without one. */
static int has_signed_up(struct idp *idp, const struct account *account, struct err *err)
{
    CLEANUP_FREE char *phc = NULL;

    TRY(account_password(idp, account->name, account->uid, &phc, err));
    return phc != NULL || codec_json_at(account->object, "status", "lastLogin", NULL) != NULL;
}

/* 1: this one operates the platform and can sign in. The one that proofs use is nobody. */
static int is_administrator(void *ctx, const json_t *object, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    const char *name = codec_json_text(json_object_get(object, "metadata"), "name", "");

    if (strcmp(name, IDP_PROBE_USER) == 0)
        return 0;
    if (account_load(ctx, name, &account, err) < 0) {
        if (err->code != ERR_DENIED && err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    return is_in(account.groups, AUTH_GROUP_OPERATORS) ? has_signed_up(ctx, &account, err) : 0;
}

int account_no_administrator(struct idp *idp, bool *out, struct err *err)
{
    int found = kube_object_each_by(serve_kube(idp->serve), &kube_user, NULL, KUBE_USERS_OPERATORS,
                                    is_administrator, idp, err);

    TRY(found);
    *out = found == 0;
    return 0;
}

/* ------------------------------------------------------------------ passwords */

int account_password(struct idp *idp, const char *name, const char *uid, char **phc,
                     struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;

    *phc = NULL;
    if (record_get(idp, CREDENTIALS, name, &record, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    /* What another user of that name left behind opens nothing. */
    if (strcmp(codec_json_text(record, "uid", ""), uid) == 0)
        *phc = mem_strdup(codec_json_text(record, "phc", ""));
    return 0;
}

int account_set_password(struct idp *idp, const char *name, const char *uid, const char *phc,
                         struct err *err)
{
    CLEANUP_JSON json_t *record = json_pack("{s:s, s:s, s:I}", "uid", uid, "phc", phc, "changed",
                                            (json_int_t)clock_wall_sec());

    TRY(record_put(idp, CREDENTIALS, name, record, NULL, err));
    return user_status_has_password(idp, name, err);
}

/* ------------------------------------------------------------------ ending */

static int end_session(void *ctx, const char *name, const json_t *value UNUSED, struct err *err)
{
    return session_end(ctx, name, err);
}

static int end_refresh(void *ctx, const char *name, const json_t *value UNUSED, struct err *err)
{
    return refresh_end(ctx, name, err);
}

int account_sign_out(struct idp *idp, const char *name, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", name);

    TRY(record_each(idp, "sessions", term, end_session, idp, err));
    TRY(record_each(idp, GRANT_REFRESH, term, end_refresh, idp, err));
    TRY(device_untrust_all(idp, name, err));
    return publish_void_user(idp->publish, name, err);
}

int account_end_weaker(struct idp *idp, const char *name, const char *session, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", name);

    TRY(session_end_others(idp, name, session, err));
    TRY(record_each(idp, GRANT_REFRESH, term, end_refresh, idp, err));
    return publish_void_user(idp->publish, name, err);
}

/* ------------------------------------------------------------------ objects */

static const json_t *groups_of(const json_t *object)
{
    return json_object_get(json_object_get(object, "spec"), "groups");
}

int account_admit(struct idp *idp, struct kube_change *change, struct err *err)
{
    if (change->old != NULL)
        TRY(rank_admit(idp, change, err));
    else
        TRY(members_may_become_user(idp, change->principal, change->name, err));
    if (change->object == NULL)
        return 0;
    user_status_admit(change);
    return members_may_add(idp, change->principal, groups_of(change->old),
                           groups_of(change->object), err);
}

static bool lost_a_group(const json_t *before, const json_t *after)
{
    const json_t *group;
    size_t i;

    json_array_foreach (before, i, group) {
        bool kept = false;
        const json_t *other;
        size_t j;
        json_array_foreach (after, j, other)
            kept |= json_equal(group, other);
        if (!kept)
            return true;
    }
    return false;
}

static int after_change(struct idp *idp, const struct kube_change *change, struct err *err)
{
    const json_t *metadata = json_object_get(change->object, "metadata");
    char url[IDP_URL_SIZE];

    if (change->object == NULL) {
        TRY(record_delete(idp, CREDENTIALS, change->name, err));
        TRY(factors_drop_all(idp, change->name, err));
        TRY(links_drop_user(idp, change->name, err));
        return account_sign_out(idp, change->name, err);
    }
    if (change->old == NULL) {
        TRY(link_make(idp, change->name, codec_json_text(metadata, "uid", ""), IDP_INVITE_SEC, url,
                      err));
        json_t *status = json_object_get(change->object, "status");
        if (status == NULL)
            json_object_set_new(change->object, "status", status = json_object());
        return json_object_set_new(status, "inviteURL", json_string(url));
    }
    bool was = json_is_true(codec_json_at(change->old, "spec", "disabled", NULL));
    bool is = json_is_true(codec_json_at(change->object, "spec", "disabled", NULL));
    if (is && !was)
        return account_sign_out(idp, change->name, err);
    /* Tokens name the groups that the user had. */
    if (lost_a_group(groups_of(change->old), groups_of(change->object)))
        return publish_void_user(idp->publish, change->name, err);
    return 0;
}

void account_changed(struct idp *idp, const struct kube_change *change)
{
    struct err err = ERR_INIT;

    /* A write that the store refuses makes the whole batch fail, so nothing is half done. */
    if (scim_index(idp, &kube_user, change->old, change->object, &err) < 0 ||
        after_change(idp, change, &err) < 0)
        log_error("idp.account", &err);
    publish_touch(idp->publish, &kube_user, "", change->name);
}
