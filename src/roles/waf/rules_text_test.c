/* SPDX-License-Identifier: Apache-2.0 */
/* The policies as rules: compiled, and asked. */
#include "rules_text.h"

#include "codec/json.h"
#include "snapshot/snapshot.h"
#include "waf/waf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Stands for CRS: an injection in ARGS or a cookie, one of a high level. */
static const char rules[] =
    "SecRule ARGS|REQUEST_COOKIES \"@contains attack\" \"id:942100,phase:2,deny,status:403,tag:'attack-sqli',"
    "tag:'OWASP_CRS'\"\n"
    "SecRule ARGS \"@contains odd\" \"id:942999,phase:2,deny,status:403,tag:'OWASP_CRS',"
    "tag:'paranoia-level/2'\"\n";

struct world {
    struct snapshot *image;
    struct waf_engine *engine;
    struct waf_tx *tx;
};

static struct world world_of(const char *policies)
{
    CLEANUP(buf_free) struct buf image = BUF_INIT(WAF_IMAGE_MAX);
    CLEANUP(buf_free) struct buf before = BUF_INIT(65536);
    CLEANUP(buf_free) struct buf after = BUF_INIT(65536);
    CLEANUP_JSON json_t *list = NULL;
    const struct waf_compile_options options = {.no_scan = true};
    struct world world = {NULL};
    struct err err = ERR_INIT;

    assert_int_equal(codec_json_parse(span_str(policies), "policies", &list, &err), 0);
    rules_put_before(list, &before);
    rules_put_after(list, &after);
    const struct waf_source sources[] = {
        {"before", buf_text(&before)}, {"rules", rules}, {"after", buf_text(&after)}};
    if (waf_compile(sources, ARRAY_LEN(sources), &options, &image, &err) < 0)
        fail_msg("%s\n%s", err.msg, buf_text(&before));
    assert_int_equal(snapshot_from_bytes(&waf_snapshot, buf_span(&image), &world.image, &err), 0);
    assert_int_equal(waf_engine_new(world.image, NULL, &world.engine, &err), 0);
    world.tx = waf_tx_new(world.engine);
    return world;
}

static void world_free(struct world *world)
{
    waf_tx_free(world->tx);
    waf_engine_free(world->engine);
    snapshot_free(world->image);
}

static bool is_denied_with(struct world *world, const char *uri, const char *service,
                           const char *cookie)
{
    const struct waf_connection connection = {.client_addr = span_str("192.0.2.1"),
                                              .server_addr = span_str("192.0.2.2"),
                                              .unique_id = span_str("x"),
                                              .remote_user = span_str("")};
    const char *slash = strchr(service, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - service);

    waf_tx_start(world->tx, &connection);
    waf_tx_set_variable(world->tx, RULES_NAMESPACE, span_of(service, len));
    waf_tx_set_variable(world->tx, RULES_SERVICE, span_str(service));
    waf_tx_uri(world->tx, span_str("GET"), span_str(uri), span_str("HTTP/1.1"));
    waf_tx_request_header(world->tx, span_str("Host"), span_str("example.com"));
    waf_tx_request_header(world->tx, span_str("Cookie"), span_str(cookie));
    (void)waf_tx_request_headers_end(world->tx);
    (void)waf_tx_request_body_end(world->tx);
    return waf_tx_verdict(world->tx)->action == WAF_DENY;
}

static bool is_denied(struct world *world, const char *uri, const char *service)
{
    return is_denied_with(world, uri, service, "a=b");
}

#define POLICY(name, spec) "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{" spec "}}"

static void without_policies_the_rules_hold(void **state UNUSED)
{
    struct world world = world_of("[]");

    assert_true(is_denied(&world, "/x?a=attack", ""));
    assert_false(is_denied(&world, "/x?a=good", ""));
    /* Of a level that nobody asked for. */
    assert_false(is_denied(&world, "/x?a=odd", ""));
    world_free(&world);
}

static void modes_hold_where_they_match(void **state UNUSED)
{
    struct world world = world_of(
        "[" POLICY("a", "\"match\":{\"paths\":[\"/v1.0\",\"/off\"]},\"mode\":\"Off\"") "," POLICY("z", "\"mode\":\"Block\",\"paranoiaLevel\":2") "," POLICY(
            "s",
            "\"match\":{\"modelServices\":[\"ns/llama\"]},\"mode\":\"Detect\"") "," POLICY("n",
                                                                                           "\"match\":{\"namespaces\":[\"free\"],\"paths\":[\"/v2\"]},\"mode\":\"Off\"") "]");

    assert_false(is_denied(&world, "/off/x?a=attack", ""));
    assert_true(is_denied(&world, "/offer?a=attack", ""));
    assert_false(is_denied(&world, "/v1.0?a=attack", ""));
    assert_true(is_denied(&world, "/v1x0?a=attack", ""));
    assert_false(is_denied(&world, "/x?a=attack", "ns/llama"));
    assert_true(is_denied(&world, "/x?a=attack", "ns/llama2"));
    assert_true(is_denied(&world, "/x?a=odd", ""));
    /* Both lists must fit. */
    assert_false(is_denied(&world, "/v2?a=attack", "free/any"));
    assert_true(is_denied(&world, "/v3?a=attack", "free/any"));
    assert_true(is_denied(&world, "/v2?a=attack", "other/any"));
    world_free(&world);
}

