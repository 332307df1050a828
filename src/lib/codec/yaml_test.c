/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static json_t *documents_of(const char *text)
{
    struct err err = ERR_INIT;
    json_t *documents = NULL;

    if (codec_yaml_parse(span_str(text), "input", &documents, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return documents;
}

/* The documents of the YAML text, as one compact JSON array. */
static void assert_reads(const char *text, const char *json)
{
    CLEANUP_JSON json_t *documents = documents_of(text);
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 16);

    codec_json_put(documents, &out);
    assert_string_equal(buf_text(&out), json);
}

static void assert_refused(const char *text, size_t len, const char *message)
{
    struct err err = ERR_INIT;
    json_t *documents = NULL;

    if (codec_yaml_parse(span_of(text, len), "input", &documents, &err) == 0)
        fail_msg("%s was taken", text);
    assert_null(documents);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.msg, message);
}

#define REFUSED(text, message) assert_refused(text, sizeof(text) - 1, message)

static void assert_prints(const char *json, const char *yaml)
{
    struct err err = ERR_INIT;
    CLEANUP_JSON json_t *value = NULL;
    CLEANUP_JSON json_t *again = NULL;
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 16);

    assert_int_equal(codec_json_parse(span_str(json), "json", &value, &err), 0);
    codec_yaml_put(value, &out);
    assert_string_equal(buf_text(&out), yaml);
    again = documents_of(buf_text(&out));
    assert_true(json_equal(json_array_get(again, 0), value));
}

static void a_manifest_is_read(void **state UNUSED)
{
    assert_reads("apiVersion: v1\nkind: Pod\nmetadata:\n  name: web # a comment\n"
                 "spec:\n  containers:\n  - name: a\n    args: [\"-c\", 'x y']\n    ports: []\n",
                 "[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"},"
                 "\"spec\":{\"containers\":[{\"name\":\"a\",\"args\":[\"-c\",\"x y\"],"
                 "\"ports\":[]}]}}]");
}

static void plain_scalars_have_the_kinds_of_the_core_schema(void **state UNUSED)
{
    assert_reads("- null\n- Null\n- NULL\n- ~\n-\n- true\n- True\n- TRUE\n- false\n- False\n"
                 "- FALSE\n- nULL\n- tRUE\n- text\n",
                 "[[null,null,null,null,null,true,true,true,false,false,false,\"nULL\",\"tRUE\","
                 "\"text\"]]");
}

static void numbers_are_read_as_kubectl_reads_them(void **state UNUSED)
{
    assert_reads("- 0\n- -12\n- +3\n- 0644\n- 0o644\n- 0x1F\n- 089\n- 9223372036854775807\n"
                 "- -9223372036854775808\n",
                 "[[0,-12,3,420,420,31,89,9223372036854775807,-9223372036854775808]]");
    assert_reads("- 1.0\n- .5\n- 5.\n- -1.5e3\n- 1e3\n- 1E-3\n- +.5\n",
                 "[[1.0,0.5,5.0,-1500.0,1000.0,0.001,0.5]]");
    assert_reads("- 1.2.3\n- 1e\n- .\n- --\n- 0x\n- 0xZ\n- 1 2\n- 10Gi\n- 100m\n- e3\n- 1:30\n"
                 "- 2026-11-22\n- 10.0.0.1\n- _1\n- 0o8\n",
                 "[[\"1.2.3\",\"1e\",\".\",\"--\",\"0x\",\"0xZ\",\"1 2\",\"10Gi\",\"100m\",\"e3\","
                 "\"1:30\",\"2026-11-22\",\"10.0.0.1\",\"_1\",\"0o8\"]]");
}

static void quoted_scalars_are_strings(void **state UNUSED)
{
    assert_reads("- \"true\"\n- 'null'\n- \"12\"\n- ''\n- \"yes\"\n- 'it''s'\n- \"\\u20ac\\n\"\n"
                 "- \"0_1\"\n",
                 "[[\"true\",\"null\",\"12\",\"\",\"yes\",\"it's\",\"\xe2\x82\xac\\n\",\"0_1\"]]");
}

