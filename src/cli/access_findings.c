/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody should look at. */
#include "cli/access.h"

#include "base/mem.h"
#include "codec/json.h"

enum { DAY_SEC = 86400 };

static void find(json_t *findings, const char *finding, const char *kind, const char *namespace,
                 const char *name, const char *fmt, ...) PRINTF_LIKE(6, 7);

static void find(json_t *findings, const char *finding, const char *kind, const char *namespace,
                 const char *name, const char *fmt, ...)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(2048);
    va_list args;

    va_start(args, fmt);
    buf_vprintf(&message, fmt, args);
    va_end(args);
    json_array_append_new(findings, json_pack("{s:s, s:s, s:s, s:s, s:s}", "finding", finding,
                                              "kind", kind, "namespace", namespace, "name", name,
                                              "message", buf_text(&message)));
}

/* Days since then; -1 for a time that is none. */
static long long days_since(const struct access_source *source, const char *text)
{
    int64_t then = access_time(text);

    return then == 0 ? -1 : (source->now_sec - then) / DAY_SEC;
}

static bool is_old(const struct access_source *source, const char *text)
{
    int64_t then = access_time(text);

    return then != 0 && source->now_sec - then >= source->stale_sec;
}

static void look_at_key(const struct access_source *source, const json_t *key, json_t *findings)
{
    const char *namespace = codec_json_text(key, "namespace", "");
    const char *name = codec_json_text(key, "name", "");
    const char *used = codec_json_text(key, "lastUsed", "");
    const char *created = codec_json_text(key, "created", "");
    const char *expires = codec_json_text(key, "expires", "");

    if (expires[0] != '\0' && access_time(expires) <= source->now_sec)
        find(findings, "KeyExpired", "ApiKey", namespace, name, "expired at %s; revoke it",
             expires);
    else if (json_is_true(json_object_get(key, "disabled")))
        find(findings, "KeyDisabled", "ApiKey", namespace, name, "is disabled; revoke it");
    else if (used[0] != '\0' && is_old(source, used))
        find(findings, "KeyStale", "ApiKey", namespace, name, "was not used for %lld days",
             days_since(source, used));
    else if (used[0] == '\0' && is_old(source, created))
        find(findings, "KeyNeverUsed", "ApiKey", namespace, name,
             "was made %lld days ago and is not known to have been used",
             days_since(source, created));
    else if (expires[0] == '\0')
        find(findings, "KeyWithoutEnd", "ApiKey", namespace, name, "never expires");
}

/* Each user once, whatever rights there are. */
static void look_at_user(const struct access_source *source, const json_t *user, json_t *findings)
{
    const json_t *status = json_object_get(user, "status");
    const char *name = access_name(user);
    const char *login = codec_json_text(status, "lastLogin", "");
    const char *made = codec_json_text(json_object_get(user, "metadata"), "creationTimestamp", "");

    if (json_is_true(codec_json_at(user, "spec", "disabled", NULL)))
        return;
    if (login[0] == '\0' && is_old(source, made))
        find(findings, "UserNeverSignedIn", "User", "", name,
             "was made %lld days ago and never "
             "signed in",
             days_since(source, made));
    else if (is_old(source, login))
        find(findings, "UserStale", "User", "", name, "did not sign in for %lld days",
             days_since(source, login));
}

static void look_at_access(const json_t *row, json_t *findings)
{
    const char *state = codec_json_text(row, "state", "");
    const char *namespace = codec_json_text(row, "namespace", "");
    const char *binding = codec_json_text(row, "binding", "");
    const char *kind = codec_json_text(row, "bindingKind", "");
    const char *name = codec_json_text(row, "name", "");

    if (strcmp(state, "Missing") == 0)
        find(findings, "SubjectMissing", kind, namespace, binding,
             "names the %s %s, who is not there: whoever gets the name gets the role %s",
             codec_json_text(row, "kind", ""), name, codec_json_text(row, "role", ""));
    else if (strcmp(state, "Disabled") == 0)
        find(findings, "DisabledWithRights", "User", "", name,
             "is disabled and still has the role %s by %s %s", codec_json_text(row, "role", ""),
             kind, binding);
}

static void look_at_roles(const struct access_source *source, json_t *findings)
{
    const json_t *grant;
    const json_t *role;
    size_t i;

    json_array_foreach (json_object_get(source->report, "grants"), i, grant)
        if (json_is_true(json_object_get(grant, "roleMissing")))
            find(findings, "RoleMissing", codec_json_text(grant, "bindingKind", ""),
                 codec_json_text(grant, "namespace", ""), codec_json_text(grant, "binding", ""),
                 "names the %s %s, which is not there", codec_json_text(grant, "roleKind", ""),
                 codec_json_text(grant, "role", ""));
    if (!json_is_true(json_object_get(source->report, "complete")))
        return;
    json_array_foreach (json_object_get(source->report, "roles"), i, role)
        if (json_integer_value(json_object_get(role, "bindings")) == 0 &&
            !json_is_true(json_object_get(role, "builtIn")))
            find(findings, "RoleUnused", codec_json_text(role, "kind", ""),
                 codec_json_text(role, "namespace", ""), codec_json_text(role, "name", ""),
                 "no binding names it");
}

void access_find(const struct access_source *source, const json_t *access, const json_t *keys,
                 json_t *findings)
{
    const json_t *item;
    size_t i;

    json_array_foreach (keys, i, item)
        look_at_key(source, item, findings);
    json_array_foreach (source->users, i, item)
        look_at_user(source, item, findings);
    json_array_foreach (access, i, item)
        look_at_access(item, findings);
    look_at_roles(source, findings);
}
