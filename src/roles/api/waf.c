/* SPDX-License-Identifier: Apache-2.0 */
/* WafRuleSets and WafPolicies: what their schemas cannot say, and those that every installation
 * has. The waf role writes policies as SecLang, where a quote or a comma would end what it stands
 * in. */
#include "api/api_internal.h"

#include "codec/json.h"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* What a text of a list may be made of. */
struct text_rule {
    const char *field;
    const char *first; /* its first character */
    const char *rest;
    const char *example;
};

static const struct text_rule files = {"files", "/",
                                       ALNUM "/._+-*?[]@=", "/etc/modsecurity/*.conf"};
static const struct text_rule matches[] = {
    {"paths", "/", ALNUM "/._~-", "/v1"},
    {"modelServices", ALNUM, ALNUM "-./", "default/llama"},
    {0},
};
static const struct text_rule exclusions[] = {
    {"ruleIds", "0123456789", "0123456789-", "942100 or 942000-942999"},
    {"ruleTags", ALNUM, ALNUM "/._:-", "attack-sqli"},
    {"targets", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", ALNUM "_:.-/", "ARGS:comment"},
    {0},
};

static bool is_made_of(const char *text, const struct text_rule *rule)
{
    return text[0] != '\0' && strchr(rule->first, text[0]) != NULL &&
           text[1 + strspn(text + 1, rule->rest)] == '\0';
}

static int check_texts(const json_t *object, const struct text_rule *rule, const char *where,
                       struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(object, rule->field), i, item)
        if (!is_made_of(json_string_value(item), rule))
            return err_set(err, ERR_INVALID, "%s.%s[%zu] must be such as %s", where, rule->field, i,
                           rule->example);
    return 0;
}

static int check_policy(const json_t *spec, struct err *err)
{
    const json_t *match = json_object_get(spec, "match");
    const json_t *exclusion;
    size_t i;

    for (const struct text_rule *rule = matches; rule->field != NULL; rule++)
        TRY(check_texts(match, rule, "spec.match", err));
    json_array_foreach (json_object_get(spec, "exclusions"), i, exclusion) {
        bool empty = true;
        for (const struct text_rule *rule = exclusions; rule->field != NULL; rule++) {
            TRY(check_texts(exclusion, rule, "spec.exclusions[]", err));
            empty = empty && json_array_size(json_object_get(exclusion, rule->field)) == 0;
        }
        if (empty)
            return err_set(err, ERR_INVALID,
                           "spec.exclusions[%zu] must name ruleIds, ruleTags or targets", i);
    }
    return 0;
}

static int check_rule_set(const json_t *spec, struct err *err)
{
    if (json_array_size(json_object_get(spec, "files")) == 0 &&
        codec_json_text(spec, "rules", "")[0] == '\0')
        return err_set(err, ERR_INVALID, "spec must have files, rules or both");
    return check_texts(spec, &files, "spec", err);
}

int waf_admit(const struct kube_change *change, struct err *err)
{
    const json_t *spec = json_object_get(change->object, "spec");

    return change->kind == &kube_waf_policy ? check_policy(spec, err) : check_rule_set(spec, err);
}

json_t *waf_default_objects(void)
{
    return json_pack(
        "[{s:s, s:s, s:{s:s}, s:{s:[s, s]}}, {s:s, s:s, s:{s:s}, s:{s:s, s:i, s:i, s:s, s:i}}]",
        "apiVersion", "drun.io/v1", "kind", "WafRuleSet", "metadata", "name", "crs", "spec",
        "files", "/etc/modsecurity/crs/crs-setup.conf", "/usr/share/modsecurity-crs/rules/*.conf",
        "apiVersion", "drun.io/v1", "kind", "WafPolicy", "metadata", "name", "default", "spec",
        "mode", "Block", "paranoiaLevel", 1, "inboundThreshold", 5, "responses", "Errors",
        "outboundThreshold", 4);
}
