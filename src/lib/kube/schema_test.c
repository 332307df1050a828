/* SPDX-License-Identifier: Apache-2.0 */
/* The tables and what is done by them; selectors, routes, protobuf, formats, ages. */
#include "base/mem.h"
#include "codec/json.h"
#include "kube/kube_internal.h"

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

/* ------------------------------------------------------------------ tables */

static void check_shape(const struct kube_shape *shape, int depth)
{
    assert_true(depth < 12);
    for (const struct kube_field *field = shape->fields; field->name != NULL; field++) {
        bool object = field->type == KUBE_OBJECT;
        bool many = field->type == KUBE_LIST || field->type == KUBE_MAP;
        if (object != (field->shape != NULL && !many))
            fail_msg("%s.%s: a shape goes with an object", shape->name, field->name);
        if (many != (field->item != 0))
            fail_msg("%s.%s: an item goes with a list or map", shape->name, field->name);
        if (many && (field->item == KUBE_OBJECT) != (field->shape != NULL))
            fail_msg("%s.%s: items that are objects have a shape", shape->name, field->name);
        if ((field->list == KUBE_KEYED) != (field->merge_key != NULL))
            fail_msg("%s.%s: a merge key goes with a keyed list", shape->name, field->name);
        if (field->merge_key != NULL)
            assert_non_null(kube_shape_field(field->shape, field->merge_key));
        if (field->doc == NULL || field->doc[0] == '\0')
            fail_msg("%s.%s has no description", shape->name, field->name);
        if (field->shape != NULL)
            check_shape(field->shape, depth + 1);
    }
}

static void every_table_is_whole(void **state UNUSED)
{
    for (size_t i = 0; kube_kinds[i] != NULL; i++) {
        const struct kube_kind *kind = kube_kinds[i];
        check_shape(kind->shape, 0);
        assert_non_null(kube_shape_field(kind->shape, "metadata"));
        for (const struct kube_column *c = kind->columns; c != NULL && c->name != NULL; c++)
            assert_true((c->path != NULL) != (c->cell != NULL));
        bool status = kube_shape_field(kind->shape, "status") != NULL;
        if (kind->has_status)
            assert_true(status);
        assert_ptr_equal(kube_kind_by_name(kind->group, kind->kind), kind);
    }
}

static void no_two_members_share_a_wire_number(void **state UNUSED)
{
    for (size_t i = 0; kube_kinds[i] != NULL; i++) {
        const struct kube_field *fields = kube_kinds[i]->shape->fields;
        for (const struct kube_field *a = fields; a->name != NULL; a++)
            for (const struct kube_field *b = a + 1; b->name != NULL; b++)
                if (a->wire != 0 && a->wire == b->wire)
                    fail_msg("%s: %s and %s", kube_kinds[i]->kind, a->name, b->name);
    }
}

/* ------------------------------------------------------------------ judging */

static struct kube_causes judge(const struct kube_kind *kind, const char *text, const char *old)
{
    CLEANUP_JSON json_t *object = parse(text);
    CLEANUP_JSON json_t *before = old != NULL ? parse(old) : NULL;
    struct kube_causes causes = {0};

    kube_schema_prune(kind->shape, object, NULL);
    kube_schema_defaults(kind->shape, object);
    kube_schema_validate(kind->shape, object, before, &causes);
    if (kind->validate != NULL)
        kind->validate(object, before, &causes);
    return causes;
}

static void expect(const struct kube_kind *kind, const char *text, const char *old,
                   const char *field, const char *reason)
{
    struct kube_causes causes = judge(kind, text, old);
    CLEANUP_JSON json_t *list = causes.list;
    CLEANUP_FREE char *shown = list != NULL ? json_dumps(list, 0) : mem_strdup("nothing");
    size_t i;
    json_t *cause;

    if (field == NULL && list != NULL)
        fail_msg("%s: %s", text, shown);
    if (field == NULL)
        return;
    json_array_foreach (list, i, cause) {
        if (strcmp(codec_json_text(cause, "field", ""), field) == 0 &&
            strcmp(codec_json_text(cause, "reason", ""), reason) == 0)
            return;
    }
    fail_msg("%s: wanted %s %s, got %s", text, field, reason, shown);
}

