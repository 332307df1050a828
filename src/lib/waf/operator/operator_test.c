/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/body.h"
#include "waf/operator/operator.h"

#include "base/fd.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BLOB_MAX = 1 << 22, MISS = -1 };

/* Prepared, loaded, matched once. */
static bool match(enum waf_op op, const char *argument, const char *dir, struct waf_op_run *run,
                  struct span value, struct waf_op_found *found)
{
    CLEANUP(buf_free) struct buf blob = BUF_INIT(BLOB_MAX);
    CLEANUP(waf_op_state_free_ptr) struct waf_op_state *state = NULL;
    struct err err = ERR_INIT;

    if (waf_op_prepare(op, span_str(argument), dir, &blob, &err) < 0 ||
        waf_op_load(op, buf_span(&blob), &state, &err) < 0)
        fail_msg("@%s %s: %s", waf_op_name(op), argument, err.msg);
    return waf_op_match(op, buf_span(&blob), state, span_str(argument), value, run, found);
}

static const struct {
    enum waf_op op;
    const char *argument;
    const char *value;
    int offset; /* MISS: no match */
    size_t len;
} CASES[] = {
    {WAF_OP_BEGINS_WITH, "ab", "abc", 0, 2},
    {WAF_OP_BEGINS_WITH, "ab", "a", MISS, 0},
    {WAF_OP_ENDS_WITH, "bc", "abc", 1, 2},
    {WAF_OP_ENDS_WITH, "abcd", "abc", MISS, 0},
    {WAF_OP_CONTAINS, "b", "abc", 1, 1},
    {WAF_OP_CONTAINS, "", "abc", 0, 0},
    {WAF_OP_CONTAINS, "x", "", MISS, 0},
    {WAF_OP_STRMATCH, "bc", "abc", 1, 2},
    {WAF_OP_CONTAINS_WORD, "or", "for or", 4, 2},
    {WAF_OP_CONTAINS_WORD, "or", "for ora", MISS, 0},
    {WAF_OP_CONTAINS_WORD, "or", "1or2", 1, 2},
    {WAF_OP_STREQ, "abc", "abc", 0, 3},
    {WAF_OP_STREQ, "abc", "abcd", MISS, 0},
    {WAF_OP_WITHIN, "GET POST HEAD", "POST", 0, 4},
    {WAF_OP_WITHIN, "GET POST HEAD", "PUT", MISS, 0},
    {WAF_OP_WITHIN, "GET", "", 0, 0},
    {WAF_OP_EQ, "15", " 15x", 0, 4},
    {WAF_OP_EQ, "0", "text", 0, 4},
    {WAF_OP_EQ, "0", "4294967296", MISS, 0},
    {WAF_OP_GE, "5", "5", 0, 1},
    {WAF_OP_GT, "5", "5", MISS, 0},
    {WAF_OP_GT, "5", "99999999999999999999999", 0, 23},
    {WAF_OP_LE, "-5", "-6", 0, 2},
    {WAF_OP_LT, "5", "4", 0, 1},
    {WAF_OP_NO_MATCH, "", "x", MISS, 0},
    {WAF_OP_UNCONDITIONAL_MATCH, "", "x", 0, 1},
    {WAF_OP_VALIDATE_BYTE_RANGE, "10, 13,32-126", "ab\tc", 2, 1},
    {WAF_OP_VALIDATE_BYTE_RANGE, "10, 13,32-126", "abc\r\n", MISS, 0},
    {WAF_OP_VALIDATE_URL_ENCODING, "", "a%41%4", 4, 2},
    {WAF_OP_VALIDATE_URL_ENCODING, "", "a%41%zz%", 4, 4},
    {WAF_OP_VALIDATE_URL_ENCODING, "", "a%41", MISS, 0},
    {WAF_OP_VALIDATE_UTF8_ENCODING, "", "a\xC3\xA4\xED\xA0\x80", 3, 3},
    {WAF_OP_VALIDATE_UTF8_ENCODING, "", "a\xC0\xAF", 1, 2},
    {WAF_OP_VALIDATE_UTF8_ENCODING, "", "\xE4\xB8\xAD\xF0\x9F\x98\x80", MISS, 0},
    {WAF_OP_IP_MATCH, "192.0.2.0/24, 10.0.0.1", "192.0.2.255", 0, 11},
    {WAF_OP_IP_MATCH, "192.0.2.0/24, 10.0.0.1", "192.0.3.0", MISS, 0},
    {WAF_OP_IP_MATCH, "192.0.2.0/24,10.0.0.1", "10.0.0.1", 0, 8},
    {WAF_OP_IP_MATCH, "192.0.2.77/24", "192.0.2.1", 0, 9},
    {WAF_OP_IP_MATCH, "0.0.0.0/0", "8.8.8.8", 0, 7},
    {WAF_OP_IP_MATCH, "0.0.0.0/0", "::1", MISS, 0},
    {WAF_OP_IP_MATCH, "2001:db8::/33", "2001:db8:7fff::1", 0, 16},
    {WAF_OP_IP_MATCH, "2001:db8::/33", "2001:db8:8000::1", MISS, 0},
    {WAF_OP_IP_MATCH, "::1", "not an address", MISS, 0},
    {WAF_OP_VERIFY_CC, "[0-9]{13,16}", "x 4111111111111111 y", 2, 16},
    {WAF_OP_VERIFY_CC, "\\b[0-9]{16}\\b", "x 4111111111111112 y", MISS, 0},
    {WAF_OP_VERIFY_CC, "\\b[0-9]{16}\\b", "4111111111111112 4111111111111111", 17, 16},
    {WAF_OP_VERIFY_CPF, "([0-9]{3}\\.){2}[0-9]{3}-[0-9]{2}", "a 111.444.777-35", 2, 14},
    {WAF_OP_VERIFY_CPF, "([0-9]{3}\\.){2}[0-9]{3}-[0-9]{2}", "a 111.111.111-11", MISS, 0},
    {WAF_OP_VERIFY_SSN, "\\d{3}-?\\d{2}-?\\d{4}", "a 078-05-1120", 2, 11},
    {WAF_OP_VERIFY_SSN, "\\d{3}-?\\d{2}-?\\d{4}", "a 666-05-1120", MISS, 0},
    {WAF_OP_VERIFY_SVNR, "\\d{4} ?\\d{6}", "1237 010180", 0, 11},
    {WAF_OP_VERIFY_SVNR, "\\d{4} ?\\d{6}", "1238 010180", MISS, 0},
};

