/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_internal.h"
#include "base/num.h"
#include "snapshot/cidr.h"

const char *auth_source_name(enum auth_source source)
{
    static const char *const names[] = {
        [AUTH_NOBODY] = "anonymous",  [AUTH_API_KEY] = "api_key",
        [AUTH_SESSION] = "session",   [AUTH_SERVICE_ACCOUNT] = "service_account",
        [AUTH_OPERATOR] = "operator",
    };

    return names[source];
}

void auth_principal_init(struct auth_principal *principal, enum auth_source source)
{
    struct auth_text none = {0};

    principal->source = source;
    principal->from_cookie = false;
    principal->group_count = principal->model_count = principal->verb_count = 0;
    principal->namespace_count = principal->cidr_count = 0;
    principal->name = principal->uid = principal->namespace = none;
    principal->credential = principal->session = principal->client = none;
    principal->jkt = principal->x5t = principal->token = none;
    principal->requests_per_min = 0;
    principal->concurrent = 0;
    principal->tokens_per_min = 0;
    principal->expires_at = principal->auth_time = 0;
    principal->level = AUTH_LEVEL_NONE;
    principal->room[0] = '\0'; /* what an empty text shows */
    principal->room_used = 1;
}

int auth_put_text(struct auth_principal *principal, struct span text, struct auth_text *out,
                  struct err *err)
{
    if (text.len == 0) {
        *out = (struct auth_text){0};
        return 0;
    }
    if (text.len >= (size_t)AUTH_ROOM_LEN - principal->room_used)
        return err_set(err, ERR_TOO_LARGE, "the credential has more than %d bytes of names",
                       AUTH_ROOM_LEN);
    *out = (struct auth_text){.at = principal->room_used, .len = (uint16_t)text.len};
    memcpy(principal->room + out->at, text.p, text.len);
    principal->room[out->at + out->len] = '\0';
    principal->room_used = (uint16_t)(out->at + out->len + 1);
    return 0;
}

int auth_put_group(struct auth_principal *principal, struct span group, struct err *err)
{
    if (principal->group_count >= AUTH_GROUPS_MAX)
        return err_set(err, ERR_TOO_LARGE, "the credential has more than %d groups",
                       AUTH_GROUPS_MAX);
    return auth_put_text(principal, group, &principal->groups[principal->group_count++], err);
}

struct span auth_text(const struct auth_principal *principal, struct auth_text text)
{
    return span_of(principal->room + text.at, text.len);
}

size_t auth_groups(const struct auth_principal *principal, struct span out[AUTH_GROUPS_MAX])
{
    for (size_t i = 0; i < principal->group_count; i++)
        out[i] = auth_text(principal, principal->groups[i]);
    return principal->group_count;
}

void auth_principal_operator(unsigned uid, struct auth_principal *out)
{
    struct err err = ERR_INIT;
    char name[48];

    auth_principal_init(out, AUTH_OPERATOR);
    snprintf(name, sizeof(name), "system:operator:%u", uid);
    INVARIANT(auth_put_text(out, span_str(name), &out->name, &err) == 0);
    out->uid = out->name;
    INVARIANT(auth_put_group(out, span_str(AUTH_GROUP_OPERATORS), &err) == 0);
    INVARIANT(auth_put_group(out, span_str(AUTH_GROUP_AUTHENTICATED), &err) == 0);
}

int auth_parse_address(const char *text, uint8_t out[16], struct err *err)
{
    return cidr_parse_address(text, out, err);
}

/* ---------------------------------------------------------------- scope */

/* '*' stands for any run of characters. On a mismatch only the last star is tried again, so the
 * time is at most the product of the lengths. */
static bool glob_matches(struct span pattern, struct span text)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX;
    size_t resume = 0;

    while (t < text.len) {
        if (p < pattern.len && pattern.p[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.len && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.p[p] == '*')
        p++;
    return p == pattern.len;
}

static bool model_matches(const struct auth_principal *principal, struct span pattern,
                          struct span namespace, struct span name)
{
    const uint8_t *slash = pattern.len > 0 ? memchr(pattern.p, '/', pattern.len) : NULL;

    if (slash == NULL) {
        struct span own = auth_text(principal, principal->namespace);
        return (own.len == 0 || span_eq(own, namespace)) && glob_matches(pattern, name);
    }
    size_t before = (size_t)(slash - pattern.p);
    return glob_matches(span_of(pattern.p, before), namespace) &&
           glob_matches(span_of(slash + 1, pattern.len - before - 1), name);
}

bool auth_scope_allows_namespace(const struct auth_principal *principal, struct span namespace)
{
    for (size_t i = 0; namespace.len > 0 && i < principal->namespace_count; i++)
        if (glob_matches(auth_text(principal, principal->namespaces[i]), namespace))
            return true;
    return principal->namespace_count == 0;
}

bool auth_scope_allows_model(const struct auth_principal *principal, struct span namespace,
                             struct span name)
{
    if (!auth_scope_allows_namespace(principal, namespace))
        return false;
    for (size_t i = 0; i < principal->model_count; i++)
        if (model_matches(principal, auth_text(principal, principal->models[i]), namespace, name))
            return true;
    return principal->model_count == 0;
}

bool auth_scope_allows_verb(const struct auth_principal *principal, struct span verb)
{
    for (size_t i = 0; i < principal->verb_count; i++)
        if (glob_matches(auth_text(principal, principal->verbs[i]), verb))
            return true;
    return principal->verb_count == 0;
}