static void objects_are_judged_by_their_table(void **state UNUSED)
{
    const struct kube_kind *user = &kube_user, *service = &kube_model_service;

    expect(user, "{'spec':{'email':'a@b.c','groups':['x']}}", NULL, NULL, NULL);
    expect(user, "{}", NULL, NULL, NULL);
    expect(user, "{'spec':{'email':1}}", NULL, "spec.email", "FieldValueTypeInvalid");
    expect(user, "{'spec':{'email':'nobody'}}", NULL, "spec.email", "FieldValueInvalid");
    expect(user, "{'spec':{'disabled':'yes'}}", NULL, "spec.disabled", "FieldValueTypeInvalid");
    expect(user, "{'spec':{'groups':'x'}}", NULL, "spec.groups", "FieldValueTypeInvalid");
    expect(user, "{'spec':{'groups':['x','x']}}", NULL, "spec.groups[1]", "FieldValueDuplicate");
    expect(user, "{'spec':{'mfa':{'methods':['voice']}}}", NULL, "spec.mfa.methods[0]",
           "FieldValueNotSupported");
    expect(user, "{'metadata':{'labels':{'a b':'c'}}}", NULL, "metadata.labels",
           "FieldValueInvalid");
    expect(user, "{'metadata':{'labels':{'a':'b c'}}}", NULL, "metadata.labels[a]",
           "FieldValueInvalid");
    expect(service, "{}", NULL, "spec", "FieldValueRequired");
    expect(service, "{'spec':{}}", NULL, "spec", "FieldValueInvalid");
    expect(service, "{'spec':{'engine':{'kind':'vllm'}}}", NULL, "spec.modelRef",
           "FieldValueRequired");
    expect(service, "{'spec':{'upstream':{'url':'ftp://x'}}}", NULL, "spec.upstream.url",
           "FieldValueInvalid");
    expect(service, "{'spec':{'upstream':{'url':'https://x/v1'},'replicas':65}}", NULL,
           "spec.replicas", "FieldValueInvalid");
    expect(service, "{'spec':{'upstream':{'url':'https://x/v1'},'limits':{'maxTokens':0}}}", NULL,
           "spec.limits.maxTokens", "FieldValueInvalid");
    expect(service, "{'spec':{'upstream':{'url':'https://x/v1'},'resources':{'limits':{'cpu':2}}}}",
           NULL, NULL, NULL);
    expect(service,
           "{'spec':{'upstream':{'url':'https://x/v1'},'resources':{'limits':{'cpu':'two'}}}}",
           NULL, "spec.resources.limits[cpu]", "FieldValueInvalid");
    expect(&kube_api_key, "{'spec':{'scopes':{'cidrs':['10.0.0.1/8']}}}", NULL,
           "spec.scopes.cidrs[0]", "FieldValueInvalid");
    expect(&kube_api_key, "{'spec':{'scopes':{'models':['demo']}}}", NULL, "spec.scopes.models[0]",
           "FieldValueInvalid");
    expect(&kube_api_key, "{'spec':{'user':'b'}}", "{'spec':{'user':'a'}}", "spec.user",
           "FieldValueInvalid");
    expect(&kube_model, "{'spec':{'artifact':{'url':'https://x/y'}}}", NULL, "spec.artifact.digest",
           "FieldValueRequired");
    expect(&kube_role, "{'rules':[{'verbs':['get']}]}", NULL, "rules[0].apiGroups",
           "FieldValueRequired");
    expect(&kube_role, "{'rules':[{'verbs':['get'],'nonResourceURLs':['/x']}]}", NULL,
           "rules[0].nonResourceURLs", "FieldValueInvalid");
    expect(&kube_cluster_role, "{'rules':[{'verbs':['get'],'nonResourceURLs':['/x']}]}", NULL, NULL,
           NULL);
    expect(&kube_role_binding, "{'roleRef':{'kind':'Role','name':'b'}}",
           "{'roleRef':{'kind':'Role','name':'a','apiGroup':'rbac.authorization.k8s.io'}}",
           "roleRef", "FieldValueInvalid");
    expect(&kube_oidc_client, "{'spec':{'redirectUris':['http://example.com/x']}}", NULL,
           "spec.redirectUris[0]", "FieldValueInvalid");
    expect(&kube_oidc_client, "{'spec':{'redirectUris':['https://example.com/x']}}", NULL, NULL,
           NULL);
    expect(&kube_secret, "{'data':{'a':'not base64'}}", NULL, "data[a]", "FieldValueInvalid");
    expect(&kube_secret, "{'data':{'a':'YQ=='},'immutable':true}",
           "{'data':{'a':'Yg=='},'immutable':true,'type':'Opaque'}", "data", "FieldValueForbidden");
}

