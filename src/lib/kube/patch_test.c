/* SPDX-License-Identifier: Apache-2.0 */
/* The examples of RFC 6901, 6902 and 7386 and what Kubernetes documents of strategic merge. In the
 * tables ' stands for ". */
#include "base/mem.h"
#include "codec/json.h"
#include "kube/kinds/kinds.h"
#include "kube/patch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    CLEANUP_FREE char *copy = mem_strdup(text);
    struct err err = ERR_INIT;
    json_t *value = NULL;

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    if (codec_json_parse(span_str(copy), "test", &value, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return value;
}

struct example {
    const char *document, *patch;
    const char *result; /* NULL: it must fail */
};

typedef int apply_fn(json_t **target, const json_t *patch, struct err *err);

static void run(const struct example *example, apply_fn *apply)
{
    json_t *target = parse(example->document);
    CLEANUP_JSON json_t *patch = parse(example->patch);
    struct err err = ERR_INIT;
    int result = apply(&target, patch, &err);

    if (example->result == NULL) {
        if (result == 0)
            fail_msg("%s on %s should have failed", example->patch, example->document);
        assert_true(err.msg[0] != '\0');
    } else {
        CLEANUP_JSON json_t *want = parse(example->result);
        CLEANUP_FREE char *have = json_dumps(target, JSON_ENCODE_ANY | JSON_COMPACT);
        if (result < 0)
            fail_msg("%s on %s: %s", example->patch, example->document, err.msg);
        if (!json_equal(target, want))
            fail_msg("%s on %s gives %s", example->patch, example->document, have);
    }
    json_decref(target);
}

/* ------------------------------------------------------------------ pointers */

static void pointers_find_what_rfc_6901_says(void **state UNUSED)
{
    static const struct {
        const char *pointer;
        const char *value; /* NULL: there is nothing */
    } examples[] = {
        {"/foo", "['bar','baz']"},
        {"/foo/0", "'bar'"},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/g|h", "4"},
        {"/k l", "6"},
        {"/m~0n", "8"},
        {"/foo/2", NULL},
        {"/foo/-", NULL},
        {"/foo/01", NULL},
        {"/foo/+1", NULL},
        {"/nothing", NULL},
        {"/foo/0/x", NULL},
        {"foo", NULL},
        {"/a~2", NULL},
        {"/a~", NULL},
        {"/foo/1e0", NULL},
    };
    CLEANUP_JSON json_t *document = parse("{'foo':['bar','baz'],'':0,'a/b':1,'c%d':2,'e^f':3,"
                                          "'g|h':4,'k l':6,'m~n':8}");
    struct err err = ERR_INIT;

    assert_ptr_equal(kube_pointer_get(document, "", &err), document);
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        json_t *found = kube_pointer_get(document, examples[i].pointer, &err);
        if (examples[i].value == NULL) {
            assert_null(found);
            continue;
        }
        CLEANUP_JSON json_t *want = parse(examples[i].value);
        if (!json_equal(found, want))
            fail_msg("%s finds something else", examples[i].pointer);
    }
}

/* ------------------------------------------------------------------ JSON patch */