static void exclusions_take_rules_and_targets_away(void **state UNUSED)
{
    struct world world = world_of(
        "[" POLICY("i", "\"match\":{\"paths\":[\"/id\"]},\"exclusions\":[{\"ruleIds\":[\"942000-942199\"]}]") "," POLICY(
            "t",
            "\"match\":{\"paths\":[\"/tag\"]},\"exclusions\":[{\"ruleTags\":[\"attack-sqli\"],"
            "\"targets\":[\"ARGS:b\"]}]") "," POLICY("x",
                                                     "\"match\":{\"paths\":[\"/all\"]},\"exclusions\":[{\"targets\":[\"ARGS:c\"]}]") "]");

    assert_false(is_denied(&world, "/id?a=attack", ""));
    assert_false(is_denied(&world, "/tag?b=attack", ""));
    assert_true(is_denied(&world, "/tag?a=attack", ""));
    assert_false(is_denied(&world, "/all?c=attack", ""));
    assert_true(is_denied(&world, "/all?b=attack", ""));
    assert_true(is_denied(&world, "/x?c=attack", ""));
    world_free(&world);
}

static void secrets_at_the_sign_in_are_not_looked_at(void **state UNUSED)
{
    struct world world = world_of("[]");

    assert_false(is_denied(&world, "/oauth2/token?client_secret=attack&state=attack", ""));
    assert_false(is_denied(&world, "/oauth2/authorize?nonce=attack&code_challenge=attack", ""));
    assert_false(is_denied(&world, "/callback?code=attack&state=attack", ""));
    assert_false(is_denied_with(&world, "/", "", "__Host-drun-session=attack"));
    assert_true(is_denied_with(&world, "/", "", "session=attack"));
    assert_true(is_denied(&world, "/oauth2/token?client_id=attack", ""));
    assert_true(is_denied(&world, "/oauth2x?client_secret=attack", ""));
    assert_false(is_denied(&world, "/api/v1/pods?labelSelector=attack", ""));
    world_free(&world);
}

/* Which answers the gateway is told to look at; "" for none. */
static const char *answers(struct world *world, const char *uri)
{
    static char room[16];

    (void)is_denied(world, uri, "");
    struct span which = waf_tx_variable(world->tx, RULES_ANSWERS);
    snprintf(room, sizeof(room), "%.*s", SPAN_ARG(which));
    return waf_tx_wants_answer(world->tx) ? room : "";
}

static void policies_say_which_answers(void **state UNUSED)
{
    struct world world = world_of(
        "[" POLICY("a", "\"match\":{\"paths\":[\"/all\"]},\"responses\":\"All\"") "," POLICY("b", "\"match\":{\"paths\":[\"/none\"]},\"responses\":\"Off\"") "," POLICY(
            "c",
            "\"match\":{\"paths\":[\"/none/but\"]},\"responses\":\"Errors\",\"outboundThreshold\":9") "]");

    assert_string_equal(answers(&world, "/x"), "errors");
    assert_string_equal(answers(&world, "/all"), "all");
    assert_string_equal(answers(&world, "/none"), "");
    assert_string_equal(answers(&world, "/none/but"), "errors");
    struct span threshold = waf_tx_variable(world.tx, "outbound_anomaly_score_threshold");
    assert_true(span_eq_str(threshold, "9"));
    assert_true(waf_engine_takes_type(world.engine, span_str("text/html; charset=utf-8")));
    assert_false(waf_engine_takes_type(world.engine, span_str("text/event-stream")));
    assert_int_equal(waf_engine_answer_limits(world.engine).bytes, 524288);
    assert_false(waf_engine_answer_limits(world.engine).rejects);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_policies_the_rules_hold),
        cmocka_unit_test(modes_hold_where_they_match),
        cmocka_unit_test(exclusions_take_rules_and_targets_away),
        cmocka_unit_test(policies_say_which_answers),
        cmocka_unit_test(secrets_at_the_sign_in_are_not_looked_at),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