static void unknown_names_and_nulls_are_removed(void **state UNUSED)
{
    CLEANUP_JSON json_t *object =
        parse("{'a':1,'spec':{'email':null,'b':2,'mfa':{'c':3}},'metadata':{'managedFields':[]}}");
    CLEANUP_JSON json_t *unknown = json_array();
    CLEANUP_JSON json_t *want = parse("['a','spec.b','spec.mfa.c']");
    CLEANUP_JSON json_t *left = parse("{'spec':{'mfa':{}},'metadata':{}}");

    kube_schema_prune(kube_user.shape, object, unknown);
    assert_true(json_equal(unknown, want));
    assert_true(json_equal(object, left));
}

/* ------------------------------------------------------------------ formats */

static void formats_draw_the_line(void **state UNUSED)
{
    static const struct {
        enum kube_format format;
        const char *text;
        bool good;
    } examples[] = {
        {KUBE_DNS_LABEL, "a-1", true},
        {KUBE_DNS_LABEL, "a.b", false},
        {KUBE_DNS_LABEL, "-a", false},
        {KUBE_DNS_LABEL, "A", false},
        {KUBE_DNS_LABEL, "", false},
        {KUBE_DNS_SUBDOMAIN, "a.b-c.d", true},
        {KUBE_DNS_SUBDOMAIN, "a..b", false},
        {KUBE_DNS_SUBDOMAIN, "a.", false},
        {KUBE_PATH_SEGMENT, "system:admin", true},
        {KUBE_PATH_SEGMENT, "a/b", false},
        {KUBE_PATH_SEGMENT, "..", false},
        {KUBE_LABEL_KEY, "example.com/Name_1", true},
        {KUBE_LABEL_KEY, "/a", false},
        {KUBE_LABEL_KEY, "a/b/c", false},
        {KUBE_LABEL_VALUE, "", true},
        {KUBE_LABEL_VALUE, "a_b.C", true},
        {KUBE_LABEL_VALUE, ".a", false},
        {KUBE_QUANTITY, "500m", true},
        {KUBE_QUANTITY, "1.5Gi", true},
        {KUBE_QUANTITY, "1e3", true},
        {KUBE_QUANTITY, "-1", true},
        {KUBE_QUANTITY, "1GB", false},
        {KUBE_QUANTITY, "1e", false},
        {KUBE_QUANTITY, ".", false},
        {KUBE_CIDR, "10.0.0.0/8", true},
        {KUBE_CIDR, "2001:db8::/32", true},
        {KUBE_CIDR, "10.0.0.0", false},
        {KUBE_CIDR, "10.0.0.0/33", false},
        {KUBE_CIDR, "2001:db8::1/64", false},
        {KUBE_URL, "https://example.com/v1?x=1", true},
        {KUBE_URL, "https://user@example.com/", false},
        {KUBE_URL, "https:///x", false},
        {KUBE_EMAIL, "a.b+c@example.com", true},
        {KUBE_EMAIL, "a b@example.com", false},
        {KUBE_MODEL_PATTERN, "demo/*", true},
        {KUBE_MODEL_PATTERN, "*", true},
        {KUBE_MODEL_PATTERN, "*/x", false},
        {KUBE_TIME, "2026-01-31T12:00:00Z", true},
        {KUBE_TIME, "2026-01-32T12:00:00Z", false},
        {KUBE_CONFIG_KEY, "a.b_c-D", true},
        {KUBE_CONFIG_KEY, "a/b", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        if ((kube_format_check(examples[i].format, examples[i].text) == NULL) != examples[i].good)
            fail_msg("\"%s\" as format %d", examples[i].text, examples[i].format);
}

static void ages_read_like_kubectls(void **state UNUSED)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } examples[] = {
        {-5, "0s"},     {0, "0s"},        {119, "119s"},  {120, "2m"},      {125, "2m5s"},
        {600, "10m"},   {10799, "179m"},  {10800, "3h"},  {12000, "3h20m"}, {86400, "24h"},
        {172800, "2d"}, {176400, "2d1h"}, {691200, "8d"}, {63072000, "2y"}, {66000000, "2y33d"},
    };
    char text[32];

    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        kube_age(examples[i].seconds, text);
        assert_string_equal(text, examples[i].text);
    }
}

