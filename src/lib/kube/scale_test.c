/* SPDX-License-Identifier: Apache-2.0 */
/* The subresource scale as a client sees it. */
#include "kube/rig.h"

#define SERVICES "/apis/drun.io/v1/namespaces/demo/modelservices"
#define SCALE    SERVICES "/chat/scale"

static void make_service(struct rig *rig)
{
    rig_must(rig, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    rig_must(rig, 201, "POST " SERVICES,
             "{'metadata':{'name':'chat'},'spec':{'modelRef':{'name':'m'},'engine':{'kind':'vllm'},"
             "'limits':{'maxTokens':5}}}");
}

static json_int_t replicas(const struct rig *rig, const char *part)
{
    return json_integer_value(codec_json_at(rig->body, part, "replicas", NULL));
}

static void a_scale_is_the_number_alone(void **state)
{
    struct rig *rig = *state;

    make_service(rig);
    rig_must(rig, 200, "GET " SCALE, NULL);
    assert_string_equal(rig_text(rig, "/kind"), "Scale");
    assert_string_equal(rig_text(rig, "/apiVersion"), "autoscaling/v1");
    assert_string_equal(rig_text(rig, "/metadata/name"), "chat");
    assert_int_equal(replicas(rig, "spec"), 1);
    assert_null(codec_json_at(rig->body, "spec", "engine", NULL));
    rig_must(rig, 200, "PATCH " SCALE, "{'spec':{'replicas':3,'engine':{'kind':'x'}}}");
    assert_int_equal(replicas(rig, "spec"), 3);
    rig_must(rig, 200, "PUT " SCALE,
             "{'apiVersion':'autoscaling/v1','kind':'Scale','metadata':{'name':'chat'},"
             "'spec':{'replicas':4},'status':{'replicas':9}}");
    rig_must(rig, 200, "GET " SERVICES "/chat", NULL);
    assert_int_equal(replicas(rig, "spec"), 4);
    assert_int_equal(replicas(rig, "status"), 0);
    assert_string_equal(rig_text(rig, "/spec/engine/kind"), "vllm");
    assert_int_equal(json_integer_value(codec_json_at(rig->body, "metadata", "generation", NULL)),
                     3);
}

static void a_scale_that_does_not_hold_is_refused(void **state)
{
    struct rig *rig = *state;

    make_service(rig);
    rig_must(rig, 422, "PATCH " SCALE, "{'spec':{'replicas':33}}");
    rig_must(rig, 422, "PATCH " SCALE, "{'spec':{'replicas':-1}}");
    rig_must(rig, 422, "PATCH " SCALE, "{'spec':{'replicas':'many'}}");
    rig_must(rig, 409, "PATCH " SCALE,
             "{'metadata':{'resourceVersion':'1'},'spec':{'replicas':2}}");
    rig_must(rig, 400, "PATCH " SCALE, "{'kind':'ModelService'}");
    rig_must(rig, 404, "PATCH " SERVICES "/other/scale", "{'spec':{'replicas':2}}");
    rig_must(rig, 405, "DELETE " SCALE, NULL);
    rig_must(rig, 404, "GET /api/v1/namespaces/demo/configmaps/x/scale", NULL);
    rig_must(rig, 200, "GET " SCALE, NULL);
    assert_int_equal(replicas(rig, "spec"), 1);
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, rig_start, rig_stop)
    const struct CMUnitTest tests[] = {
        CASE(a_scale_is_the_number_alone),
        CASE(a_scale_that_does_not_hold_is_refused),
    };
    struct err err = ERR_INIT;

    rig_over_store = argc > 1 && strcmp(argv[1], "store") == 0;
    if (secret_heap_init(&err) < 0)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
