/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/body_oracle.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TEXT_MAX = 1 << 20 };

static const char document[] = "<?xml version=\"1.0\"?>\n<a x=\"1\" y=\"&lt;2\"><b>t&amp;u</b>\n"
                               "<![CDATA[<c>]]><!-- no --><n:d xmlns:n=\"urn:n\">v</n:d></a>";

static struct waf_xml *parse(const char *text, size_t step, int *rc, struct err *err)
{
    struct waf_xml *xml = waf_xml_new();
    size_t len = strlen(text);

    *rc = 0;
    for (size_t at = 0; at < len && *rc == 0; at += step)
        *rc = waf_xml_feed(xml, span_of(text + at, len - at < step ? len - at : step), err);
    if (*rc == 0)
        *rc = waf_xml_end(xml, err);
    return xml;
}

static bool put_value(void *ctx, const struct waf_pair *pair)
{
    buf_printf(ctx, "[%.*s]", SPAN_ARG(pair->value));
    return true;
}

static void selects(struct waf_xml *xml, const char *xpath, const char *values)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(TEXT_MAX);
    CLEANUP(buf_free) struct buf out = BUF_INIT(TEXT_MAX);
    struct waf_pair_sink sink = {put_value, &out};
    struct waf_xml_ns ns = {"q", "urn:n"};
    struct err err = ERR_INIT;

    assert_int_equal(waf_xml_select(xml, xpath, &ns, 1, &sink, arena, &err), 0);
    assert_string_equal(buf_text(&out), values);
}

static void xpath_finds_text(void **unused)
{
    (void)unused;
    for (size_t step = 1; step < 40; step += 6) {
        struct err err = ERR_INIT;
        int rc;
        CLEANUP(waf_xml_free_ptr) struct waf_xml *xml = parse(document, step, &rc, &err);
        if (rc < 0)
            fail_msg("%s", err.msg);
        selects(xml, "/*", "[t&u\n<c>v]");
        selects(xml, "//@*", "[1][<2]");
        selects(xml, "/a/b/text()", "[t&u]");
        selects(xml, "//q:d", "[v]");
        selects(xml, "//nothing", "");
        selects(xml, "string(/a)", "");
    }
}

static void refuses(const char *text, const char *part)
{
    struct err err = ERR_INIT;
    int rc;
    CLEANUP(waf_xml_free_ptr) struct waf_xml *xml = parse(text, 7, &rc, &err);

    assert_int_equal(rc, -1);
    if (strstr(err.msg, part) == NULL)
        fail_msg("%s", err.msg);
    selects(xml, "/*", "");
    assert_int_equal(waf_xml_feed(xml, span_str("x"), &err), -1);
}

static void bad_documents_are_refused(void **unused)
{
    (void)unused;
    refuses("", "empty");
    refuses("<!-- no element -->", "wrong");
    refuses("<a", "line 1");
    refuses("<a>\n</b>", "line 2");
    refuses("<a/><b/>", "line 1");
    refuses("<a>&x;</a>", "line 1");
}

/* Neither the thousand laughs nor a file of this machine. */
static void entities_are_refused(void **unused)
{
    (void)unused;
    refuses("<!DOCTYPE a [<!ENTITY l \"ha\"><!ENTITY m \"&l;&l;\">]><a>&m;</a>", "entities");
    refuses("<!DOCTYPE a [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><a>&f;</a>", "entities");
    refuses("<!DOCTYPE a [<!ENTITY % p SYSTEM \"http://192.0.2.1/x\"> %p;]><a/>", "entities");
}

static void a_doctype_alone_is_harmless(void **unused)
{
    struct err err = ERR_INIT;
    int rc;
    CLEANUP(waf_xml_free_ptr)
    struct waf_xml *xml =
        parse("<!DOCTYPE a SYSTEM \"http://192.0.2.1/a.dtd\"><a>1</a>", 5, &rc, &err);

    (void)unused;
    if (rc < 0)
        fail_msg("%s", err.msg);
    selects(xml, "/*", "[1]");
}

static void bad_expressions_are_refused(void **unused)
{
    struct err err = ERR_INIT;

    (void)unused;
    assert_int_equal(waf_xml_check_xpath("/*", &err), 0);
    assert_int_equal(waf_xml_check_xpath("//@*", &err), 0);
    assert_int_equal(waf_xml_check_xpath("/a[", &err), -1);
    assert_non_null(strstr(err.msg, "/a["));
}

static void modsecurity_finds_the_same(void **unused)
{
    struct oracle *oracle =
        body_oracle_new("SecRule REQUEST_HEADERS:Content-Type \"@streq text/xml\" "
                        "\"id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n",
                        "XML://@*", "XML:/*", "%{REQBODY_ERROR}");
    CLEANUP(body_list_free) struct body_list theirs;
    CLEANUP(buf_free) struct buf rest = BUF_INIT(TEXT_MAX);
    struct span body = span_str(document);
    struct oracle_request request = {
        .method = "POST", .content_type = "text/xml", .chunks = &body, .chunk_count = 1};

    (void)unused;
    body_list_init(&theirs);
    body_oracle_run(oracle, &request, &theirs, &rest);
    assert_string_equal(buf_text(&rest), "0");
    assert_string_equal(buf_text(&theirs.names), "31|3c32|");
    assert_string_equal(buf_text(&theirs.values), "7426750a3c633e76|");
    oracle_free(oracle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xpath_finds_text),
        cmocka_unit_test(bad_documents_are_refused),
        cmocka_unit_test(entities_are_refused),
        cmocka_unit_test(a_doctype_alone_is_harmless),
        cmocka_unit_test(bad_expressions_are_refused),
        cmocka_unit_test(modsecurity_finds_the_same),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