static void block_scalars_keep_or_fold_their_lines(void **state UNUSED)
{
    assert_reads("a: |\n  one\n   two\n\nb: >-\n  folded\n  line\nc: |+\n  kept\n\n",
                 "[{\"a\":\"one\\n two\\n\",\"b\":\"folded line\",\"c\":\"kept\\n\\n\"}]");
}

static void documents_are_counted_without_the_empty_ones(void **state UNUSED)
{
    assert_reads("", "[]");
    assert_reads("# nothing\n", "[]");
    assert_reads("---\n---\na: 1\n---\n# empty\n---\nb: 2\n...\n", "[{\"a\":1},{\"b\":2}]");
    assert_reads("null\n", "[null]");
}

static void json_is_yaml(void **state UNUSED)
{
    assert_reads("\t{\"a\":\t\"\\ud83d\\ude00\", \"b\": [1, 2.0, null]}",
                 "[{\"a\":\"\xf0\x9f\x98\x80\",\"b\":[1,2.0,null]}]");
    assert_reads("{a: [b, {c: d}], e: }", "[{\"a\":[\"b\",{\"c\":\"d\"}],\"e\":null}]");
}

static void tags_say_what_a_scalar_is(void **state UNUSED)
{
    assert_reads("- !!str 12\n- !!int \"12\"\n- !!float 1\n- !!bool \"true\"\n- !!null \"\"\n"
                 "- ! 1\n- !!map {}\n- !!seq []\n",
                 "[[\"12\",12,1.0,true,null,\"1\",{},[]]]");
    REFUSED("a: !!int x", "input:1:4: the tag is unknown or does not fit the value");
    REFUSED("a: !!binary aGk=", "input:1:4: the tag is unknown or does not fit the value");
    REFUSED("a: !thing {}", "input:1:4: the tag is unknown or does not fit the value");
    REFUSED("a: !!map []", "input:1:4: the tag is unknown or does not fit the value");
}

static void an_alias_is_a_copy_of_its_anchor(void **state UNUSED)
{
    CLEANUP_JSON json_t *documents = documents_of("a: &x {k: [1]}\nb: *x\n");
    json_t *first = codec_json_at(json_array_get(documents, 0), "a", NULL);
    json_t *second = codec_json_at(json_array_get(documents, 0), "b", NULL);

    assert_true(json_equal(first, second));
    assert_ptr_not_equal(first, second);
    assert_ptr_not_equal(json_object_get(first, "k"), json_object_get(second, "k"));
    assert_reads("- &a 1\n- &a 2\n- *a\n", "[[1,2,2]]");
    REFUSED("a: *x", "input:1:4: no anchor of this name ends before here");
    REFUSED("&x [1, *x]", "input:1:8: no anchor of this name ends before here");
    REFUSED("--- &x 1\n--- *x\n", "input:2:5: no anchor of this name ends before here");
}

static void merge_keys_fill_what_is_missing(void **state UNUSED)
{
    assert_reads(
        "- &a {x: 1, y1: 2}\n- &b {x: 3, z: 4}\n- {x: 5, <<: *a}\n- <<: [*a, *b]\n  q: 6\n",
        "[[{\"x\":1,\"y1\":2},{\"x\":3,\"z\":4},{\"x\":5,\"y1\":2},"
        "{\"q\":6,\"x\":1,\"y1\":2,\"z\":4}]]");
    assert_reads("\"<<\": text\n", "[{\"<<\":\"text\"}]");
    REFUSED("a: 1\n<<: 2\n", "input:2:1: << takes a mapping or a list of mappings");
    REFUSED("<<: {}\n<<: {}\n", "input:2:1: \"<<\" is there twice");
}

