/* SPDX-License-Identifier: Apache-2.0 */
/* Rules at work, with the databases of patterns and without: the answers must be the same. */
#include "waf/compile/phrases.h"
#include "waf/run/rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ON "SecRuleEngine On\n"
static struct rig rig;
static bool no_scan;

static void open_rules(const char *rules)
{
    rig_open(&rig, rules, no_scan, NULL);
}

static void denies(const char *uri, uint32_t rule)
{
    const struct waf_verdict *verdict = rig_get(&rig, uri);

    if (verdict->action != WAF_DENY || verdict->rule != rule)
        fail_msg("%s: action %d by rule %u", uri, (int)verdict->action, verdict->rule);
}

static void passes(const char *uri)
{
    const struct waf_verdict *verdict = rig_get(&rig, uri);

    if (verdict->action > WAF_ALLOW)
        fail_msg("%s: refused by rule %u", uri, verdict->rule);
}

static void a_rule_denies(void **state UNUSED)
{
    open_rules(ON
               "SecRule ARGS \"@rx ev(i)l\" \"id:1,phase:2,deny,status:406,capture,t:urlDecodeUni,"
               "t:lowercase,log,msg:'Found %{TX.1} in %{MATCHED_VAR_NAME}',tag:'a',severity:2,"
               "logdata:'%{MATCHED_VAR}'\"\n");
    denies("/?q=so+EV%49L!", 1);
    assert_int_equal(waf_tx_verdict(rig.tx)->status, 406);
    const struct waf_hit *hit = rig_find(&rig, 1);
    assert_non_null(hit);
    assert_true(span_eq_str(hit->msg, "Found i in ARGS:q"));
    assert_true(span_eq_str(hit->logdata, "so evil!"));
    assert_true(span_eq_str(hit->variable, "ARGS:q"));
    assert_int_equal(hit->at, 3);
    assert_int_equal(hit->len, 4);
    assert_int_equal(hit->severity, 2);
    assert_true(hit->tag_count == 1 && span_eq_str(hit->tags[0], "a"));
    passes("/?q=good");
    assert_false(rig_hit(&rig, 1));
    rig_close(&rig);
}

static void detection_only_passes(void **state UNUSED)
{
    open_rules("SecRuleEngine DetectionOnly\nSecRule ARGS x \"id:1,deny\"\n");
    passes("/?a=x");
    assert_true(rig_hit(&rig, 1) && rig_find(&rig, 1)->disruptive);
    rig_close(&rig);
}

static void targets_and_exclusions(void **state UNUSED)
{
    open_rules(ON "SecRule ARGS|!ARGS:free|!ARGS:/^tok/ \"@contains bad\" \"id:1,deny\"\n"
                  "SecRule &ARGS:twice \"@gt 1\" \"id:2,deny\"\n"
                  "SecRule ARGS_NAMES \"@streq secret\" \"id:3,deny\"\n"
                  "SecRule REQUEST_HEADERS:X-One \"@streq 1\" \"id:4,deny,phase:1\"\n");
    denies("/?a=bad", 1);
    passes("/?FREE=bad&token=bad");
    passes("/?twice=1");
    denies("/?twice=1&twice=2", 2);
    denies("/?secret=", 3);
    assert_int_equal(rig_request(&rig, "GET", "/", "x-one: 1\n", NULL)->rule, 4);
    rig_close(&rig);
}

static void exceptions_change_rules(void **state UNUSED)
{
    open_rules(ON "SecRuleRemoveById 1\nSecRuleRemoveByTag gone\n"
                  "SecRuleUpdateTargetById 3 \"!ARGS:ok\"\nSecRuleUpdateActionById 4 \"pass\"\n"
                  "SecRule ARGS a \"id:1,deny\"\nSecRule ARGS b \"id:2,deny,tag:gone\"\n"
                  "SecRule ARGS c \"id:3,deny\"\nSecRule ARGS d \"id:4,deny\"\n");
    passes("/?x=a");
    passes("/?x=b");
    passes("/?ok=c");
    denies("/?x=c", 3);
    passes("/?x=d");
    rig_close(&rig);
}