static void json_patch_does_what_rfc_6902_shows(void **state UNUSED)
{
    static const struct example examples[] = {
        /* appendix A, in its order */
        {"{'foo':'bar'}", "[{'op':'add','path':'/baz','value':'qux'}]",
         "{'baz':'qux','foo':'bar'}"},
        {"{'foo':['bar','baz']}", "[{'op':'add','path':'/foo/1','value':'qux'}]",
         "{'foo':['bar','qux','baz']}"},
        {"{'baz':'qux','foo':'bar'}", "[{'op':'remove','path':'/baz'}]", "{'foo':'bar'}"},
        {"{'foo':['bar','qux','baz']}", "[{'op':'remove','path':'/foo/1'}]",
         "{'foo':['bar','baz']}"},
        {"{'baz':'qux','foo':'bar'}", "[{'op':'replace','path':'/baz','value':'boo'}]",
         "{'baz':'boo','foo':'bar'}"},
        {"{'foo':{'bar':'baz','waldo':'fred'},'qux':{'corge':'grault'}}",
         "[{'op':'move','from':'/foo/waldo','path':'/qux/thud'}]",
         "{'foo':{'bar':'baz'},'qux':{'corge':'grault','thud':'fred'}}"},
        {"{'foo':['all','grass','cows','eat']}", "[{'op':'move','from':'/foo/1','path':'/foo/3'}]",
         "{'foo':['all','cows','eat','grass']}"},
        {"{'baz':'qux','foo':['a',2,'c']}",
         "[{'op':'test','path':'/baz','value':'qux'},{'op':'test','path':'/foo/1','value':2}]",
         "{'baz':'qux','foo':['a',2,'c']}"},
        {"{'baz':'qux'}", "[{'op':'test','path':'/baz','value':'bar'}]", NULL},
        {"{'foo':'bar'}", "[{'op':'add','path':'/child','value':{'grandchild':{}}}]",
         "{'foo':'bar','child':{'grandchild':{}}}"},
        {"{'foo':'bar'}", "[{'op':'add','path':'/baz','value':'qux','xyz':123}]",
         "{'foo':'bar','baz':'qux'}"},
        {"{'foo':'bar'}", "[{'op':'add','path':'/baz/bat','value':'qux'}]", NULL},
        {"{'/':9,'~1':10}", "[{'op':'test','path':'/~01','value':10}]", "{'/':9,'~1':10}"},
        {"{'/':9,'~1':10}", "[{'op':'test','path':'/~01','value':'10'}]", NULL},
        {"{'foo':['bar']}", "[{'op':'add','path':'/foo/-','value':['abc','def']}]",
         "{'foo':['bar',['abc','def']]}"},
        /* the rest of the document */
        {"{'a':1}", "[{'op':'add','path':'','value':[1]}]", "[1]"},
        {"{'a':1}", "[{'op':'replace','path':'','value':2}]", "2"},
        {"{'a':{'b':1}}", "[{'op':'copy','from':'/a','path':'/c'}]", "{'a':{'b':1},'c':{'b':1}}"},
        {"{'a':1}", "[{'op':'copy','from':'/a','path':'/a'}]", "{'a':1}"},
        {"{'a':1}", "[{'op':'move','from':'/a','path':'/a'}]", "{'a':1}"},
        {"{'a':1}", "[{'op':'test','path':'/a','value':1.0}]", "{'a':1}"},
        {"{'a':null}", "[{'op':'test','path':'/a','value':null}]", "{'a':null}"},
        {"{'a':{'b':1}}", "[{'op':'move','from':'/a','path':'/a/b'}]", NULL},
        {"{'a':1}", "[{'op':'replace','path':'/b','value':1}]", NULL},
        {"{'a':1}", "[{'op':'remove','path':'/b'}]", NULL},
        {"{'a':1}", "[{'op':'remove','path':''}]", NULL},
        {"{'a':1}", "[{'op':'add','path':'/b'}]", NULL},
        {"{'a':1}", "[{'op':'move','path':'/b'}]", NULL},
        {"{'a':1}", "[{'op':'explode','path':'/b'}]", NULL},
        {"{'a':1}", "[{'path':'/b'}]", NULL},
        {"{'a':1}", "[1]", NULL},
        {"{'a':1}", "{'op':'remove','path':'/a'}", NULL},
        {"[1]", "[{'op':'add','path':'/2','value':1}]", NULL},
        {"[1]", "[{'op':'replace','path':'/-','value':1}]", NULL},
        {"[1,2]", "[{'op':'remove','path':'/0'},{'op':'remove','path':'/0'}]", "[]"},
    };

    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        run(&examples[i], kube_patch_json);
}

