/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this folder share: objects in short, and a small model. */
#ifndef DRUN_RBAC_RBAC_TEST_H
#define DRUN_RBAC_RBAC_TEST_H

#include "codec/json.h"
#include "rbac/rbac.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline json_t *json_of(const char *text)
{
    json_t *json = NULL;
    struct err err = ERR_INIT;

    if (codec_json_parse(span_str(text), "test", &json, &err) < 0)
        fail_msg("%s", err.msg);
    return json;
}

static inline int put(struct rbac_model *model, const char *text, struct err *err)
{
    CLEANUP_JSON json_t *json = json_of(text);

    return rbac_model_put(model, json, err);
}

static inline void must_put(struct rbac_model *model, const char *text)
{
    struct err err = ERR_INIT;

    if (put(model, text, &err) < 0)
        fail_msg("%s", err.msg);
}

#define META(kind, name)                                                                           \
    "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"" kind                            \
    "\",\"metadata\":{\"name\":\"" name "\"}"
#define META_IN(kind, ns, name)                                                                    \
    "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"" kind                            \
    "\",\"metadata\":{\"namespace\":\"" ns "\",\"name\":\"" name "\"}"
#define REF(kind, name)                                                                            \
    ",\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"" kind                    \
    "\",\"name\":\"" name "\"}"
#define USER(name)  ",\"subjects\":[{\"kind\":\"User\",\"name\":\"" name "\"}]}"
#define GROUP(name) ",\"subjects\":[{\"kind\":\"Group\",\"name\":\"" name "\"}]}"

static inline struct rbac_model *small_model(void)
{
    struct rbac_model *model = rbac_model_new();

    must_put(
        model,
        META_IN(
            "Role", "a",
            "reader") ",\"rules\":[{\"verbs\":[\"get\"],"
                      "\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"pods/log\",\"*/status\"]}]}");
    must_put(
        model,
        META("ClusterRole",
             "invoker") ",\"rules\":[{\"verbs\":[\"invoke\"],\"apiGroups\":[\"drun.io\"],"
                        "\"resources\":[\"models\"],\"resourceNames\":[\"llama\"]},"
                        "{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/metrics\",\"/logs/*\"]}]}");
    must_put(model, META_IN("RoleBinding", "a", "r") REF("Role", "reader") USER("alice"));
    must_put(model, META_IN("RoleBinding", "b", "i") REF("ClusterRole", "invoker") GROUP("ml"));
    return model;
}

#endif