static void chains_and_jumps(void **state UNUSED)
{
    open_rules(ON
               "SecRule ARGS:a \"@rx (\\d+)\" \"id:1,deny,chain,capture,setvar:tx.seen=%{TX.1}\"\n"
               "  SecRule ARGS:b \"@eq %{TX.1}\" \"chain\"\n    SecRule ARGS:c \"!@rx no\"\n"
               "SecRule TX:level \"@lt 2\" \"id:2,pass,nolog,skipAfter:END\"\n"
               "SecRule ARGS never \"id:3,deny\"\nSecMarker END\n"
               "SecRule ARGS:s on \"id:4,pass,nolog,skip:1\"\n"
               "SecRule ARGS here \"id:5,deny\"\nSecRule ARGS after \"id:6,deny\"\n"
               "SecAction \"id:7,phase:1,pass,nolog,setvar:tx.level=1\"\n");
    denies("/?a=x12&b=12&c=yes", 1);
    passes("/?a=x12&b=12&c=no");
    assert_string_equal(rig_tx(&rig, "seen"), "12");
    passes("/?a=x12&b=13&c=yes");
    passes("/?z=never");
    passes("/?s=on&t=here");
    denies("/?s=off&t=here", 5);
    denies("/?s=on&t=here+after", 6);
    rig_close(&rig);
}

static void variables_count(void **state UNUSED)
{
    open_rules(ON "SecAction \"id:1,phase:1,pass,nolog,setvar:tx.five=5,setvar:tx.sum=1\"\n"
                  "SecRule ARGS x \"id:2,pass,nolog,setvar:'tx.sum=+%{tx.five}',"
                  "setvar:tx.%{MATCHED_VAR_NAME}=1\"\n"
                  "SecAction \"id:3,pass,nolog,setvar:tx.less=-3,setvar:!tx.five\"\n"
                  "SecRule TX:SUM \"@ge 11\" \"id:4,deny\"\n");
    denies("/?a=x&b=x", 4);
    assert_string_equal(rig_tx(&rig, "sum"), "11");
    assert_string_equal(rig_tx(&rig, "less"), "-3");
    assert_string_equal(rig_tx(&rig, "five"), "");
    assert_string_equal(rig_tx(&rig, "ARGS:b"), "1");
    passes("/?a=x");
    rig_close(&rig);
}

static void variables_are_compared(void **state UNUSED)
{
    open_rules(ON
               "SecAction \"id:1,phase:1,pass,nolog,setvar:tx.level=3,setvar:tx.limit=3\"\n"
               "SecRule &TX:mine \"@eq 0\" \"id:2,phase:1,pass,nolog,setvar:tx.mine=%{tx.level}\"\n"
               "SecRule &TX:level \"@eq 0\" \"id:3,phase:1,pass,nolog,setvar:tx.level=9\"\n"
               "SecRule TX:none|TX:level \"@ge %{tx.limit}\" \"id:4,pass,nolog,skipAfter:A\"\n"
               "SecRule ARGS deny \"id:5,deny\"\nSecMarker A\n"
               "SecRule &TX:none|TX:level \"@gt 0\" \"id:6,pass,nolog,setvar:tx.both=+1\"\n"
               "SecRule TX:level|TX:mine \"@eq 3\" \"id:7,pass,nolog,setvar:tx.twice=+1\"\n"
               "SecRule TX:level \"!@lt 4\" \"id:8,deny\"\n"
               "SecRule ARGS:off x \"id:9,pass,nolog,ctl:ruleRemoveTargetById=10;TX:level\"\n"
               "SecRule TX:level \"@eq 3\" \"id:10,pass,nolog,setvar:tx.seen=1\"\n"
               "SecRule TX:unset \"@le %{tx.unset}\" \"id:11,deny\"\n"
               "SecRule TX:level \"@eq 3\" \"id:12,pass,severity:2,msg:'%{MATCHED_VAR}'\"\n");
    passes("/?a=deny");
    assert_string_equal(rig_tx(&rig, "mine"), "3");
    assert_string_equal(rig_tx(&rig, "level"), "3");
    assert_string_equal(rig_tx(&rig, "both"), "1");
    assert_string_equal(rig_tx(&rig, "twice"), "2");
    assert_string_equal(rig_tx(&rig, "seen"), "1");
    assert_true(span_eq_str(rig_find(&rig, 12)->msg, "3"));
    passes("/?off=x");
    assert_string_equal(rig_tx(&rig, "seen"), "");
    rig_close(&rig);
}

