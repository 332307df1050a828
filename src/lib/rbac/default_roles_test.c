/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in roles. docs/ROLES.md lists what each can do, to be read by whoever reviews a change
 * to them: with DRUN_WRITE=1 in the environment this test writes it anew.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "rbac/rbac_test.h"

#include <fcntl.h>
#include <stdlib.h>

enum { PAGE_MAX = 1 << 20, LINES_MAX = 512 };

static const char *const people[] = {
    "cluster-admin", "drun:platform-admin", "drun:security-officer",
    "drun:auditor",  "drun:tenant-admin",   "drun:developer",
    "drun:viewer"};

static const char *const others[] = {"admin",
                                     "edit",
                                     "view",
                                     "system:basic-user",
                                     "system:discovery",
                                     "system:public-info-viewer",
                                     "system:auth-delegator",
                                     "drun:posture",
                                     "drun:posture-namespace"};

static struct rbac_model *default_model(void)
{
    struct rbac_model *model = rbac_model_new();
    CLEANUP_JSON json_t *objects = rbac_default_objects();
    struct err err = ERR_INIT;
    json_t *object;
    size_t i;

    json_array_foreach (objects, i, object)
        if (rbac_model_put(model, object, &err) < 0)
            fail_msg("%s", err.msg);
    return model;
}

/* As it is in force, aggregation done. */
static json_t *rules_of(struct rbac_model *model, const char *name)
{
    CLEANUP_JSON json_t *objects = rbac_default_objects();
    json_t *gathered = rbac_model_aggregated_rules(model, name);
    json_t *object;
    size_t i;

    if (gathered != NULL)
        return gathered;
    json_array_foreach (objects, i, object)
        if (strcmp(json_string_value(codec_json_at(object, "kind", NULL)), "ClusterRole") == 0 &&
            strcmp(json_string_value(codec_json_at(object, "metadata", "name", NULL)), name) == 0)
            return json_incref(json_object_get(object, "rules"));
    fail_msg("there is no role %s", name);
    return NULL;
}

/* ------------------------------------------------------------------ the page */

/* "GROUP/RESOURCE" to its verbs, as {verb: true}. */
static void add(json_t *lines, const char *what, const json_t *verbs)
{
    json_t *line = json_object_get(lines, what);
    const json_t *verb;
    size_t i;

    if (line == NULL)
        json_object_set_new(lines, what, line = json_object());
    json_array_foreach (verbs, i, verb)
        json_object_set_new(line, json_string_value(verb), json_true());
}

static void add_resources(json_t *lines, const json_t *rule, const json_t *verbs)
{
    const json_t *group;
    const json_t *resource;
    const json_t *name;
    size_t i;
    size_t j;
    size_t k;

    json_array_foreach (json_object_get(rule, "apiGroups"), i, group)
        json_array_foreach (json_object_get(rule, "resources"), j, resource) {
            const char *of = json_string_value(group);
            CLEANUP_FREE char *what =
                mem_printf("%s %s", of[0] == '\0' ? "core" : of, json_string_value(resource));
            if (json_object_get(rule, "resourceNames") == NULL)
                add(lines, what, verbs);
            json_array_foreach (json_object_get(rule, "resourceNames"), k, name) {
                CLEANUP_FREE char *one = mem_printf("%s \"%s\"", what, json_string_value(name));
                add(lines, one, verbs);
            }
        }
}

