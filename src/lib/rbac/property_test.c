/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled evaluator and the naive one must give the same answer to every request over every
 * model; and both the rule that nobody can give what he does not have, to the one that it stands
 * for. The seeds are one that is fixed and one that is printed. */
#include "rbac/object.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MODELS = 200, REQUESTS = 1000, FIXED_SEED = 20261122 };

static uint64_t seed;

static uint32_t below(uint32_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % limit;
}

static const char *const verbs[] = {"get", "list", "create", "invoke", "bind", "*"};
static const char *const groups[] = {"", "apps", "drun.io", "batch", "*"};
static const char *const resources[] = {"pods",        "pods/log", "models",   "secrets", "jobs",
                                        "jobs/status", "*/log",    "*/status", "*"};
static const char *const names[] = {"a", "b", "c", "d"};
static const char *const urls[] = {"/healthz", "/metrics", "/api/*", "/a*", "*", "/"};
static const char *const users[] = {"alice", "bob", "carol", "system:serviceaccount:n1:bot"};
static const char *const teams[] = {"dev", "ops", "ml", "system:authenticated", "alice"};
static const char *const namespaces[] = {"n1", "n2", "n3"};

#define PICK(array) (array)[below(ARRAY_LEN(array))]

static json_t *some(const char *const *from, uint32_t size, uint32_t at_least)
{
    json_t *list = json_array();

    for (uint32_t i = below(3) + at_least; i > 0; i--)
        json_array_append_new(list, json_string(from[below(size)]));
    return list;
}

#define SOME(array, at_least) some(array, ARRAY_LEN(array), at_least)

/* One statement for each choice: the order in which arguments are evaluated is the compiler's. */
static json_t *random_rule(bool clusterwide)
{
    json_t *rule = json_object();

    json_object_set_new(rule, "verbs", SOME(verbs, 1));
    if (clusterwide && below(4) == 0) {
        json_object_set_new(rule, "nonResourceURLs", SOME(urls, 1));
        return rule;
    }
    json_object_set_new(rule, "apiGroups", SOME(groups, 1));
    json_object_set_new(rule, "resources", SOME(resources, 1));
    if (below(2) == 0)
        json_object_set_new(rule, "resourceNames", SOME(names, 1));
    return rule;
}

static json_t *random_object(const char *kind, const char *namespace)
{
    CLEANUP_FREE char *name = mem_printf("x%u", below(5));

    json_t *object = json_pack("{s:s, s:s, s:{s:s, s:{s:s}}}", "apiVersion", RBAC_API_GROUP "/v1",
                               "kind", kind, "metadata", "name", name, "labels", "to", PICK(names));
    if (namespace != NULL)
        json_object_set_new(json_object_get(object, "metadata"), "namespace",
                            json_string(namespace));
    return object;
}

static json_t *random_role(void)
{
    bool clusterwide = below(2) == 0;
    json_t *object =
        random_object(clusterwide ? "ClusterRole" : "Role", clusterwide ? NULL : PICK(namespaces));
    json_t *rules = json_array();

    for (uint32_t i = below(4); i > 0; i--)
        json_array_append_new(rules, random_rule(clusterwide));
    json_object_set_new(object, "rules", rules);
    if (clusterwide && below(4) == 0)
        json_object_set_new(
            object, "aggregationRule",
            json_pack("{s:[{s:{s:s}}]}", "clusterRoleSelectors", "matchLabels", "to", PICK(names)));
    return object;
}

static json_t *random_binding(void)
{
    bool clusterwide = below(3) == 0;
    CLEANUP_FREE char *role = mem_printf("x%u", below(5));
    json_t *object = random_object(clusterwide ? "ClusterRoleBinding" : "RoleBinding",
                                   clusterwide ? NULL : PICK(namespaces));
    json_t *subjects = json_array();

    for (uint32_t i = below(3); i > 0; i--) {
        bool user = below(2) == 0;
        json_array_append_new(subjects, json_pack("{s:s, s:s}", "kind", user ? "User" : "Group",
                                                  "name", user ? PICK(users) : PICK(teams)));
    }
    if (below(6) == 0)
        json_array_append_new(subjects, json_pack("{s:s, s:s, s:s}", "kind", "ServiceAccount",
                                                  "namespace", "n1", "name", "bot"));
    json_object_set_new(object, "subjects", subjects);
    json_object_set_new(object, "roleRef",
                        json_pack("{s:s, s:s}", "kind",
                                  clusterwide || below(2) == 0 ? "ClusterRole" : "Role", "name",
                                  role));
    return object;
}

static void must_put(struct rbac_model *model, const json_t *object)
{
    struct err err = ERR_INIT;

    if (rbac_model_put(model, object, &err) < 0)
        fail_msg("%s", err.msg);
}

static struct rbac_model *random_model(void)
{
    struct rbac_model *model = rbac_model_new();

    for (uint32_t i = below(40); i > 0; i--) {
        CLEANUP_JSON json_t *role = random_role();
        must_put(model, role);
    }
    for (uint32_t i = below(40); i > 0; i--) {
        CLEANUP_JSON json_t *binding = random_binding();
        must_put(model, binding);
    }
    if (below(3) == 0)
        rbac_model_delete(model, "ClusterRole", "", "x1");
    return model;
}

