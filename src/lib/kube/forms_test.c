/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of an answer: tables, metadata, YAML, discovery, OpenAPI; and the reviews. */
#include "kube/rig.h"

#define TABLE "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

static const json_t *at(const json_t *list, size_t i)
{
    return json_array_get(list, i);
}

static void a_table_has_a_cell_for_each_column(void **state)
{
    struct rig *rig = *state;

    rig_make_user(rig, "a");
    rig->accept = TABLE;
    rig_must(rig, 200, "GET " USERS, NULL);
    assert_string_equal(rig_text(rig, "/kind"), "Table");
    assert_string_equal(rig_text(rig, "/apiVersion"), "meta.k8s.io/v1");
    const json_t *columns = json_object_get(rig->body, "columnDefinitions");
    const json_t *row = at(json_object_get(rig->body, "rows"), 0);
    assert_int_equal(json_array_size(columns), json_array_size(json_object_get(row, "cells")));
    assert_string_equal(rig_text(rig, "/rows/0/cells/0"), "a");
    assert_string_equal(rig_text(rig, "/rows/0/object/kind"), "PartialObjectMetadata");
    rig_must(rig, 200, "GET " USERS "?includeObject=Object", NULL);
    assert_string_equal(rig_text(rig, "/rows/0/object/kind"), "User");
    rig_must(rig, 200, "GET " USERS "/a?includeObject=None", NULL);
    assert_null(json_object_get(at(json_object_get(rig->body, "rows"), 0), "object"));
    rig_must(rig, 404, "GET " USERS "/b", NULL);
    assert_string_equal(rig_text(rig, "/kind"), "Status");
}

static void metadata_comes_alone_when_asked_for(void **state)
{
    struct rig *rig = *state;

    rig_make_user(rig, "a");
    rig->accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    rig_must(rig, 200, "GET " USERS, NULL);
    assert_string_equal(rig_text(rig, "/kind"), "PartialObjectMetadataList");
    assert_string_equal(rig_text(rig, "/items/0/metadata/name"), "a");
    assert_null(json_object_get(at(json_object_get(rig->body, "items"), 0), "spec"));
    rig->accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    rig_must(rig, 200, "GET " USERS "/a", NULL);
    assert_string_equal(rig_text(rig, "/kind"), "PartialObjectMetadata");
}

static void the_best_acceptable_form_is_given(void **state)
{
    struct rig *rig = *state;

    rig->accept = "application/vnd.kubernetes.protobuf";
    rig_must(rig, 406, "GET " USERS, NULL);
    rig->accept = "application/vnd.kubernetes.protobuf,application/json";
    rig_must(rig, 200, "GET " USERS, NULL);
    rig->accept = "text/html, */*;q=0.1";
    rig_must(rig, 200, "GET " USERS, NULL);
    rig->accept = "application/json;as=Table;v=v9;g=meta.k8s.io, application/json";
    rig_must(rig, 200, "GET " USERS, NULL);
    assert_string_equal(rig_text(rig, "/kind"), "UserList");
    rig->accept = "application/json;q=0, text/html";
    rig_must(rig, 406, "GET " USERS, NULL);
}

static const json_t *by_name(const json_t *list, const char *member, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        if (strcmp(codec_json_text(item, member, ""), name) == 0)
            return item;
    }
    fail_msg("there is no %s", name);
    return NULL;
}

static void discovery_knows_every_kind(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 200, "GET /apis/drun.io/v1", NULL);
    const json_t *list = json_object_get(rig->body, "resources");
    const json_t *controls = by_name(list, "name", "controls");
    assert_int_equal(json_array_size(json_object_get(controls, "verbs")), 3);
    assert_non_null(by_name(list, "name", "modelservices/status"));
    rig_must(rig, 200, "GET /apis/drun.io", NULL);
    assert_string_equal(rig_text(rig, "/preferredVersion/groupVersion"), "drun.io/v1");
    rig_must(rig, 404, "GET /apis/none.io", NULL);
    rig_must(rig, 404, "GET /apis/drun.io/v2", NULL);
    rig->accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    rig_must(rig, 200, "GET /apis", NULL);
    assert_string_equal(rig_text(rig, "/kind"), "APIGroupDiscoveryList");
    assert_non_null(strstr(rig->answer.content_type, "as=APIGroupDiscoveryList"));
    rig_must(rig, 200, "GET /api", NULL);
    list = codec_json_at((json_t *)at(json_object_get(rig->body, "items"), 0), "versions", NULL);
    list = json_object_get(at(list, 0), "resources");
    assert_non_null(by_name(list, "resource", "secrets"));
}