static void each_case(void **unused)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 16);

    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct waf_op_run run = {.arena = arena};
        struct waf_op_found found;
        bool hit =
            match(CASES[i].op, CASES[i].argument, NULL, &run, span_str(CASES[i].value), &found);
        if (hit != (CASES[i].offset != MISS))
            fail_msg("case %zu: @%s %s", i, waf_op_name(CASES[i].op), CASES[i].value);
        if (hit) {
            assert_int_equal(found.offset, CASES[i].offset);
            assert_int_equal(found.len, CASES[i].len);
        }
    }
}

static void injections_are_detected(void **unused)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 16);
    struct waf_op_run run = {.arena = arena};
    struct waf_op_found found;

    (void)unused;
    assert_true(match(WAF_OP_DETECT_SQLI, "", NULL, &run, span_str("1' OR '1'='1' --"), &found));
    assert_true(found.capture.len > 0 && found.capture.len < 8);
    assert_false(match(WAF_OP_DETECT_SQLI, "", NULL, &run, span_str("hello world"), &found));
    assert_true(match(WAF_OP_DETECT_XSS, "", NULL, &run, span_str("<script>x</script>"), &found));
    assert_true(span_eq_str(found.capture, "<script>x</script>"));
    assert_false(match(WAF_OP_DETECT_XSS, "", NULL, &run, span_str("a < b"), &found));
}

