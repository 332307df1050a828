/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who needs a second factor. Whoever has one is asked for it, always; beyond that a User, its
 * Groups and the setting mfa-groups may demand one, and which. The strictest counts: one demand is
 * enough, the higher level, the shorter grace, the methods that all of them allow.
 */
#include "idp/factors/factors.h"

#include "base/num.h"
#include "codec/json.h"
#include "role/settings.h"

static enum auth_level level_of(const json_t *spec)
{
    return strcmp(codec_json_text(spec, "level", "mfa"), "phishing-resistant") == 0
               ? AUTH_LEVEL_PHISHING_RESISTANT
               : AUTH_LEVEL_MFA;
}

static unsigned allowed_by(const json_t *spec)
{
    const json_t *methods = json_object_get(spec, "methods");
    unsigned allowed = 0;
    const json_t *one;
    size_t i;

    json_array_foreach (methods, i, one)
        allowed |= factor_by_name(json_string_value(one));
    /* Somebody who lost the phone needs a way in, unless the list names others alone. */
    return json_array_size(methods) == 0 ? ~0U : allowed;
}

static void demand(struct mfa_rule *rule, enum auth_level level, int64_t grace_sec)
{
    rule->grace_sec = rule->required ? NUM_MIN(rule->grace_sec, grace_sec) : grace_sec;
    rule->level = NUM_MAX(rule->level, level);
    rule->required = true;
}

void mfa_rule_add(struct mfa_rule *rule, const json_t *spec)
{
    if (spec == NULL)
        return;
    rule->allowed &= allowed_by(spec);
    if (json_is_true(json_object_get(spec, "required")))
        demand(rule, level_of(spec), record_number(spec, "graceSeconds"));
}

static int add_group(struct idp *idp, const char *name, struct mfa_rule *rule, struct err *err)
{
    const struct settings *settings = role_settings(idp->role);
    CLEANUP_JSON json_t *group = NULL;

    for (size_t i = 0; i < settings->mfa_groups.count; i++)
        if (strcmp(settings->mfa_groups.items[i], name) == 0)
            demand(rule, AUTH_LEVEL_MFA, (int64_t)(settings->mfa_grace_ms / 1000));
    if (kube_format_check(kube_group.name_format, name) != NULL)
        return 0; /* "drun:operators": no object can be called that */
    if (kube_object_get(serve_kube(idp->serve), &kube_group, "", name, &group, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    mfa_rule_add(rule, codec_json_at(group, "spec", "mfa", NULL));
    return 0;
}

int mfa_rule_of(struct idp *idp, const struct account *account, struct mfa_rule *out,
                struct err *err)
{
    struct mfa_rule rule = {.allowed = ~0U};
    const json_t *group;
    size_t i;

    mfa_rule_add(&rule, codec_json_at(account->object, "spec", "mfa", NULL));
    json_array_foreach (account->groups, i, group)
        TRY(add_group(idp, json_string_value(group), &rule, err));
    *out = rule;
    return 0;
}

static enum auth_level reach_of(unsigned have)
{
    if (have & FACTOR_PASSKEY)
        return AUTH_LEVEL_PHISHING_RESISTANT;
    return have & FACTOR_SECOND ? AUTH_LEVEL_MFA : AUTH_LEVEL_PASSWORD;
}

enum mfa_step mfa_next(const struct mfa_facts *facts)
{
    unsigned have = facts->have & facts->rule.allowed;
    enum auth_level reach = reach_of(have);
    enum auth_level wanted = reach > AUTH_LEVEL_PASSWORD ? AUTH_LEVEL_MFA : AUTH_LEVEL_PASSWORD;

    if (facts->rule.required)
        wanted = NUM_MAX(wanted, facts->rule.level);
    if (facts->level >= wanted || (facts->recovered && facts->level >= AUTH_LEVEL_MFA))
        return MFA_DONE;
    if (facts->device_trusted && wanted == AUTH_LEVEL_MFA && reach >= wanted)
        return MFA_DONE;
    /* What there is comes first, also when it is not enough and another has to be set up. */
    if (reach >= wanted || (reach > AUTH_LEVEL_PASSWORD && facts->level < AUTH_LEVEL_MFA))
        return MFA_FACTOR;
    if (facts->rule.grace_sec > 0 &&
        (facts->grace_from == 0 || facts->now < facts->grace_from + facts->rule.grace_sec))
        return MFA_GRACE;
    return MFA_ENROL;
}
