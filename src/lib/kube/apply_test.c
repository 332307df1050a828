/* SPDX-License-Identifier: Apache-2.0 */
/* Server-side apply as a client sees it. */
#include "kube/rig.h"

static void what_is_no_longer_applied_goes(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 400, "PATCH " USERS "/a?fieldManager=", "{'metadata':{'name':'a'}}");
    rig_must(
        rig, 201, "PATCH " USERS "/a?fieldManager=one",
        "{'apiVersion':'drun.io/v1','kind':'User','metadata':{'name':'a','labels':{'x':'1','y':'2'},"
        "'finalizers':['x/1']},'spec':{'email':'a@b.c','displayName':'A'}}");
    rig_must(rig, 200, "PATCH " USERS "/a", "{'spec':{'expiresAt':'2030-01-01T00:00:00Z'}}");
    rig_must(rig, 200, "PATCH " USERS "/a?fieldManager=one",
             "{'metadata':{'labels':{'y':'2'}},'spec':{'email':'a@b.c'}}");
    assert_null(codec_json_at(rig->body, "metadata", "finalizers", NULL));
    assert_null(codec_json_at(rig->body, "metadata", "labels", "x", NULL));
    assert_string_equal(rig_text(rig, "/metadata/labels/y"), "2");
    assert_string_equal(rig_text(rig, "/spec/displayName"), "");
    assert_string_equal(rig_text(rig, "/spec/email"), "a@b.c");
    assert_string_equal(rig_text(rig, "/spec/expiresAt"), "2030-01-01T00:00:00Z");
    CLEANUP_FREE char *revision = mem_strdup(rig_text(rig, "/metadata/resourceVersion"));
    rig_must(rig, 200, "PATCH " USERS "/a?fieldManager=one",
             "{'metadata':{'labels':{'y':'2'}},'spec':{'email':'a@b.c'}}");
    assert_string_equal(rig_text(rig, "/metadata/resourceVersion"), revision);
}

static void two_appliers_do_not_overwrite_each_other(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 201, "PATCH " USERS "/a?fieldManager=one", "{'spec':{'email':'a@b.c'}}");
    rig_must(rig, 409, "PATCH " USERS "/a?fieldManager=two", "{'spec':{'email':'x@b.c'}}");
    assert_string_equal(rig_text(rig, "/message"),
                        "Apply failed with 1 conflict: conflict with \"one\": .spec.email");
    assert_string_equal(rig_text(rig, "/details/causes/0/field"), ".spec.email");
    rig_must(rig, 200, "PATCH " USERS "/a?fieldManager=two", "{'spec':{'email':'a@b.c'}}");
    /* Both own it now: it stays when one lets go. */
    rig_must(rig, 200, "PATCH " USERS "/a?fieldManager=one", "{'spec':{'displayName':'A'}}");
    assert_string_equal(rig_text(rig, "/spec/email"), "a@b.c");
    rig_must(rig, 200, "PATCH " USERS "/a?fieldManager=one&force=true",
             "{'spec':{'email':'x@b.c'}}");
    assert_string_equal(rig_text(rig, "/spec/email"), "x@b.c");
    rig_must(rig, 200, "PATCH " USERS "/a?fieldManager=two", "{}");
    assert_string_equal(rig_text(rig, "/spec/email"), "x@b.c");
    rig_must(rig, 400, "PATCH " USERS "/a?fieldManager=two",
             "{'metadata':{'labels':{'$patch':'delete'}}}");
}

static void lists_are_applied_by_their_keys(void **state)
{
    struct rig *rig = *state;
#define MSVC      "/apis/drun.io/v1/namespaces/demo/modelservices/m"
#define SPEC(env) "{'spec':{'modelRef':{'name':'m'},'engine':{'kind':'vllm','env':" env "}}}"

    rig_must(rig, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    rig_must(rig, 201, "PATCH " MSVC "?fieldManager=one",
             SPEC("[{'name':'A','value':'1'},{'name':'B','value':'2'}]"));
    rig_must(rig, 200, "PATCH " MSVC "?fieldManager=two",
             "{'spec':{'engine':{'env':[{'name':'C','value':'3'}]}}}");
    rig_must(rig, 200, "PATCH " MSVC "?fieldManager=one", SPEC("[{'name':'B','value':'4'}]"));
    const json_t *env = codec_json_at(rig->body, "spec", "engine", "env", NULL);
    assert_int_equal(json_array_size(env), 2);
    assert_string_equal(rig_text(rig, "/spec/engine/env/0/value"), "4");
    assert_string_equal(rig_text(rig, "/spec/engine/env/1/name"), "C");
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, rig_start, rig_stop)
    const struct CMUnitTest tests[] = {
        CASE(what_is_no_longer_applied_goes),
        CASE(two_appliers_do_not_overwrite_each_other),
        CASE(lists_are_applied_by_their_keys),
    };
    struct err err = ERR_INIT;

    rig_over_store = argc > 1 && strcmp(argv[1], "store") == 0;
    if (secret_heap_init(&err) < 0)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
