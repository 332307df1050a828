/* SPDX-License-Identifier: Apache-2.0 */
#include "rules_text.h"

#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"

#include <stdlib.h>

enum { PARANOIA_MAX = 4 };

/*
 * What holds for every installation. Methods and types are those that the platform serves. Of what
 * people type, secrets are left out: a password may look like an attack, and a hit would write it
 * down. Redirect URIs name hosts by right; the parameters of OAuth that are signed or random say
 * nothing to a rule, but one of some ten thousand looks like SQL to libinjection. Selectors ("a in
 * (b)") are a language that api parses strictly.
 */
static const char before[] =
    "SecRuleEngine On\n"
    "SecRequestBodyAccess On\n"
    "SecResponseBodyAccess On\n"
    "SecResponseBodyMimeTypesClear\n"
    "SecResponseBodyMimeType text/plain text/html text/xml application/xml application/json "
    "application/problem+json application/scim+json\n"
    "SecResponseBodyLimit 524288\n"
    "SecResponseBodyLimitAction ProcessPartial\n"
    "SecRequestBodyLimit 67108864\n"
    "SecRequestBodyNoFilesLimit 67108864\n"
    "SecRule REQUEST_HEADERS:Content-Type \"@rx ^(?:application(?:/soap[+]|/)|text/)xml\" "
    "\"id:9500000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML\"\n"
    "SecRule REQUEST_HEADERS:Content-Type \"@rx ^application/(?:[a-z0-9.-]+[+])?json\" "
    "\"id:9500001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON\"\n"
    "SecRule &TX:crs_setup_version \"@eq 0\" "
    "\"id:9500002,phase:1,pass,nolog,setvar:tx.crs_setup_version=334\"\n"
    "SecAction \"id:9500003,phase:1,pass,nolog,setvar:tx." RULES_ANSWERS "=errors,"
    "setvar:'tx.allowed_methods=GET HEAD POST OPTIONS PUT PATCH DELETE',"
    "setvar:'tx.allowed_http_versions=HTTP/1.0 HTTP/1.1 HTTP/2 HTTP/2.0',"
    "setvar:'tx.allowed_request_content_type=|application/json| |application/yaml| "
    "|application/apply-patch+yaml| |application/json-patch+json| |application/merge-patch+json| "
    "|application/strategic-merge-patch+json| |application/vnd.kubernetes.protobuf| "
    "|application/scim+json| |application/x-www-form-urlencoded| |multipart/form-data| "
    "|text/plain| |text/xml| |application/xml| |application/octet-stream|'\"\n"
    "SecRule REQUEST_FILENAME \"@rx ^/(?:oauth2|session|login|callback)(?:/|$)\" \"id:9500010,phase:1,"
    "t:none,pass,nolog,ctl:ruleRemoveByTag=attack-rfi,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:password,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:client_secret,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:client_assertion,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:assertion,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:subject_token,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:actor_token,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:token,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:refresh_token,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:code,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:code_verifier,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:code_challenge,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:device_code,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:dpop_jkt,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:nonce,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:logout_token,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:request,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:request_uri,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:id_token_hint,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:claims,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:authorization_details,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:state,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:/^json[.](?:.*[.])?(?:[a-zA-Z_]*password|"
    "[a-zA-Z_]*Password|secret|token|code|clientDataJSON|attestationObject|authenticatorData|"
    "signature|userHandle|id|rawId)$/\"\n"
    "SecRule REQUEST_FILENAME \"@rx ^/apis?/\" \"id:9500011,phase:1,t:none,pass,nolog,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:labelSelector,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:fieldSelector,"
    "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:continue\"\n";

/* The platform's own cookies are random, too: who has an unlucky one would be shut out with it.
 * Machines are called by their addresses, in the Host header and in the URLs of OAuth. No request
 * is passed over by chance: CRS can be told to sample, by the time and the id of a request. Clients
 * of an API are programs and say so in their User-Agent, which level 2 of CRS 3 takes as a sign of
 * an attack. */