static struct snapshot *compiled(struct rbac_model *model)
{
    CLEANUP(policy_builder_free_ptr) struct policy_builder *builder = policy_builder_new();
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct snapshot *snapshot = NULL;
    struct err err = ERR_INIT;

    if (rbac_model_compile(model, builder, &err) < 0 ||
        policy_builder_finish(builder, &file, &err) < 0 ||
        snapshot_from_bytes(&policy_snapshot, buf_span(&file), &snapshot, &err) < 0)
        fail_msg("%s", err.msg);
    return snapshot;
}

static void random_request(struct rbac_request *request, struct span team[3])
{
    static const char *const asked[] = {"pods", "models", "secrets", "jobs", "unheard-of", "*"};
    static const char *const subs[] = {"log", "status", "exec", "*"};
    static const char *const asked_verbs[] = {"get", "list", "create", "invoke", "unheard-of", "*"};
    static const char *const paths[] = {"/healthz", "/metrics", "/api/v1", "/a", "/b", "/", "/api"};
    static const char *const asked_groups[] = {"", "apps", "drun.io", "unheard-of"};

    *request = (struct rbac_request){.user.groups = team};
    request->user.name = span_str(PICK(users));
    request->user.group_count = below(4);
    request->verb = span_str(PICK(asked_verbs));
    for (size_t i = 0; i < 3; i++)
        team[i] = span_str(PICK(teams));
    request->namespace = below(4) == 0 ? span_str("") : span_str(PICK(namespaces));
    if (below(5) == 0) {
        request->path = span_str(PICK(paths));
        return;
    }
    request->api_group = span_str(PICK(asked_groups));
    request->resource = span_str(PICK(asked));
    request->subresource = below(2) == 0 ? span_str("") : span_str(PICK(subs));
    request->name = below(3) == 0 ? span_str("") : span_str(PICK(names));
}

/* The reason must be one that holds by itself: with no other binding there, the answer is the same.
 */
static void check_reason(const struct rbac_reason *reason)
{
    assert_true(reason->binding.len > 0 && reason->role.len > 0 && reason->subject.len > 0);
    assert_int_equal(reason->binding_namespace.len > 0,
                     span_eq_str(reason->binding_kind, "RoleBinding"));
}

static void compare(const char *which, uint64_t start)
{
    unsigned allowed = 0;

    seed = start;
    for (unsigned m = 0; m < MODELS; m++) {
        CLEANUP(rbac_model_free_ptr) struct rbac_model *model = random_model();
        CLEANUP(snapshot_free_ptr) struct snapshot *policy = compiled(model);
        for (unsigned r = 0; r < REQUESTS; r++) {
            struct rbac_request request;
            struct rbac_reason reason;
            struct span team[3];
            random_request(&request, team);
            bool naive = rbac_model_decide(model, &request, NULL);
            if (rbac_decide(policy, &request, &reason) != naive)
                fail_msg("seed %llu, model %u, request %u: the naive one says %d",
                         (unsigned long long)start, m, r, naive);
            if (naive)
                check_reason(&reason);
            allowed += naive;
        }
    }
    print_message("# %s seed %llu: %u of %u requests allowed\n", which, (unsigned long long)start,
                  allowed, MODELS * REQUESTS);
    assert_in_range(allowed, MODELS * REQUESTS / 50, MODELS * REQUESTS * 4 / 5);
}

static void evaluators_agree_on_the_fixed_seed(void **state UNUSED)
{
    compare("fixed", FIXED_SEED);
}

static void evaluators_agree_on_a_random_seed(void **state UNUSED)
{
    compare("random", clock_wall_ns() | 1);
}

static struct rbac_object *random_rules(void)
{
    CLEANUP_JSON json_t *role = random_role();
    struct rbac_object *object = NULL;
    struct err err = ERR_INIT;

    if (rbac_object_read(role, &object, &err) < 0)
        fail_msg("%s", err.msg);
    return object;
}

/* Covering means: whatever the servant's rules allow, the owner's allow too. */
static void covered_rules_allow_no_more(void **state UNUSED)
{
    unsigned used = 0;

    seed = FIXED_SEED;
    for (unsigned m = 0; m < MODELS * 100; m++) {
        CLEANUP(rbac_object_free_ptr) struct rbac_object *owner = random_rules();
        CLEANUP(rbac_object_free_ptr) struct rbac_object *servant = random_rules();
        struct rbac_tuple missing;
        if (!rbac_rules_cover(&owner->rules, &servant->rules, &missing))
            continue;
        for (unsigned r = 0; r < 200; r++) {
            struct rbac_request request;
            struct span team[3];
            random_request(&request, team);
            if (!rbac_rules_allow(&servant->rules, &request))
                continue;
            used++;
            assert_true(rbac_rules_allow(&owner->rules, &request));
        }
    }
    print_message("# %u allowed requests of covered rules\n", used);
    assert_true(used > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluators_agree_on_the_fixed_seed),
        cmocka_unit_test(evaluators_agree_on_a_random_seed),
        cmocka_unit_test(covered_rules_allow_no_more),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rbac property", tests, NULL, NULL);
}