static void put_verbs(const json_t *line, struct buf *out)
{
    static const char *const order[] = {"*",      "get",   "list",   "watch",           "create",
                                        "update", "patch", "delete", "deletecollection"};
    const char *verb;
    json_t *value;

    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (json_object_get(line, order[i]) != NULL)
            buf_printf(out, " %s", order[i]);
    json_object_foreach ((json_t *)(uintptr_t)line, verb, value) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(order); i++)
            known |= strcmp(verb, order[i]) == 0;
        if (!known)
            buf_printf(out, " %s", verb);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_role(struct rbac_model *model, const char *name, struct buf *out)
{
    CLEANUP_JSON json_t *rules = rules_of(model, name);
    CLEANUP_JSON json_t *lines = json_object();
    const char *sorted[LINES_MAX];
    size_t count = 0;
    const json_t *rule;
    const char *what;
    json_t *verbs;
    size_t i;

    json_array_foreach (rules, i, rule) {
        const json_t *url;
        size_t j;
        add_resources(lines, rule, json_object_get(rule, "verbs"));
        json_array_foreach (json_object_get(rule, "nonResourceURLs"), j, url) {
            CLEANUP_FREE char *path = mem_printf("path %s", json_string_value(url));
            add(lines, path, json_object_get(rule, "verbs"));
        }
    }
    json_object_foreach (lines, what, verbs) {
        assert_true(count < LINES_MAX);
        sorted[count++] = what;
    }
    qsort(sorted, count, sizeof(*sorted), compare);
    buf_printf(out, "\n## %s\n\n```\n", name);
    for (i = 0; i < count; i++) {
        buf_printf(out, "%-72s", sorted[i]);
        put_verbs(json_object_get(lines, sorted[i]), out);
        buf_put_u8(out, '\n');
    }
    buf_put_str(out, "```\n");
}

static void put_page(struct rbac_model *model, struct buf *out)
{
    buf_put_str(
        out,
        "# What the built-in roles can do\n\n"
        "Exactly this: API group and resource, then verbs; a name in quotes narrows to that "
        "object. The page is\nwritten by `src/lib/rbac/default_roles_test.c` with `DRUN_WRITE=1`, "
        "which fails while the page is not what is\nbuilt in. Decision 0027 says "
        "more.\n");
    for (size_t i = 0; i < ARRAY_LEN(people); i++)
        put_role(model, people[i], out);
    buf_put_str(out, "\n# Parts, and the platform's own\n");
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        put_role(model, others[i], out);
}

static void the_page_is_what_the_roles_can_do(void **state UNUSED)
{
    struct rbac_model *model = default_model();
    CLEANUP(buf_free) struct buf page = BUF_INIT(PAGE_MAX);
    CLEANUP(buf_free) struct buf file = BUF_INIT(PAGE_MAX);
    CLEANUP_FREE char *dir = mem_printf("%s/docs", getenv("DRUN_SOURCE"));
    struct err err = ERR_INIT;
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, dir, &err);

    put_page(model, &page);
    rbac_model_free(model);
    assert_true(dir_fd >= 0);
    if (getenv("DRUN_WRITE") != NULL)
        assert_int_equal(fd_replace_file(dir_fd, "ROLES.md", 0644, buf_span(&page), false, &err),
                         0);
    if (fd_read_file(dir_fd, "ROLES.md", &file, &err) < 0)
        fail_msg("%s", err.msg);
    if (!span_eq(buf_span(&page), buf_span(&file)))
        fail_msg("docs/ROLES.md is not what the built-in roles can do: run this test with "
                 "DRUN_WRITE=1, and read the difference");
}

/* ------------------------------------------------------------------ what must hold of them */