static const char after[] =
    "SecRuleUpdateTargetByTag OWASP_CRS \"!REQUEST_COOKIES:/^__Host-drun-/\"\n"
    "SecRuleRemoveById 913101 920350 931100 901400-901450\nSecRuleEngine On\nSecAuditEngine Off\n";

/* ------------------------------------------------------------------ which policies */

static const json_t *spec_of(const json_t *policy)
{
    return json_object_get(policy, "spec");
}

static bool matches_all(const json_t *policy)
{
    return json_object_size(json_object_get(spec_of(policy), "match")) == 0;
}

static const char *name_of(const json_t *policy)
{
    return codec_json_text(json_object_get(policy, "metadata"), "name", "");
}

static int by_reach(const void *a, const void *b)
{
    const json_t *one = *(const json_t *const *)a;
    const json_t *other = *(const json_t *const *)b;

    if (matches_all(one) != matches_all(other))
        return matches_all(one) ? -1 : 1;
    return strcmp(name_of(one), name_of(other));
}

static const json_t **sorted(const json_t *policies)
{
    const json_t **list = mem_new_array(json_array_size(policies) + 1, sizeof(*list));
    const json_t *policy;
    size_t i;

    json_array_foreach (policies, i, policy)
        list[i] = policy;
    qsort(list, i, sizeof(*list), by_reach);
    return list;
}

/* ------------------------------------------------------------------ what one matches */

struct condition {
    const char *field;  /* of spec.match */
    const char *target; /* what is compared */
    const char *tail;   /* of the expression */
};

static const struct condition conditions[] = {
    {"paths", "REQUEST_FILENAME", "(?:/|$)"},
    {"namespaces", "TX:" RULES_NAMESPACE, "$"},
    {"modelServices", "TX:" RULES_SERVICE, "$"},
};

/* The texts are names and paths, of which the schema lets through nothing that ends a string. */
static void put_alternatives(const json_t *list, struct buf *out)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        buf_put_str(out, i > 0 ? "|" : "");
        for (const char *p = json_string_value(item); *p != '\0'; p++)
            if (*p == '.')
                buf_put_str(out, "[.]");
            else
                buf_put_u8(out, (uint8_t)*p);
    }
}

/* Begins the rule; its actions follow. */
static void put_head(const json_t *match, unsigned id, struct buf *out)
{
    bool first = true;

    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
        const json_t *list = json_object_get(match, conditions[i].field);
        if (json_array_size(list) == 0)
            continue;
        if (!first)
            buf_put_str(out, ",chain\"\n");
        buf_printf(out, "SecRule %s \"@rx ^(?:", conditions[i].target);
        put_alternatives(list, out);
        buf_printf(out, ")%s\" \"t:none", conditions[i].tail);
        if (first)
            buf_printf(out, ",id:%u,phase:1,pass,nolog", id);
        first = false;
    }
    if (first)
        buf_printf(out, "SecAction \"id:%u,phase:1,pass,nolog", id);
}

/* ------------------------------------------------------------------ what one says */

static void put_mode(const json_t *spec, struct buf *out)
{
    const char *mode = codec_json_text(spec, "mode", "");

    if (strcmp(mode, "Off") == 0)
        buf_put_str(out, ",ctl:ruleEngine=Off");
    if (strcmp(mode, "Detect") == 0)
        buf_put_str(out, ",ctl:ruleEngine=DetectionOnly");
    if (strcmp(mode, "Block") == 0)
        buf_put_str(out, ",ctl:ruleEngine=On");
}

static void put_answers(const json_t *spec, struct buf *out)
{
    const char *responses = codec_json_text(spec, "responses", "");

    if (strcmp(responses, "Off") == 0)
        buf_put_str(out, ",ctl:responseBodyAccess=Off");
    if (strcmp(responses, "Errors") == 0)
        buf_put_str(out, ",ctl:responseBodyAccess=On,setvar:tx." RULES_ANSWERS "=errors");
    if (strcmp(responses, "All") == 0)
        buf_put_str(out, ",ctl:responseBodyAccess=On,setvar:tx." RULES_ANSWERS "=all");
}