static void ctl_changes_what_follows(void **state UNUSED)
{
    open_rules(
        ON "SecRule ARGS:off \"@streq rule\" \"id:1,phase:1,pass,nolog,ctl:ruleRemoveById=10\"\n"
           "SecRule ARGS:off \"@streq tag\" \"id:2,phase:1,pass,nolog,ctl:ruleRemoveByTag=t\"\n"
           "SecRule ARGS:off \"@streq target\" \"id:3,phase:1,pass,nolog,"
           "ctl:ruleRemoveTargetById=10;ARGS:a\"\n"
           "SecRule ARGS:off \"@streq all\" \"id:4,phase:1,pass,nolog,ctl:ruleEngine=Off\"\n"
           "SecRule ARGS bad \"id:10,deny,tag:t\"\n");
    denies("/?a=bad", 10);
    passes("/?off=rule&a=bad");
    passes("/?off=tag&a=bad");
    passes("/?off=target&a=bad");
    denies("/?off=target&b=bad", 10);
    passes("/?off=all&a=bad");
    rig_close(&rig);
}

static void disruptive_actions(void **state UNUSED)
{
    open_rules("SecRuleEngine On\nSecDefaultAction \"phase:2,log,deny,status:418\"\n"
               "SecRule ARGS:a block \"id:1,block\"\nSecRule ARGS:a drop \"id:2,drop\"\n"
               "SecRule ARGS:a away \"id:3,redirect:'https://example.com/%{ARGS.b}'\"\n"
               "SecRule ARGS:a allow \"id:4,phase:1,allow\"\n"
               "SecRule ARGS:a request \"id:5,phase:1,allow:request\"\n"
               "SecRule ARGS:a silent \"id:6\"\n");
    denies("/?a=block", 1);
    assert_int_equal(waf_tx_verdict(rig.tx)->status, 418);
    assert_int_equal(rig_get(&rig, "/?a=drop")->action, WAF_DROP);
    assert_int_equal(rig_get(&rig, "/?a=away&b=x")->action, WAF_REDIRECT);
    assert_true(span_eq_str(waf_tx_verdict(rig.tx)->redirect, "https://example.com/x"));
    passes("/?a=allow+block");
    passes("/?a=request+block");
    passes("/?a=silent");
    assert_true(rig_hit(&rig, 6));
    rig_close(&rig);
}

static void bodies_are_read(void **state UNUSED)
{
    open_rules(ON "SecRule REQUEST_HEADERS:Content-Type json \"id:1,phase:1,pass,nolog,"
                  "ctl:requestBodyProcessor=JSON\"\n"
                  "SecRule REQUEST_HEADERS:Content-Type xml \"id:2,phase:1,pass,nolog,"
                  "ctl:requestBodyProcessor=XML\"\n"
                  "SecRule ARGS_POST:json.a.array_1 evil \"id:3,deny\"\n"
                  "SecRule XML:/* evil \"id:4,deny\"\nSecRule XML://@* wicked \"id:5,deny\"\n"
                  "SecRule ARGS_POST:form evil \"id:6,deny\"\nSecRule FILES evil \"id:7,deny\"\n"
                  "SecRule REQBODY_ERROR \"!@eq 0\" \"id:8,deny,status:400\"\n");
    assert_int_equal(
        rig_request(&rig, "POST", "/", "Content-Type: application/json\n", "{\"a\":[1,\"evil\"]}")
            ->rule,
        3);
    assert_int_equal(
        rig_request(&rig, "POST", "/", "Content-Type: application/json\n", "{\"a\":")->rule, 8);
    assert_int_equal(
        rig_request(&rig, "POST", "/", "Content-Type: text/xml\n", "<a><b>evil</b></a>")->rule, 4);
    assert_int_equal(
        rig_request(&rig, "POST", "/", "Content-Type: text/xml\n", "<a c='wicked'/>")->rule, 5);
    assert_int_equal(rig_request(&rig, "POST", "/",
                                 "Content-Type: application/x-www-form-urlencoded\n", "form=%65vil")
                         ->rule,
                     6);
    assert_int_equal(rig_request(&rig, "POST", "/",
                                 "Content-Type: multipart/form-data; boundary=x\n",
                                 "--x\r\nContent-Disposition: form-data; name=\"f\"; "
                                 "filename=\"evil\"\r\n\r\n1\r\n--x--\r\n")
                         ->rule,
                     7);
    rig_close(&rig);
}