static void a_billion_laughs_are_refused(void **state UNUSED)
{
    REFUSED("a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
            "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
            "d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
            "e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n"
            "f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n",
            "input:6:8: expands to more than 200000 nodes");
}

static void long_text_is_not_multiplied_without_end(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    json_t *documents = NULL;

    buf_put_str(&text, "- &a ");
    for (int i = 0; i < 100000; i++)
        buf_put_str(&text, "x");
    for (int i = 0; i < 1000; i++)
        buf_put_str(&text, "\n- *a");
    assert_int_equal(codec_yaml_parse(buf_span(&text), "input", &documents, &err), -1);
    assert_string_equal(err.msg, "input:168:3: expands to more than 16777216 bytes");
}

static void nesting_stops_at_its_ceiling(void **state UNUSED)
{
    char text[CODEC_DEPTH_MAX + 2];

    memset(text, '[', sizeof(text));
    assert_refused(text, sizeof(text), "input:1:65: nested deeper than 64 levels");
    REFUSED("a: &a [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n"
            "b: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
            "input:2:36: nested deeper than 64 levels");
}

static void names_are_text_and_come_once(void **state UNUSED)
{
    assert_reads("8080: a\ntrue: b\n-1: c\n\"yes\": d\n",
                 "[{\"8080\":\"a\",\"true\":\"b\",\"-1\":\"c\",\"yes\":\"d\"}]");
    REFUSED("a: 1\nb: 2\na: 3\n", "input:3:1: \"a\" is there twice");
    REFUSED("1: a\n\"1\": b\n", "input:2:1: \"1\" is there twice");
    REFUSED("null: a", "input:1:1: a name must be text; quote it");
    REFUSED("0x10: a", "input:1:1: a name must be text; quote it");
    REFUSED("1.5: a", "input:1:1: a name must be text; quote it");
    REFUSED("? [a]\n: b", "input:1:3: a name must be text");
    REFUSED("!!int 1: b", "input:1:1: a name must be text");
    REFUSED("\"a\\0b\": 1", "input:1:1: a name holds U+0000");
}

static void what_readers_dispute_is_refused(void **state UNUSED)
{
    static const char *const texts[] = {"a: yes", "a: NO",  "a: on",   "a: Off",  "a: y",  "on: a",
                                        "a: 1_0", "a: 0b1", "a: -0x1", "a: 0x_1", "a: 0_7"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err = ERR_INIT;
        json_t *documents = NULL;
        assert_int_equal(codec_yaml_parse(span_str(texts[i]), "input", &documents, &err), -1);
        assert_non_null(strstr(err.msg, "YAML readers differ on what this means"));
    }
}

static void every_error_has_its_place(void **state UNUSED)
{
    REFUSED("a: 1\n b: 2\n", "input:2:3: mapping values are not allowed in this context");
    REFUSED("a: [1, 2\n", "input:2:1: did not find expected ',' or ']' while parsing a flow "
                          "sequence");
    REFUSED("a:\n\t- b\n",
            "input:2:1: found character that cannot start any token while scanning for the next "
            "token");
    REFUSED("a: 1\nb: \xff\n", "input:2:4: invalid leading UTF-8 octet");
    REFUSED("a: 1\nb: \x01\n", "input:2:4: control characters are not allowed");
    REFUSED("a: \"\\0\"", "input:1:4: a string holds U+0000");
    REFUSED("a: 99999999999999999999", "input:1:4: the number does not fit");
    REFUSED("a: 1e999", "input:1:4: the number does not fit");
    REFUSED("a: .nan", "input:1:4: JSON has no such number; quote it if it is text");
    REFUSED("%YAML 3.0\n---\na", "input:1:1: found incompatible YAML document");
}