/* ------------------------------------------------------------------ selectors and routes */

static void selectors_select(void **state UNUSED)
{
    static const struct {
        const char *text;
        int result; /* 1 matches, 0 does not, -1 is no selector */
    } examples[] = {
        {"", 1},
        {"a=1", 1},
        {"a==1", 1},
        {"a=2", 0},
        {"a!=2", 1},
        {"z!=2", 1},
        {"a", 1},
        {"z", 0},
        {"!z", 1},
        {"!a", 0},
        {"a in (1,2)", 1},
        {"a in (2, 3)", 0},
        {"a notin (2,3),b", 1},
        {"z notin (2)", 1},
        {"z in ()", 0},
        {"n>4", 1},
        {"n<5", 0},
        {"n > 5", 0},
        {"a=1,b=two,!c", 1},
        {" a = 1 , b ", 1},
        {"x.y/z=", 1},
        {"a=1,", -1},
        {"a=1 b", -1},
        {"a in 1", -1},
        {"a in (1", -1},
        {"=1", -1},
        {"a>b", -1},
        {"!a=1", -1},
        {"a=1=2", -1},
        {"a/b/c", -1},
    };
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    CLEANUP_JSON json_t *object =
        parse("{'metadata':{'name':'n1','labels':{'a':'1','b':'two','n':'5','x.y/z':''}}}");

    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        struct kube_selector *selector;
        struct err err = ERR_INIT;
        int result = kube_selector_labels(examples[i].text, arena, &selector, &err);
        if (result == 0)
            result = kube_selector_matches_labels(selector, object);
        if (result != examples[i].result)
            fail_msg("\"%s\" gives %d %s", examples[i].text, result, err.msg);
    }
}

static void field_selectors_know_only_what_the_kind_allows(void **state UNUSED)
{
    static const struct {
        const char *text;
        int result;
    } examples[] = {
        {"metadata.name=n1", 1},     {"metadata.name!=n1", 0},
        {"spec.disabled=true", 1},   {"spec.disabled=true,metadata.name=n1", 1},
        {"spec.disabled==false", 0}, {"spec.email=", 1},
        {"spec.displayName=x", -1},  {"metadata.name", -1},
    };
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    CLEANUP_JSON json_t *object = parse("{'metadata':{'name':'n1'},'spec':{'disabled':true}}");

    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        struct kube_selector *selector;
        struct err err = ERR_INIT;
        int result = kube_selector_fields(examples[i].text, &kube_user, arena, &selector, &err);
        if (result == 0)
            result = kube_selector_matches_fields(selector, object);
        if (result != examples[i].result)
            fail_msg("\"%s\" gives %d %s", examples[i].text, result, err.msg);
    }
}