static void answers_are_read(void **state UNUSED)
{
    const struct waf_connection connection = {.client_addr = span_str("192.0.2.1")};

    open_rules(ON "SecResponseBodyAccess On\nSecResponseBodyMimeType text/html\n"
                  "SecRule RESPONSE_STATUS \"@streq 500\" \"id:1,phase:3,deny\"\n"
                  "SecRule RESPONSE_BODY secret \"id:2,phase:4,deny\"\n");
    for (int i = 0; i < 2; i++) {
        waf_tx_start(rig.tx, &connection);
        waf_tx_uri(rig.tx, span_str("GET"), span_str("/"), span_str("HTTP/1.1"));
        (void)waf_tx_request_headers_end(rig.tx);
        (void)waf_tx_request_body_end(rig.tx);
        waf_tx_response_header(rig.tx, span_str("Content-Type"),
                               span_str(i == 0 ? "text/html; charset=x" : "image/png"));
        (void)waf_tx_response_headers_end(rig.tx, 200, span_str("HTTP/1.1"));
        assert_int_equal(waf_tx_wants_response_body(rig.tx), i == 0);
        (void)waf_tx_response_body(rig.tx, span_str("a sec"));
        (void)waf_tx_response_body(rig.tx, span_str("ret"));
        assert_int_equal(waf_tx_response_body_end(rig.tx)->rule, i == 0 ? 2 : 0);
    }
    rig_close(&rig);
}

static void limits_hold(void **state UNUSED)
{
    struct waf_engine_options options = {.work_max = 2000, .on_limit = WAF_LIMIT_DENY};
    char uri[4096] = "/?a=";

    rig_open(&rig, ON "SecRule ARGS \"@contains x\" \"id:1,deny\"\n", no_scan, &options);
    passes("/?a=b");
    memset(uri + 4, 'b', 3000);
    assert_int_equal(rig_get(&rig, uri)->action, WAF_DENY);
    assert_true((waf_tx_events(rig.tx) & WAF_EVENT_WORK_LIMIT) != 0);
    rig_close(&rig);
    open_rules(ON "SecRequestBodyLimit 4\nSecRule REQUEST_BODY x \"id:1,deny\"\n");
    assert_int_equal(rig_request(&rig, "POST", "/", "", "12345")->status, 413);
    rig_close(&rig);
}

static void collections_persist(void **state UNUSED)
{
    CLEANUP(waf_memory_store_free_ptr)
    struct waf_memory_store *memory = waf_memory_store_new(3);
    struct waf_store store = waf_memory_store_interface(memory);
    struct waf_engine_options options = {.store = &store};

    rig_open(&rig,
             ON "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},"
                "setvar:ip.count=+1,setvar:ip.other=x,expirevar:ip.other=0\"\n"
                "SecRule IP:count \"@gt 2\" \"id:2,phase:1,deny\"\n"
                "SecRule &IP:other \"@gt 0\" \"id:3,phase:1,deny\"\n",
             no_scan, &options);
    passes("/");
    passes("/");
    denies("/", 2);
    rig_close(&rig);
}