/* Every $ref of an OpenAPI document leads somewhere. */
static void check_references(const json_t *value, const json_t *schemas, const char *prefix)
{
    const char *name;
    json_t *item;
    size_t i;

    json_array_foreach (value, i, item)
        check_references(item, schemas, prefix);
    if (!json_is_object(value))
        return;
    json_object_foreach ((json_t *)value, name, item) {
        if (strcmp(name, "$ref") != 0 || !json_is_string(item)) {
            check_references(item, schemas, prefix);
            continue;
        }
        const char *to = json_string_value(item);
        if (strncmp(to, prefix, strlen(prefix)) != 0 ||
            json_object_get(schemas, to + strlen(prefix)) == NULL)
            fail_msg("%s leads nowhere", to);
    }
}

static void openapi_is_whole(void **state)
{
    struct rig *rig = *state;
    const char *path;
    json_t *entry;

    rig_must(rig, 200, "GET /openapi/v2", NULL);
    check_references(rig->body, json_object_get(rig->body, "definitions"), "#/definitions/");
    rig_must(rig, 200, "GET /openapi/v3", NULL);
    CLEANUP_JSON json_t *index = json_incref(rig->body);
    json_object_foreach (json_object_get(index, "paths"), path, entry) {
        CLEANUP_FREE char *what =
            mem_printf("GET %s", codec_json_text(entry, "serverRelativeURL", ""));
        rig_must(rig, 200, what, NULL);
        const json_t *schemas = codec_json_at(rig->body, "components", "schemas", NULL);
        assert_true(json_object_size(schemas) > 0);
        check_references(rig->body, schemas, "#/components/schemas/");
    }
    rig_must(rig, 404, "GET /openapi/v3/apis/none.io/v1", NULL);
}

static void reviews_are_answered(void **state)
{
    struct rig *rig = *state;
#define AUTHZ "/apis/authorization.k8s.io/v1/"

    rig_must(rig, 201, "POST " AUTHZ "selfsubjectaccessreviews",
             "{'spec':{'resourceAttributes':{'verb':'delete','resource':'users'}}}");
    assert_true(json_is_true(codec_json_at(rig->body, "status", "allowed", NULL)));
    rig_must(rig, 201, "POST " AUTHZ "subjectaccessreviews",
             "{'spec':{'user':'eve','resourceAttributes':{'verb':'delete','resource':'users'}}}");
    assert_true(json_is_false(codec_json_at(rig->body, "status", "allowed", NULL)));
    assert_string_equal(rig_text(rig, "/status/reason"), "no rule");
    rig_must(rig, 201, "POST " AUTHZ "subjectaccessreviews",
             "{'spec':{'user':'eve','nonResourceAttributes':{'verb':'get','path':'/x'}}}");
    assert_true(json_is_true(codec_json_at(rig->body, "status", "allowed", NULL)));
    rig_must(rig, 422, "POST " AUTHZ "subjectaccessreviews", "{'spec':{'user':'eve'}}");
    rig_must(rig, 422, "POST " AUTHZ "selfsubjectaccessreviews", "{}");
    rig_must(rig, 201, "POST " AUTHZ "namespaces/demo/localsubjectaccessreviews",
             "{'spec':{'user':'admin','resourceAttributes':{'verb':'get','resource':'x','namespace'"
             ":'demo'}}}");
    rig_must(rig, 400, "POST " AUTHZ "namespaces/demo/localsubjectaccessreviews",
             "{'spec':{'user':'admin','resourceAttributes':{'verb':'get','resource':'x','namespace'"
             ":'other'}}}");
    rig_must(rig, 201, "POST " AUTHZ "selfsubjectrulesreviews", "{'spec':{'namespace':'demo'}}");
    assert_true(json_is_true(codec_json_at(rig->body, "status", "incomplete", NULL)));
    rig_must(rig, 201, "POST /apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
    assert_string_equal(rig_text(rig, "/status/userInfo/username"), "admin");
    rig_must(rig, 201, "POST /apis/authentication.k8s.io/v1/tokenreviews",
             "{'spec':{'token':'good'}}");
    assert_string_equal(rig_text(rig, "/status/user/username"), "alice");
    assert_string_equal(rig_text(rig, "/spec/token"), "");
    rig_must(rig, 201, "POST /apis/authentication.k8s.io/v1/tokenreviews",
             "{'spec':{'token':'bad'}}");
    assert_true(json_is_false(codec_json_at(rig->body, "status", "authenticated", NULL)));
    rig_must(rig, 422, "POST /apis/authentication.k8s.io/v1/tokenreviews", "{'spec':{}}");
    rig_must(rig, 405, "GET " AUTHZ "selfsubjectaccessreviews", NULL);
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, rig_start, rig_stop)
    const struct CMUnitTest tests[] = {
        CASE(a_table_has_a_cell_for_each_column),
        CASE(metadata_comes_alone_when_asked_for),
        CASE(the_best_acceptable_form_is_given),
        CASE(discovery_knows_every_kind),
        CASE(openapi_is_whole),
        CASE(reviews_are_answered),
    };
    struct err err = ERR_INIT;

    rig_over_store = argc > 1 && strcmp(argv[1], "store") == 0;
    if (secret_heap_init(&err) < 0)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