static void put_number(const json_t *spec, const char *field, const char *const *variables,
                       struct buf *out)
{
    const json_t *value = json_object_get(spec, field);

    for (; json_is_integer(value) && *variables != NULL; variables++)
        buf_printf(out, ",setvar:tx.%s=%lld", *variables, (long long)json_integer_value(value));
}

static void put_numbers(const json_t *spec, struct buf *out)
{
    /* Of CRS 3 and of CRS 4. */
    static const char *const paranoia[] = {"paranoia_level", "executing_paranoia_level",
                                           "blocking_paranoia_level", "detection_paranoia_level",
                                           NULL};
    static const char *const inbound[] = {"inbound_anomaly_score_threshold", NULL};
    static const char *const outbound[] = {"outbound_anomaly_score_threshold", NULL};

    put_number(spec, "paranoiaLevel", paranoia, out);
    put_number(spec, "inboundThreshold", inbound, out);
    put_number(spec, "outboundThreshold", outbound, out);
}

static void put_exclusion(const char *kind, const char *which, const json_t *targets,
                          struct buf *out)
{
    const json_t *target;
    size_t i;

    if (json_array_size(targets) == 0)
        buf_printf(out, ",ctl:ruleRemoveBy%s=%s", kind, which);
    json_array_foreach (targets, i, target)
        buf_printf(out, ",ctl:ruleRemoveTargetBy%s=%s;%s", kind, which, json_string_value(target));
}

/* Targets without rules are those of all rules of CRS. */
static void put_exclusions(const json_t *spec, struct buf *out)
{
    const json_t *exclusion, *which;
    size_t i, j;

    json_array_foreach (json_object_get(spec, "exclusions"), i, exclusion) {
        const json_t *ids = json_object_get(exclusion, "ruleIds");
        const json_t *tags = json_object_get(exclusion, "ruleTags");
        const json_t *targets = json_object_get(exclusion, "targets");
        json_array_foreach (ids, j, which)
            put_exclusion("Id", json_string_value(which), targets, out);
        json_array_foreach (tags, j, which)
            put_exclusion("Tag", json_string_value(which), targets, out);
        if (json_array_size(ids) + json_array_size(tags) == 0 && json_array_size(targets) > 0)
            put_exclusion("Tag", "OWASP_CRS", targets, out);
    }
}

static json_int_t highest_paranoia(const json_t *policies)
{
    json_int_t highest = 1;
    const json_t *policy;
    size_t i;

    json_array_foreach (policies, i, policy)
        highest =
            NUM_MAX(highest, json_integer_value(json_object_get(spec_of(policy), "paranoiaLevel")));
    return highest;
}

void rules_put_before(const json_t *policies, struct buf *out)
{
    const json_t **list = sorted(policies);

    buf_put_str(out, before);
    for (size_t i = 0; i < json_array_size(policies); i++) {
        const json_t *spec = spec_of(list[i]);
        put_head(json_object_get(spec, "match"), (unsigned)(RULES_POLICY_FIRST + i), out);
        put_mode(spec, out);
        put_answers(spec, out);
        put_numbers(spec, out);
        put_exclusions(spec, out);
        buf_put_str(out, "\"\n");
    }
    free(list);
}

/* Rules of a level that no policy asks for would only make the image larger and slower to make. */
void rules_put_after(const json_t *policies, struct buf *out)
{
    buf_put_str(out, after);
    for (json_int_t level = highest_paranoia(policies) + 1; level <= PARANOIA_MAX; level++)
        buf_printf(out, "SecRuleRemoveByTag \"paranoia-level/%lld\"\n", (long long)level);
}