static void multi_match_and_phrases(void **state UNUSED)
{
    open_rules(ON
               "SecRule ARGS:a \"@rx ^%41$\" \"id:1,deny,multiMatch,t:urlDecodeUni,t:lowercase\"\n"
               "SecRule ARGS:b \"@pm One two |68 69|\" \"id:2,deny,capture,logdata:'%{TX.0}'\"\n"
               "SecRule MATCHED_VARS \"@pm x\" \"id:3,deny\"\n");
    denies("/?a=%2541", 1);
    denies("/?b=some+tWO+one", 2);
    assert_true(span_eq_str(rig_find(&rig, 2)->logdata, "tWO"));
    denies("/?b=a+hi", 2);
    passes("/?b=on+tw");
    rig_close(&rig);
}

static void phrases_are_found(void **state UNUSED)
{
    const struct span words[] = {span_str("he"), span_str("SHE"), span_str("hers"), span_str("")};
    CLEANUP(buf_free) struct buf trie = BUF_INIT(4096);
    size_t at;
    size_t len;

    phrases_build(words, ARRAY_LEN(words), &trie);
    assert_true(phrases_valid(buf_span(&trie)));
    assert_true(phrases_find(buf_span(&trie), span_str("uSheRs"), &at, &len));
    assert_int_equal(at, 1);
    assert_int_equal(len, 3);
    assert_false(phrases_find(buf_span(&trie), span_str("hhss"), &at, &len));
    trie.data[0] = 0xff;
    assert_false(phrases_valid(buf_span(&trie)));
}

static int with_databases(void **state UNUSED)
{
    no_scan = false;
    return 0;
}

static int without(void **state UNUSED)
{
    no_scan = true;
    return 0;
}

static void is_repeatable(const char *rules, bool wanted)
{
    open_rules(rules);
    assert_int_equal(waf_engine_is_repeatable(rig.engine), wanted);
    rig_close(&rig);
}

static void what_changes_by_itself_is_known(void **state UNUSED)
{
    is_repeatable(ON "SecRule ARGS bad \"id:1,deny\"\n", true);
    is_repeatable(ON "SecRule TIME_HOUR \"@lt 6\" \"id:1,deny\"\n", false);
    is_repeatable(ON "SecRule UNIQUE_ID \"@rx ^0\" \"id:1,deny\"\n", false);
    is_repeatable(ON "SecRule ARGS \"@streq %{TIME_EPOCH}\" \"id:1,deny\"\n", false);
    is_repeatable(ON "SecAction \"id:1,pass,nolog,setvar:tx.a=%{REMOTE_PORT}\"\n", false);
}

static void a_variable_is_set_from_outside(void **state UNUSED)
{
    const struct waf_connection connection = {.client_addr = span_str("192.0.2.1"),
                                              .server_addr = span_str("192.0.2.2"),
                                              .unique_id = span_str("x"),
                                              .remote_user = span_str("")};

    open_rules(ON "SecRule TX:drun_service \"@streq a/b\" \"id:1,phase:1,deny\"\n");
    for (int i = 0; i < 2; i++) {
        waf_tx_start(rig.tx, &connection);
        waf_tx_set_variable(rig.tx, "drun_service", span_str(i == 0 ? "a/b" : "a/c"));
        waf_tx_uri(rig.tx, span_str("GET"), span_str("/"), span_str("HTTP/1.1"));
        assert_int_equal(waf_tx_request_headers_end(rig.tx)->action, i == 0 ? WAF_DENY : WAF_PASS);
    }
    rig_close(&rig);
}

#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup(test, with_databases), cmocka_unit_test_setup(test, without)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_rule_denies),
        BOTH(detection_only_passes),
        BOTH(targets_and_exclusions),
        BOTH(exceptions_change_rules),
        BOTH(chains_and_jumps),
        BOTH(variables_count),
        BOTH(variables_are_compared),
        BOTH(ctl_changes_what_follows),
        BOTH(disruptive_actions),
        BOTH(bodies_are_read),
        BOTH(answers_are_read),
        BOTH(limits_hold),
        BOTH(collections_persist),
        BOTH(multi_match_and_phrases),
        BOTH(what_changes_by_itself_is_known),
        BOTH(a_variable_is_set_from_outside),
        cmocka_unit_test(phrases_are_found),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