static void json_patch_cannot_grow_without_end(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    /* Each copy doubles the document. */
    buf_put_str(&text, "[");
    for (int i = 0; i < 60; i++)
        buf_printf(&text, "%s{'op':'copy','from':'','path':'/a%d'}", i > 0 ? "," : "", i);
    buf_put_str(&text, "]");
    CLEANUP_JSON json_t *patch = parse(buf_text(&text));
    CLEANUP_JSON json_t *target = parse("{'a':1}");
    assert_int_equal(kube_patch_json(&target, patch, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void json_patch_cannot_nest_without_end(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    buf_put_str(&text, "[");
    for (int i = 0; i < 500; i++)
        buf_printf(&text,
                   "%s{'op':'move','from':'/x','path':'/y'},{'op':'add','path':'/x','value':{}},"
                   "{'op':'move','from':'/y','path':'/x/x'}",
                   i > 0 ? "," : "");
    buf_put_str(&text, "]");
    CLEANUP_JSON json_t *patch = parse(buf_text(&text));
    CLEANUP_JSON json_t *target = parse("{'x':1}");
    assert_int_equal(kube_patch_json(&target, patch, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

/* ------------------------------------------------------------------ merge patch */

static void merge_patch_does_what_rfc_7386_shows(void **state UNUSED)
{
    static const struct example examples[] = {
        {"{'a':'b'}", "{'a':'c'}", "{'a':'c'}"},
        {"{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}"},
        {"{'a':'b'}", "{'a':null}", "{}"},
        {"{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}"},
        {"{'a':['b']}", "{'a':'c'}", "{'a':'c'}"},
        {"{'a':'c'}", "{'a':['b']}", "{'a':['b']}"},
        {"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}"},
        {"{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}"},
        {"{'e':null}", "{'a':1}", "{'e':null,'a':1}"},
        {"[1,2]", "{'a':'b','c':null}", "{'a':'b'}"},
        {"{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}"},
        {"{'title':'Goodbye!','author':{'givenName':'John','familyName':'Doe'},"
         "'tags':['example','sample'],'content':'This will be unchanged'}",
         "{'title':'Hello!','phoneNumber':'+01-123-456-7890','author':{'familyName':null},"
         "'tags':['example']}",
         "{'title':'Hello!','author':{'givenName':'John'},'tags':['example'],"
         "'content':'This will be unchanged','phoneNumber':'+01-123-456-7890'}"},
        /* objects are never replaced by what is none */
        {"{'a':'foo'}", "null", NULL},
        {"{'a':'foo'}", "'bar'", NULL},
        {"['a','b']", "['c','d']", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        run(&examples[i], kube_patch_merge);
}

/* ------------------------------------------------------------------ strategic merge */

static int strategic(json_t **target, const json_t *patch, struct err *err)
{
    return kube_patch_strategic(target, patch, kube_model_service.shape, err);
}

#define ENV(list)  "{'spec':{'engine':{'env':" list "}}}"
#define FIN(list)  "{'metadata':{'finalizers':" list "}}"
#define ENGINE(in) "{'spec':{'engine':{" in "}}}"

static void strategic_merge_follows_the_schema(void **state UNUSED)
{
    static const struct example examples[] = {
        /* keyed lists are merged by their key */
        {ENV("[{'name':'A','value':'1'}]"), ENV("[{'name':'B','value':'2'}]"),
         ENV("[{'name':'A','value':'1'},{'name':'B','value':'2'}]")},
        {ENV("[{'name':'A','value':'1'}]"), ENV("[{'name':'A','value':'2'}]"),
         ENV("[{'name':'A','value':'2'}]")},
        {ENV("[{'name':'A','value':'1'}]"), ENV("[{'name':'A','value':null}]"),
         ENV("[{'name':'A'}]")},
        {ENV("[{'name':'A'},{'name':'B'}]"), ENV("[{'name':'A','$patch':'delete'}]"),
         ENV("[{'name':'B'}]")},
        {ENV("[{'name':'A'},{'name':'B'}]"), ENV("[{'$patch':'replace'},{'name':'C'}]"),
         ENV("[{'name':'C'}]")},
        {ENV("[{'name':'A','value':'1'}]"), ENV("[{'name':'A','$patch':'merge','value':'2'}]"),
         ENV("[{'name':'A','value':'2'}]")},
        {ENV("[{'name':'A'}]"), ENV("[{'value':'2'}]"), NULL},
        {ENV("[{'name':'A'}]"), ENV("['x']"), NULL},
        {ENV("[{'name':'A'}]"), ENV("{}"), NULL},
        {ENV("[{'name':'A'}]"), ENV("[{'name':'A','$patch':'explode'}]"), NULL},
        {"{}", ENV("[{'name':'A','$patch':'delete'},{'name':'B'}]"), ENV("[{'name':'B'}]")},
        {ENV("[{'name':'A'}]"), ENV("null"), "{'spec':{'engine':{}}}"},
        /* their order can be set */
        {ENV("[{'name':'A'},{'name':'B'},{'name':'C'}]"),
         ENGINE("'$setElementOrder/env':[{'name':'C'},{'name':'B'},{'name':'A'}]"),
         ENV("[{'name':'C'},{'name':'B'},{'name':'A'}]")},
        {ENV("[{'name':'A'},{'name':'S'},{'name':'B'}]"),
         ENGINE("'$setElementOrder/env':[{'name':'B'},{'name':'A'},{'name':'N'}],"
                "'env':[{'name':'N'}]"),
         ENV("[{'name':'S'},{'name':'B'},{'name':'A'},{'name':'N'}]")},
        /* atomic lists are replaced */
        {ENGINE("'args':['a','b']"), ENGINE("'args':['c']"), ENGINE("'args':['c']")},
        /* sets are united */
        {FIN("['x/a']"), FIN("['x/b','x/a']"), FIN("['x/a','x/b']")},
        {FIN("['x/a','x/b']"), "{'metadata':{'$deleteFromPrimitiveList/finalizers':['x/a']}}",
         FIN("['x/b']")},
        {FIN("['x/a','x/b']"), "{'metadata':{'$setElementOrder/finalizers':['x/b','x/a']}}",
         FIN("['x/b','x/a']")},
        {FIN("['x/a']"), "{'metadata':{'$deleteFromPrimitiveList/finalizers':'x/a'}}", NULL},
        /* objects */
        {"{'metadata':{'labels':{'a':'1','b':'2'}}}", "{'metadata':{'labels':{'a':null,'c':'3'}}}",
         "{'metadata':{'labels':{'b':'2','c':'3'}}}"},
        {"{'metadata':{'labels':{'a':'1'}}}",
         "{'metadata':{'labels':{'$patch':'replace','c':'3'}}}",
         "{'metadata':{'labels':{'c':'3'}}}"},
        {"{'metadata':{'labels':{'a':'1'}}}", "{'metadata':{'labels':{'$patch':'delete'}}}",
         "{'metadata':{'labels':{}}}"},
        {"{'spec':{'engine':{'kind':'vllm'}}}",
         "{'spec':{'$retainKeys':['upstream'],'upstream':{'url':'u'}}}",
         "{'spec':{'upstream':{'url':'u'}}}"},
        {"{'spec':{'replicas':1}}", "{'spec':{'replicas':{'a':1}}}",
         "{'spec':{'replicas':{'a':1}}}"},
        {"{'x':{'y':[1,2]}}", "{'x':{'y':[3],'z':{'$patch':'delete'}}}", "{'x':{'y':[3],'z':{}}}"},
        {"{}", "{'spec':{'$patch':1}}", NULL},
        {"{}", "[]", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        run(&examples[i], strategic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointers_find_what_rfc_6901_says),
        cmocka_unit_test(json_patch_does_what_rfc_6902_shows),
        cmocka_unit_test(json_patch_cannot_grow_without_end),
        cmocka_unit_test(json_patch_cannot_nest_without_end),
        cmocka_unit_test(merge_patch_does_what_rfc_7386_shows),
        cmocka_unit_test(strategic_merge_follows_the_schema),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