static bool has(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

static void no_role_but_one_has_everything(void **state UNUSED)
{
    struct rbac_model *model = default_model();

    for (size_t i = 1; i < ARRAY_LEN(people); i++) {
        CLEANUP_JSON json_t *rules = rules_of(model, people[i]);
        const json_t *rule;
        size_t j;
        json_array_foreach (rules, j, rule) {
            const json_t *verbs = json_object_get(rule, "verbs");
            assert_false(has(verbs, "*"));
            assert_false(has(verbs, "escalate"));
            assert_false(has(json_object_get(rule, "apiGroups"), "*"));
            if (has(verbs, "bind"))
                assert_true(json_array_size(json_object_get(rule, "resourceNames")) > 0);
            if (has(verbs, "impersonate")) {
                assert_false(has(json_object_get(rule, "resources"), "users"));
                assert_false(has(json_object_get(rule, "resources"), "groups"));
            }
        }
    }
    rbac_model_free(model);
}

static void an_auditor_changes_nothing(void **state UNUSED)
{
    struct rbac_model *model = default_model();
    CLEANUP_JSON json_t *rules = rules_of(model, "drun:auditor");
    const json_t *rule;
    const json_t *verb;
    size_t i;
    size_t j;

    json_array_foreach (rules, i, rule)
        json_array_foreach (json_object_get(rule, "verbs"), j, verb) {
            const char *text = json_string_value(verb);
            bool looks = strcmp(text, "get") == 0 || strcmp(text, "list") == 0 ||
                         strcmp(text, "watch") == 0 || strcmp(text, "verify") == 0;
            /* A review is a question. */
            bool asks = strcmp(text, "create") == 0 &&
                        has(json_object_get(rule, "apiGroups"), "authorization.k8s.io");
            assert_true(looks || asks);
        }
    rbac_model_free(model);
}

static bool may(struct rbac_model *model, const char *group, const char *verb,
                const char *api_group, const char *resource)
{
    struct span groups[] = {span_str(group), span_str("system:authenticated")};
    struct rbac_request request = {
        .user = {.name = span_str("someone"), .groups = groups, .group_count = 2},
        .verb = span_str(verb),
        .api_group = span_str(api_group),
        .resource = span_str(resource),
    };

    return rbac_model_decide(model, &request, NULL);
}

static void duties_are_apart(void **state UNUSED)
{
    static const char *const verbs[] = {"get",    "list",  "watch",  "verify",
                                        "create", "patch", "delete", "deletecollection"};
    struct rbac_model *model = default_model();

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        assert_false(may(model, "drun:platform-admins", verbs[i], "audit.drun.io", "auditevents"));
        assert_false(may(model, "drun:platform-admins", verbs[i], "", "secrets"));
        assert_false(may(model, "drun:security-officers", verbs[i], "", "secrets"));
        assert_false(may(model, "drun:auditors", verbs[i], "", "secrets"));
    }
    assert_true(may(model, "drun:auditors", "list", "audit.drun.io", "auditevents"));
    assert_false(may(model, "drun:security-officers", "create", "drun.io", "users"));
    assert_false(may(model, "drun:security-officers", "create", RBAC_API_GROUP, "rolebindings"));
    assert_true(may(model, "drun:platform-admins", "create", "drun.io", "users"));
    rbac_model_free(model);
}

/* ------------------------------------------------------------------ nobody helps himself */

static int write_binding(struct rbac_model *model, const char *group, const char *role,
                         const char *kind, const char *subject, struct err *err)
{
    struct span groups[] = {span_str(group), span_str("system:authenticated")};
    struct rbac_user user = {.name = span_str("someone"), .groups = groups, .group_count = 2};
    CLEANUP_JSON json_t *binding =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s}, s:[{s:s, s:s, s:s}]}", "apiVersion",
                  RBAC_API_GROUP "/v1", "kind", "ClusterRoleBinding", "metadata", "name", "new",
                  "roleRef", "apiGroup", RBAC_API_GROUP, "kind", "ClusterRole", "name", role,
                  "subjects", "kind", kind, "apiGroup", RBAC_API_GROUP, "name", subject);

    return rbac_model_may_write(model, &user, binding, err);
}

static void an_administrator_gives_roles_to_others_and_none_to_himself(void **state UNUSED)
{
    static const struct {
        const char *role;
        bool to_others;
    } rows[] = {{"admin", true},          {"edit", true},
                {"view", true},           {"drun:tenant-admin", true},
                {"drun:developer", true}, {"drun:viewer", true},
                {"cluster-admin", false}, {"drun:security-officer", false},
                {"drun:auditor", false}};
    struct rbac_model *model = default_model();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        int wanted = rows[i].to_others ? 0 : -1;
        assert_int_equal(
            write_binding(model, "drun:platform-admins", rows[i].role, "User", "alice", &err),
            wanted);
        err_clear(&err);
        assert_int_equal(
            write_binding(model, "drun:platform-admins", rows[i].role, "User", "someone", &err),
            -1);
        assert_int_equal(err.code, ERR_DENIED);
        err_clear(&err);
        assert_int_equal(write_binding(model, "drun:platform-admins", rows[i].role, "Group",
                                       "drun:platform-admins", &err),
                         -1);
        err_clear(&err);
        assert_int_equal(
            write_binding(model, "drun:operators", rows[i].role, "User", "someone", &err), 0);
    }
    rbac_model_free(model);
}