static void a_member_is_found_by_its_path(void **state UNUSED)
{
    static const char text[] =
        "---\n---\na: 1\n---\nspec:\n  a.b: {c: 1}\n  list:\n  - x\n  - name: y\n"
        "  ? [k]\n  : [{q: 1}]\n  m: &m {n: 2}\n  o: *m\n";
    static const struct {
        const char *path;
        size_t line;
        size_t column;
    } places[] = {{"spec", 5, 1},        {"spec.a.b.c", 6, 9},       {"spec.a.b", 6, 3},
                  {"spec.list.0", 8, 5}, {"spec.list.1.name", 9, 5}, {"spec.m.n", 12, 10},
                  {"spec.list", 7, 3}};
    static const char *const absent[] = {"a", "spec.o.n", "spec.list.2", "spec.lis", "spec.list.1.",
                                         "q", ""};
    size_t line = 0;
    size_t column = 0;

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        assert_true(codec_yaml_locate(span_str(text), 1, places[i].path, &line, &column));
        assert_int_equal(line, places[i].line);
        assert_int_equal(column, places[i].column);
    }
    for (size_t i = 0; i < ARRAY_LEN(absent); i++)
        assert_false(codec_yaml_locate(span_str(text), 1, absent[i], &line, &column));
    assert_true(codec_yaml_locate(span_str(text), 0, "a", &line, &column));
    assert_int_equal(line, 3);
    assert_false(codec_yaml_locate(span_str(text), 2, "a", &line, &column));
}

static void printed_yaml_quotes_only_where_it_must(void **state UNUSED)
{
    assert_prints("{\"kind\":\"Pod\",\"l\":[1,{\"a\":\"b\",\"c\":[]},[2]],\"e\":{}}",
                  "kind: Pod\nl:\n- 1\n- a: b\n  c: []\n- - 2\ne: {}\n");
    assert_prints(
        "[\"yes\",\"1\",\"1.5\",\"null\",\"\",\"0644\",\"1_0\",\"~\",\"<<\",\"=\"]",
        "- \"yes\"\n- \"1\"\n- \"1.5\"\n- \"null\"\n- \"\"\n- \"0644\"\n- \"1_0\"\n- \"~\"\n"
        "- \"<<\"\n- \"=\"\n");
    assert_prints("[\"a: b\",\"# c\",\"- d\",\" e\",\"it's\",\"a\\tb\",\"*x\"]",
                  "- 'a: b'\n- '# c'\n- '- d'\n- ' e'\n- it's\n- \"a\\tb\"\n- '*x'\n");
    assert_prints("{\"script\":\"one\\n  two\\n\",\"1\":true,\"yes\":null,\"r\":1.0,\"m\":-7}",
                  "script: |\n  one\n    two\n\"1\": true\n\"yes\": null\nr: 1.0\nm: -7\n");
    assert_prints("\"top\"", "top\n");
    assert_prints("{}", "{}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_is_read),
        cmocka_unit_test(plain_scalars_have_the_kinds_of_the_core_schema),
        cmocka_unit_test(numbers_are_read_as_kubectl_reads_them),
        cmocka_unit_test(quoted_scalars_are_strings),
        cmocka_unit_test(block_scalars_keep_or_fold_their_lines),
        cmocka_unit_test(documents_are_counted_without_the_empty_ones),
        cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(tags_say_what_a_scalar_is),
        cmocka_unit_test(an_alias_is_a_copy_of_its_anchor),
        cmocka_unit_test(merge_keys_fill_what_is_missing),
        cmocka_unit_test(a_billion_laughs_are_refused),
        cmocka_unit_test(long_text_is_not_multiplied_without_end),
        cmocka_unit_test(nesting_stops_at_its_ceiling),
        cmocka_unit_test(names_are_text_and_come_once),
        cmocka_unit_test(what_readers_dispute_is_refused),
        cmocka_unit_test(every_error_has_its_place),
        cmocka_unit_test(a_member_is_found_by_its_path),
        cmocka_unit_test(printed_yaml_quotes_only_where_it_must),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