static void paths_name_what_they_should(void **state UNUSED)
{
    static const struct {
        const char *path;
        enum kube_route_what what;
        const char *rest; /* group version namespace resource name subresource */
    } examples[] = {
        {"/api", KUBE_ROUTE_CORE, "|||||"},
        {"/api/v1", KUBE_ROUTE_VERSION, "|v1||||"},
        {"/api/v1/", KUBE_ROUTE_VERSION, "|v1||||"},
        {"/apis", KUBE_ROUTE_GROUPS, "|||||"},
        {"/apis/drun.io", KUBE_ROUTE_GROUP, "drun.io|||||"},
        {"/apis/drun.io/v1", KUBE_ROUTE_VERSION, "drun.io|v1||||"},
        {"/api/v1/namespaces", KUBE_ROUTE_RESOURCE, "|v1||namespaces||"},
        {"/api/v1/namespaces/demo", KUBE_ROUTE_RESOURCE, "|v1||namespaces|demo|"},
        {"/api/v1/namespaces/demo/status", KUBE_ROUTE_RESOURCE, "|v1||namespaces|demo|status"},
        {"/api/v1/namespaces/demo/secrets", KUBE_ROUTE_RESOURCE, "|v1|demo|secrets||"},
        {"/api/v1/namespaces/demo/secrets/a", KUBE_ROUTE_RESOURCE, "|v1|demo|secrets|a|"},
        {"/api/v1/namespaces/d/serviceaccounts/a/token", KUBE_ROUTE_RESOURCE,
         "|v1|d|serviceaccounts|a|token"},
        {"/apis/drun.io/v1/users/alice/status", KUBE_ROUTE_RESOURCE,
         "drun.io|v1||users|alice|status"},
        {"/apis/drun.io/v1/users/alice/status/x", KUBE_ROUTE_NONE, "drun.io|v1||||"},
        {"/openapi/v3/apis/drun.io/v1", KUBE_ROUTE_OPENAPI_V3_DOCUMENT, "drun.io|v1||||"},
        {"/version", KUBE_ROUTE_SERVER_VERSION, "|||||"},
        {"/", KUBE_ROUTE_NONE, "|||||"},
        {"", KUBE_ROUTE_NONE, "|||||"},
        {"/api//v1", KUBE_ROUTE_NONE, "|||||"},
        {"/api/v1/namespaces/../secrets", KUBE_ROUTE_NONE, "|||||"},
        {"/apiserver", KUBE_ROUTE_NONE, "|||||"},
    };
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);

    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        struct kube_route route;
        struct err err = ERR_INIT;
        assert_int_equal(kube_route_parse(examples[i].path, arena, &route, &err), 0);
        CLEANUP_FREE char *rest =
            mem_printf("%s|%s|%s|%s|%s|%s", route.group, route.version, route.namespace,
                       route.resource, route.name, route.subresource);
        if (route.what != examples[i].what)
            fail_msg("%s is %d", examples[i].path, route.what);
        if (route.what != KUBE_ROUTE_NONE)
            assert_string_equal(rest, examples[i].rest);
    }
}

/* ------------------------------------------------------------------ protobuf */

static void a_secret_comes_as_protobuf(void **state UNUSED)
{
    /* {metadata: {name: "s", namespace: "", labels: {a: b}}, data: {k: "v"}, type: Opaque} */
    static const char good[] =
        "k8s\000\012\014\012\002v1\022\006Secret\022\037\012\015\012\001s\022\000Z\006\012\001a\022\001b\022\006\012\001k\022\001v\032\006Opaque";
    /* The same with an entry of stringData that has no name. */
    static const char bad[] =
        "k8s\000\012\014\012\002v1\022\006Secret\022\041\012\015\012\001s\022\000Z\006\012\001a\022\001b\022\006\012\001k\022\001v\032\006Opaque\042\000";
    CLEANUP_JSON json_t *object = NULL;
    CLEANUP_JSON json_t *want =
        parse("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s','labels':{'a':'b'}},"
              "'data':{'k':'dg=='},'type':'Opaque'}");
    struct err err = ERR_INIT;

    if (kube_protobuf_parse(span_of(good, sizeof(good) - 1), kube_secret.shape, &object, &err) < 0)
        fail_msg("%s", err.msg);
    assert_true(json_equal(object, want));
    json_decref(object);
    object = NULL;
    assert_int_equal(
        kube_protobuf_parse(span_of(bad, sizeof(bad) - 1), kube_secret.shape, &object, &err), -1);
}

static void cut_protobuf_is_refused(void **state UNUSED)
{
    static const char good[] = "k8s\0\x12\x05\x0a\x03\x0a\x01s";
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;

    for (size_t len = 0; len < sizeof(good) - 1; len++) {
        CLEANUP_JSON json_t *cut = NULL;
        int result = kube_protobuf_parse(span_of(good, len), kube_secret.shape, &cut, &err);
        if (result == 0 && len != 4)
            fail_msg("%zu bytes were taken", len);
    }
    err_clear(&err);
    assert_int_equal(
        kube_protobuf_parse(span_of(good, sizeof(good) - 1), kube_secret.shape, &object, &err), 0);
    assert_string_equal(kube_name_of(object), "s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_is_whole),
        cmocka_unit_test(no_two_members_share_a_wire_number),
        cmocka_unit_test(objects_are_judged_by_their_table),
        cmocka_unit_test(unknown_names_and_nulls_are_removed),
        cmocka_unit_test(formats_draw_the_line),
        cmocka_unit_test(ages_read_like_kubectls),
        cmocka_unit_test(selectors_select),
        cmocka_unit_test(field_selectors_know_only_what_the_kind_allows),
        cmocka_unit_test(paths_name_what_they_should),
        cmocka_unit_test(a_secret_comes_as_protobuf),
        cmocka_unit_test(cut_protobuf_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