static int touch(struct rbac_model *model, const char *group, const char *kind, const char *name,
                 struct err *err)
{
    struct span groups[] = {span_str(group)};
    struct rbac_user user = {.name = span_str("someone"), .groups = groups, .group_count = 1};
    CLEANUP_JSON json_t *objects = rbac_default_objects();
    json_t *object;
    size_t i;

    json_array_foreach (objects, i, object)
        if (strcmp(json_string_value(codec_json_at(object, "kind", NULL)), kind) == 0 &&
            strcmp(json_string_value(codec_json_at(object, "metadata", "name", NULL)), name) == 0)
            return rbac_model_may_touch(model, &user, object, err);
    fail_msg("there is no %s %s", kind, name);
    return 0;
}

static void who_is_watched_does_not_send_the_watchers_away(void **state UNUSED)
{
    struct rbac_model *model = default_model();
    struct err err = ERR_INIT;

    assert_int_equal(
        touch(model, "drun:platform-admins", "ClusterRoleBinding", "drun:auditors", &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(touch(model, "drun:platform-admins", "ClusterRole", "drun:auditor", &err), -1);
    assert_int_equal(
        touch(model, "drun:security-officers", "ClusterRoleBinding", "drun:auditors", &err), -1);
    assert_int_equal(touch(model, "drun:operators", "ClusterRoleBinding", "drun:auditors", &err),
                     0);
    rbac_model_free(model);
}

static void a_watchers_own_binding_is_one_too(void **state UNUSED)
{
    static const char *const rows[][2] = {{"drun:auditor", "ClusterRoleBinding"},
                                          {"drun:auditor", "RoleBinding"},
                                          {"drun:security-officer", "ClusterRoleBinding"}};
    struct rbac_model *model = default_model();
    struct span admins[] = {span_str("drun:platform-admins")};
    struct span operators[] = {span_str("drun:operators")};
    struct rbac_user admin = {.name = span_str("a"), .groups = admins, .group_count = 1};
    struct rbac_user chief = {.name = span_str("c"), .groups = operators, .group_count = 1};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP_JSON json_t *binding = json_pack(
            "{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s}}", "apiVersion",
            "rbac.authorization.k8s.io/v1", "kind", rows[i][1], "metadata", "name", "ours",
            "namespace", strcmp(rows[i][1], "RoleBinding") == 0 ? "tenant" : "", "roleRef",
            "apiGroup", "rbac.authorization.k8s.io", "kind", "ClusterRole", "name", rows[i][0]);
        assert_int_equal(rbac_model_may_touch(model, &admin, binding, &err), -1);
        assert_int_equal(err.code, ERR_DENIED);
        err_clear(&err);
        assert_int_equal(rbac_model_may_touch(model, &chief, binding, &err), 0);
    }
    rbac_model_free(model);
}

static void what_a_role_lacks_is_found(void **state UNUSED)
{
    CLEANUP_JSON json_t *have = json_of(META(
        "ClusterRole",
        "r") ",\"rules\":[{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"*\"]}]"
             "}");
    CLEANUP_JSON json_t *wanted = json_of(
        META("ClusterRole",
             "r") ",\"rules\":[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]},"
                  "{\"verbs\":[\"delete\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]}");
    CLEANUP_JSON json_t *missing = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(rbac_missing_rules(have, wanted, &missing, &err), 0);
    assert_int_equal(json_array_size(missing), 1);
    assert_true(has(json_object_get(json_array_get(missing, 0), "verbs"), "delete"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_what_the_roles_can_do),
        cmocka_unit_test(no_role_but_one_has_everything),
        cmocka_unit_test(an_auditor_changes_nothing),
        cmocka_unit_test(duties_are_apart),
        cmocka_unit_test(an_administrator_gives_roles_to_others_and_none_to_himself),
        cmocka_unit_test(who_is_watched_does_not_send_the_watchers_away),
        cmocka_unit_test(a_watchers_own_binding_is_one_too),
        cmocka_unit_test(what_a_role_lacks_is_found),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("default roles", tests, NULL, NULL);
}