int libinjection_xss(const char *text, size_t len);

/* @detectXSS does not ask libinjection about others. */
static void scripts_need_a_mark(void **unused)
{
    static const char *const words[] = {"onload",      "style",  "href",    "\"",      "'", "`",
                                        ">",           "/",      " ",       "script",  "!", "--",
                                        "javascript:", "[if",    "?xml",    "DOCTYPE", "x", "\n",
                                        ":",           "import", "alert(1)"};
    uint32_t seed = 99;
    char text[256];

    (void)unused;
    for (int i = 0; i < 200000; i++) {
        size_t len = 0;
        for (int words_left = 8; words_left > 0; words_left--) {
            seed = seed * 1664525 + 1013904223;
            const char *word = words[(seed >> 8) % ARRAY_LEN(words)];
            memcpy(text + len, word, strlen(word));
            len += strlen(word);
        }
        if (libinjection_xss(text, len) != 0)
            fail_msg("%.*s", (int)len, text);
    }
}

static void prepare_says(enum waf_op op, const char *argument, enum err_code code, const char *part)
{
    CLEANUP(buf_free) struct buf blob = BUF_INIT(BLOB_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(waf_op_prepare(op, span_str(argument), "/tmp", &blob, &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.msg, part) == NULL)
        fail_msg("%s", err.msg);
}

static void bad_arguments_are_named(void **unused)
{
    (void)unused;
    prepare_says(WAF_OP_RBL, "sbl.example", ERR_UNSUPPORTED, "DNS");
    prepare_says(WAF_OP_INSPECT_FILE, "/x", ERR_UNSUPPORTED, "program");
    prepare_says(WAF_OP_FUZZY_HASH, "/x 5", ERR_UNSUPPORTED, "ssdeep");
    prepare_says(WAF_OP_RX, "x", ERR_UNSUPPORTED, "engine");
    prepare_says(WAF_OP_IP_MATCH, "192.0.2.0/33", ERR_INVALID, "192.0.2.0/33");
    prepare_says(WAF_OP_IP_MATCH, "10.0.0.1,x", ERR_INVALID, "\"x\"");
    prepare_says(WAF_OP_IP_MATCH_FROM_FILE, "there-is-none.txt", ERR_NOT_FOUND, "there-is-none");
    prepare_says(WAF_OP_IP_MATCH_FROM_FILE, "https://x/y", ERR_UNSUPPORTED, "network");
    prepare_says(WAF_OP_VALIDATE_BYTE_RANGE, "1-256", ERR_INVALID, "256");
    prepare_says(WAF_OP_VALIDATE_BYTE_RANGE, "20-10", ERR_INVALID, "range");
    prepare_says(WAF_OP_VALIDATE_BYTE_RANGE, "", ERR_INVALID, "byte");
    prepare_says(WAF_OP_VERIFY_CC, "a(", ERR_INVALID, "character 3");
}

static void names_are_found(void **unused)
{
    enum waf_op op;

    (void)unused;
    for (int i = 0; i < WAF_OP_COUNT; i++) {
        assert_true(waf_op_by_name(span_str(waf_op_name((enum waf_op)i)), &op));
        assert_int_equal(op, i);
    }
    assert_true(waf_op_by_name(span_str("ipmatchf"), &op));
    assert_int_equal(op, WAF_OP_IP_MATCH_FROM_FILE);
    assert_false(waf_op_by_name(span_str("r"), &op));
    assert_true(waf_op_expands_macros(WAF_OP_STREQ));
    assert_int_equal(waf_op_arity(WAF_OP_DETECT_XSS), WAF_OP_ARG_NONE);
}

/* ------------------------------------------------------------------ files */

struct folder {
    char path[64];
};

static void folder_free(struct folder *folder)
{
    struct err err = ERR_INIT;

    assert_int_equal(fd_remove_tree(folder->path, &err), 0);
}

static void folder_make(struct folder *folder)
{
    snprintf(folder->path, sizeof(folder->path), "/tmp/drun-waf-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static void put_file(const struct folder *folder, const char *name, struct span text)
{
    struct err err = ERR_INIT;
    CLEANUP_FD int dir = fd_open_dir(-100, folder->path, &err);

    assert_int_equal(fd_replace_file(dir, name, 0600, text, false, &err), 0);
}

/* Against the plain loop, over networks that overlap. */
static void a_long_list_is_searched(void **unused)
{
    CLEANUP(folder_free) struct folder folder;
    CLEANUP(buf_free) struct buf text = BUF_INIT(BLOB_MAX);
    CLEANUP(buf_free) struct buf blob = BUF_INIT(BLOB_MAX);
    struct err err = ERR_INIT;

    (void)unused;
    folder_make(&folder);
    for (unsigned i = 0; i < 20000; i++)
        buf_printf(&text, "10.%u.%u.0/%u # %u\n", i % 250, i * 7 % 251, 24 + i % 9, i);
    put_file(&folder, "list", buf_span(&text));
    assert_int_equal(
        waf_op_prepare(WAF_OP_IP_MATCH_FROM_FILE, span_str("list"), folder.path, &blob, &err), 0);
    for (unsigned i = 0; i < 20000; i++) {
        char address[32];
        struct waf_op_run run = {0};
        struct waf_op_found found;
        snprintf(address, sizeof(address), "10.%u.%u.0", i % 250, i * 7 % 251);
        assert_true(waf_op_match(WAF_OP_IP_MATCH_FROM_FILE, buf_span(&blob), NULL, span_str(""),
                                 span_str(address), &run, &found));
        snprintf(address, sizeof(address), "11.%u.%u.0", i % 250, i * 7 % 251);
        assert_false(waf_op_match(WAF_OP_IP_MATCH_FROM_FILE, buf_span(&blob), NULL, span_str(""),
                                  span_str(address), &run, &found));
    }
}

static const char schema[] =
    "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"><xs:element name=\"a\">"
    "<xs:complexType><xs:sequence><xs:element name=\"b\" type=\"xs:integer\"/></xs:sequence>"
    "</xs:complexType></xs:element></xs:schema>";
static const char dtd[] = "<!ELEMENT a (b)>\n<!ELEMENT b (#PCDATA)>\n";

static bool document_matches(enum waf_op op, const char *file, const struct folder *folder,
                             const char *document)
{
    CLEANUP(waf_xml_free_ptr) struct waf_xml *xml = waf_xml_new();
    struct waf_op_run run = {.xml = xml};
    struct waf_op_found found;
    struct err err = ERR_INIT;

    assert_int_equal(waf_xml_feed(xml, span_str(document), &err), 0);
    assert_int_equal(waf_xml_end(xml, &err), 0);
    return match(op, file, folder->path, &run, span_str("x"), &found);
}

static void documents_are_validated(void **unused)
{
    CLEANUP(folder_free) struct folder folder;
    struct waf_op_run run = {0};
    struct waf_op_found found;

    (void)unused;
    folder_make(&folder);
    put_file(&folder, "a.xsd", span_str(schema));
    put_file(&folder, "a.dtd", span_str(dtd));
    put_file(&folder, "bad.xsd", span_str("<xs:schema"));
    assert_false(document_matches(WAF_OP_VALIDATE_SCHEMA, "a.xsd", &folder, "<a><b>1</b></a>"));
    assert_true(document_matches(WAF_OP_VALIDATE_SCHEMA, "a.xsd", &folder, "<a><b>x</b></a>"));
    assert_false(document_matches(WAF_OP_VALIDATE_DTD, "a.dtd", &folder, "<a><b>x</b></a>"));
    assert_true(document_matches(WAF_OP_VALIDATE_DTD, "a.dtd", &folder, "<a><c/></a>"));
    assert_true(match(WAF_OP_VALIDATE_DTD, "a.dtd", folder.path, &run, span_str("x"), &found));

    CLEANUP(buf_free) struct buf blob = BUF_INIT(BLOB_MAX);
    struct err err = ERR_INIT;
    assert_int_equal(
        waf_op_prepare(WAF_OP_VALIDATE_SCHEMA, span_str("bad.xsd"), folder.path, &blob, &err), -1);
    assert_non_null(strstr(err.msg, "bad.xsd"));
}

/* ------------------------------------------------------------------ geoLookup */

static void without_a_database_nothing_matches(void **unused)
{
    struct waf_op_run run = {0};
    struct waf_op_found found;
    struct waf_geo *geo;
    struct err err = ERR_INIT;

    (void)unused;
    assert_false(match(WAF_OP_GEO_LOOKUP, "", NULL, &run, span_str("192.0.2.1"), &found));
    assert_int_equal(waf_geo_open("/nonexistent.mmdb", &geo, &err), -1);
    assert_null(geo);
    assert_non_null(strstr(err.msg, "/nonexistent.mmdb"));
}

/* One record for 0.0.0.0/1, in the format of MaxMind's specification, version 2.0. */
static const uint8_t geo_database[] =
    "\x00\x00\x11\x00\x00\x01" /* node 0: left to the data, right to nothing (1 node) */
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\xE2"
    "\x47"
    "country"
    "\xE1"
    "\x48"
    "iso_code"
    "\x42"
    "DE"
    "\x48"
    "location"
    "\xE1"
    "\x48"
    "latitude"
    "\x68"
    "\x40\x4A\x40\x00\x00\x00\x00\x00"
    "\xAB\xCD\xEF"
    "MaxMind.com"
    "\xE9"
    "\x4A"
    "node_count"
    "\xC1\x01"
    "\x4B"
    "record_size"
    "\xA1\x18"
    "\x4A"
    "ip_version"
    "\xA1\x04"
    "\x4D"
    "database_type"
    "\x44"
    "Test"
    "\x49"
    "languages"
    "\x00\x04"
    "\x5B"
    "binary_format_major_version"
    "\xA1\x02"
    "\x5B"
    "binary_format_minor_version"
    "\xA0"
    "\x4B"
    "build_epoch"
    "\x01\x02\x01"
    "\x4B"
    "description"
    "\xE0";

static void a_database_is_looked_up(void **unused)
{
    CLEANUP(folder_free) struct folder folder;
    CLEANUP(waf_geo_free_ptr) struct waf_geo *geo = NULL;
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 16);
    struct waf_op_found found;
    struct err err = ERR_INIT;

    (void)unused;
    folder_make(&folder);
    put_file(&folder, "t.mmdb", span_of(geo_database, sizeof(geo_database) - 1));
    CLEANUP_FREE char *path = mem_printf("%s/t.mmdb", folder.path);
    if (waf_geo_open(path, &geo, &err) < 0)
        fail_msg("%s", err.msg);
    struct waf_op_run run = {.arena = arena, .geo = geo};
    assert_true(match(WAF_OP_GEO_LOOKUP, "", NULL, &run, span_str("9.9.9.9"), &found));
    assert_true(span_eq_str(run.geo_record[WAF_GEO_COUNTRY_CODE], "DE"));
    assert_true(span_eq_str(run.geo_record[WAF_GEO_LATITUDE], "52.500000"));
    assert_null(run.geo_record[WAF_GEO_CITY].p);
    assert_false(match(WAF_OP_GEO_LOOKUP, "", NULL, &run, span_str("200.9.9.9"), &found));
    assert_false(match(WAF_OP_GEO_LOOKUP, "", NULL, &run, span_str("x"), &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case),
        cmocka_unit_test(injections_are_detected),
        cmocka_unit_test(scripts_need_a_mark),
        cmocka_unit_test(bad_arguments_are_named),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(a_long_list_is_searched),
        cmocka_unit_test(documents_are_validated),
        cmocka_unit_test(without_a_database_nothing_matches),
        cmocka_unit_test(a_database_is_looked_up),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
