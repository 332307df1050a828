/* SPDX-License-Identifier: Apache-2.0 */
/* Writing as a client sees it. */
#include "kube/rig.h"

/* ------------------------------------------------------------------ writing */

static void an_object_lives(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 201, "POST " USERS, "{'metadata':{'name':'alice'},'spec':{'email':'a@b.c'}}");
    assert_string_equal(rig_text(rig, "/kind"), "User");
    assert_int_equal(strlen(rig_text(rig, "/metadata/uid")), 36);
    rig_must(rig, 409, "POST " USERS, "{'metadata':{'name':'alice'}}");
    assert_string_equal(rig_text(rig, "/message"), "users.drun.io \"alice\" already exists");
    assert_string_equal(rig_text(rig, "/reason"), "AlreadyExists");
    rig_must(rig, 200, "GET " USERS "/alice", NULL);
    assert_string_equal(rig_text(rig, "/spec/email"), "a@b.c");
    rig_must(rig, 200, "PATCH " USERS "/alice", "{'spec':{'email':'b@b.c'}}");
    rig_must(rig, 200, "GET " USERS "/alice", NULL);
    assert_string_equal(rig_text(rig, "/spec/email"), "b@b.c");
    rig_must(rig, 200, "DELETE " USERS "/alice", NULL);
    assert_string_equal(rig_text(rig, "/status"), "Success");
    assert_string_equal(rig_text(rig, "/details/kind"), "users");
    rig_must(rig, 404, "GET " USERS "/alice", NULL);
    assert_string_equal(rig_text(rig, "/message"), "users.drun.io \"alice\" not found");
    assert_int_equal(rig->changes, 3);
}

static void a_write_of_an_old_state_is_a_conflict(void **state)
{
    struct rig *rig = *state;

    rig_make_user(rig, "alice");
    CLEANUP_FREE char *old = json_dumps(rig->body, 0);
    rig_must(rig, 200, "PATCH " USERS "/alice", "{'spec':{'email':'b@b.c'}}");
    rig_must(rig, 409, "PUT " USERS "/alice", old);
    assert_string_equal(rig_text(rig, "/reason"), "Conflict");
    rig_must(rig, 409, "PATCH " USERS "/alice", "{'metadata':{'resourceVersion':'1'}}");
    rig_must(rig, 409, "PATCH " USERS "/alice", "{'metadata':{'uid':'1'}}");
    rig_must(rig, 409, "DELETE " USERS "/alice", "{'preconditions':{'uid':'1'}}");
    rig_must(rig, 409, "DELETE " USERS "/alice", "{'preconditions':{'resourceVersion':'1'}}");
    rig_must(rig, 200, "GET " USERS "/alice", NULL);
}

static void a_write_that_changes_nothing_is_none(void **state)
{
    struct rig *rig = *state;

    rig_make_user(rig, "alice");
    CLEANUP_FREE char *revision = mem_strdup(rig_text(rig, "/metadata/resourceVersion"));
    rig_must(rig, 200, "PATCH " USERS "/alice", "{'metadata':{'labels':{'n':'alice'}}}");
    assert_string_equal(rig_text(rig, "/metadata/resourceVersion"), revision);
    assert_int_equal(rig->changes, 1);
}

static void a_dry_run_stores_nothing(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 201, "POST " USERS "?dryRun=All", "{'metadata':{'name':'alice'}}");
    rig_must(rig, 404, "GET " USERS "/alice", NULL);
    rig_make_user(rig, "alice");
    rig_must(rig, 200, "DELETE " USERS "/alice?dryRun=All", NULL);
    rig_must(rig, 200, "DELETE " USERS "/alice", "{'dryRun':['All']}");
    rig_must(rig, 200, "GET " USERS "/alice", NULL);
    rig_must(rig, 400, "POST " USERS "?dryRun=Some", "{'metadata':{'name':'bob'}}");
    assert_int_equal(rig->changes, 1);
}

static void the_status_is_written_alone(void **state)
{
    struct rig *rig = *state;

    rig_must(
        rig, 201, "POST " USERS,
        "{'metadata':{'name':'alice'},'status':{'passwordSet':true},'spec':{'email':'a@b.c'}}");
    assert_null(json_object_get(rig->body, "status"));
    rig_must(
        rig, 200, "PATCH " USERS "/alice/status",
        "{'status':{'passwordSet':true},'spec':{'email':'x@b.c'},'metadata':{'labels':{'x':'y'}}}");
    rig_must(rig, 200, "PATCH " USERS "/alice", "{'status':null,'spec':{'displayName':'A'}}");
    rig_must(rig, 200, "GET " USERS "/alice/status", NULL);
    assert_true(json_is_true(codec_json_at(rig->body, "status", "passwordSet", NULL)));
    assert_string_equal(rig_text(rig, "/spec/email"), "a@b.c");
    assert_null(codec_json_at(rig->body, "metadata", "labels", NULL));
    assert_int_equal(json_integer_value(codec_json_at(rig->body, "metadata", "generation", NULL)),
                     2);
    rig_must(rig, 404, "GET /api/v1/namespaces/demo/configmaps/x/status", NULL);
}

static void finalizers_hold_an_object(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 201, "POST " USERS, "{'metadata':{'name':'alice','finalizers':['drun.io/x']}}");
    rig_must(rig, 200, "DELETE " USERS "/alice", NULL);
    assert_string_equal(rig_text(rig, "/kind"), "User");
    assert_true(rig_text(rig, "/metadata/deletionTimestamp")[0] != '\0');
    rig_must(rig, 200, "GET " USERS "/alice", NULL);
    rig_must(rig, 200, "DELETE " USERS "/alice", NULL);
    rig_must(rig, 200, "PATCH " USERS "/alice", "{'metadata':{'deletionTimestamp':null}}");
    rig_must(rig, 200, "GET " USERS "/alice", NULL);
    assert_true(rig_text(rig, "/metadata/deletionTimestamp")[0] != '\0');
    rig_must(rig, 200, "PATCH " USERS "/alice", "{'metadata':{'finalizers':null}}");
    rig_must(rig, 404, "GET " USERS "/alice", NULL);
}

static void objects_need_their_namespace(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 404, "POST " CMS, "{'metadata':{'name':'a'}}");
    assert_string_equal(rig_text(rig, "/message"), "namespaces \"demo\" not found");
    rig_must(rig, 201, "POST /api/v1/namespaces",
             "{'metadata':{'name':'demo','finalizers':['drun.io/x']}}");
    rig_must(rig, 201, "POST " CMS, "{'metadata':{'name':'a','namespace':'demo'}}");
    rig_must(rig, 400, "POST " CMS, "{'metadata':{'name':'b','namespace':'other'}}");
    rig_must(rig, 400, "POST " USERS, "{'metadata':{'name':'b','namespace':'other'}}");
    rig_must(rig, 405, "POST /api/v1/configmaps", "{'metadata':{'name':'b'}}");
    rig_must(rig, 200, "DELETE /api/v1/namespaces/demo", NULL);
    assert_string_equal(rig_text(rig, "/status/phase"), "Terminating");
    rig_must(rig, 403, "POST " CMS, "{'metadata':{'name':'b'}}");
}

/* ------------------------------------------------------------------ ends */

static void empty(struct rig *rig, struct kube_left *left)
{
    struct err err = ERR_INIT;

    do
        assert_int_equal(kube_namespace_empty(rig->server, "demo", 3, left, &err), 0);
    while (left->ended > 0);
}

static void a_namespace_goes_when_it_was_emptied(void **state)
{
    struct rig *rig = *state;
    struct kube_left left;
    struct err err = ERR_INIT;
    char uid[64];

    rig_must(rig, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    assert_string_equal(rig_text(rig, "/spec/finalizers/0"), "kubernetes");
    snprintf(uid, sizeof(uid), "%s", rig_text(rig, "/metadata/uid"));
    for (int i = 0; i < 7; i++) {
        CLEANUP_FREE char *body = mem_printf("{'metadata':{'name':'c%d'}}", i);
        rig_must(rig, 201, "POST " CMS, body);
    }
    rig_must(rig, 201, "POST " CMS, "{'metadata':{'name':'held','finalizers':['drun.io/x']}}");
    assert_int_equal(kube_namespace_finish(rig->server, "demo", uid, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    rig_must(rig, 200, "DELETE /api/v1/namespaces/demo", NULL);
    empty(rig, &left);
    assert_int_equal(left.held, 1);
    assert_non_null(strstr(left.example, "configmaps/held is held by drun.io/x"));
    rig_must(rig, 404, "GET " CMS "/c0", NULL);
    rig_must(rig, 200, "PATCH /api/v1/namespaces/demo", "{'spec':{'finalizers':null}}");
    assert_string_equal(rig_text(rig, "/spec/finalizers/0"), "kubernetes");
    rig_must(rig, 200, "PATCH " CMS "/held", "{'metadata':{'finalizers':null}}");
    empty(rig, &left);
    assert_int_equal(left.held, 0);
    err_clear(&err);
    assert_int_equal(kube_namespace_finish(rig->server, "demo", "another", &err), -1);
    err_clear(&err);
    assert_int_equal(kube_namespace_finish(rig->server, "demo", uid, &err), 0);
    rig_must(rig, 404, "GET /api/v1/namespaces/demo", NULL);
}

static void collect(struct rig *rig)
{
    struct err err = ERR_INIT;
    int more;

    while ((more = kube_server_collect(rig->server, &err)) == 1)
        ;
    assert_int_equal(more, 0);
}

static void make_owned(struct rig *rig, const char *name, const char *owner, const char *uid)
{
    CLEANUP_FREE char *body =
        mem_printf("{'metadata':{'name':'%s','ownerReferences':[{'apiVersion':'v1','kind':"
                   "'ConfigMap','name':'%s','uid':'%s','blockOwnerDeletion':true}]}}",
                   name, owner, uid);

    rig_must(rig, 201, "POST " CMS, body);
}

static void make_owner(struct rig *rig, const char *name, char uid[64])
{
    CLEANUP_FREE char *body = mem_printf("{'metadata':{'name':'%s'}}", name);

    rig_must(rig, 201, "POST " CMS, body);
    snprintf(uid, 64, "%s", rig_text(rig, "/metadata/uid"));
}

static void dependents_follow_their_owner(void **state)
{
    struct rig *rig = *state;
    char uid[64], child[64];

    rig_must(rig, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    make_owner(rig, "owner", uid);
    make_owned(rig, "child", "owner", uid);
    snprintf(child, sizeof(child), "%s", rig_text(rig, "/metadata/uid"));
    make_owned(rig, "grandchild", "child", child);
    make_owned(rig, "foundling", "owner", "11111111-1111-4111-8111-111111111111");
    rig_must(rig, 201, "POST " CMS,
             "{'metadata':{'name':'guest','ownerReferences':[{'apiVersion':'apps/v1','kind':"
             "'Deployment','name':'d','uid':'1'}]}}");
    collect(rig);
    rig_must(rig, 404, "GET " CMS "/foundling", NULL);
    rig_must(rig, 200, "GET " CMS "/child", NULL);
    rig_must(rig, 200, "DELETE " CMS "/owner", NULL);
    collect(rig);
    rig_must(rig, 404, "GET " CMS "/child", NULL);
    rig_must(rig, 404, "GET " CMS "/grandchild", NULL);
    rig_must(rig, 200, "GET " CMS "/guest", NULL);
}

static void a_deletion_has_a_policy(void **state)
{
    struct rig *rig = *state;
    char uid[64];

    rig_must(rig, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    make_owner(rig, "a", uid);
    make_owned(rig, "of-a", "a", uid);
    rig_must(rig, 400, "DELETE " CMS "/a?propagationPolicy=Sideways", NULL);
    rig_must(rig, 200, "DELETE " CMS "/a?propagationPolicy=Orphan", NULL);
    rig_must(rig, 200, "GET " CMS "/a", NULL);
    collect(rig);
    rig_must(rig, 404, "GET " CMS "/a", NULL);
    rig_must(rig, 200, "GET " CMS "/of-a", NULL);
    assert_null(codec_json_at(rig->body, "metadata", "ownerReferences", NULL));

    make_owner(rig, "b", uid);
    make_owned(rig, "of-b", "b", uid);
    rig_must(rig, 200, "PATCH " CMS "/of-b", "{'metadata':{'finalizers':['drun.io/x']}}");
    rig_must(rig, 200, "DELETE " CMS "/b", "{'propagationPolicy':'Foreground'}");
    collect(rig);
    rig_must(rig, 200, "GET " CMS "/b", NULL);
    assert_string_equal(rig_text(rig, "/metadata/finalizers/0"), "foregroundDeletion");
    rig_must(rig, 200, "GET " CMS "/of-b", NULL);
    assert_true(rig_text(rig, "/metadata/deletionTimestamp")[0] != '\0');
    rig_must(rig, 200, "PATCH " CMS "/of-b", "{'metadata':{'finalizers':null}}");
    collect(rig);
    rig_must(rig, 404, "GET " CMS "/of-b", NULL);
    rig_must(rig, 404, "GET " CMS "/b", NULL);
}

static void bad_input_is_refused_with_its_place(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 422, "POST " USERS, "{'metadata':{'name':'A'},'spec':{'email':'x'}}");
    assert_string_equal(rig_text(rig, "/reason"), "Invalid");
    assert_string_equal(rig_text(rig, "/details/causes/0/field"), "metadata.name");
    assert_string_equal(rig_text(rig, "/details/causes/1/field"), "spec.email");
    rig_must(rig, 400, "POST " USERS, "{'metadata':");
    rig_must(rig, 400, "POST " USERS, "{'metadata':{},'metadata':{}}");
    rig_must(rig, 400, "POST " USERS, "[]");
    rig_must(rig, 400, "POST " USERS, NULL);
    rig_must(rig, 400, "POST " USERS, "{'kind':'Group','metadata':{'name':'a'}}");
    rig_must(rig, 400, "POST " USERS, "{'apiVersion':'v1','metadata':{'name':'a'}}");
    rig_must(rig, 400, "POST " USERS "?fieldValidation=Strict", "{'metadata':{'name':'a'},'x':1}");
    rig_must(rig, 201, "POST " USERS, "{'metadata':{'name':'a'},'x':1}");
    assert_string_equal(rig->answer.warnings[0], "299 - \"unknown field \\\"x\\\"\"");
    assert_null(json_object_get(rig->body, "x"));
    rig_must(rig, 201, "POST " USERS "?fieldValidation=Ignore", "{'metadata':{'name':'b'},'x':1}");
    assert_int_equal(rig->answer.warning_count, 0);
    rig_must(rig, 422, "PATCH " USERS "/a", "{'metadata':{'name':'c'}}");
    rig_must(rig, 422, "PATCH " USERS "/a", "[{'op':'test','path':'/kind','value':'x'}]");
    rig_must(rig, 400, "PATCH " USERS "/a", "{'kind':'Group'}");
    rig_must(rig, 400, "PUT " USERS "/a", "{'metadata':{'name':'b'}}");
    rig_must(rig, 404, "PUT " USERS "/c", "{'metadata':{'name':'c'}}");
    rig_must(rig, 405, "POST " USERS "/a", "{}");
    rig_must(rig, 404, "GET /apis/none.io/v1/users", NULL);
    rig_must(rig, 404, "GET /nothing", NULL);
}

static void the_role_may_refuse(void **state)
{
    struct rig *rig = *state;

    rig->refuse = true;
    rig_must(rig, 403, "POST " USERS, "{'metadata':{'name':'a'}}");
    assert_string_equal(rig_text(rig, "/message"), "users.drun.io \"a\" is forbidden: not today");
    assert_int_equal(rig->changes, 0);
}

static void who_may_not_is_told_so(void **state)
{
    struct rig *rig = *state;

    rig->user = "eve";
    rig_must(rig, 403, "DELETE " USERS "/a", NULL);
    assert_string_equal(rig_text(rig, "/message"),
                        "users.drun.io \"a\" is forbidden: User \"eve\" cannot delete resource "
                        "\"users\" in API group \"drun.io\" at the cluster scope: no rule");
    rig_must(rig, 403, "GET " CMS, NULL);
    assert_string_equal(rig_text(rig, "/message"),
                        "configmaps is forbidden: User \"eve\" cannot list resource "
                        "\"configmaps\" in API group \"\" in the namespace \"demo\": no rule");
    rig_must(rig, 404, "GET " USERS "/a", NULL);
}

static void a_key_is_shown_once(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    rig_must(rig, 201, "POST /apis/drun.io/v1/namespaces/demo/apikeys",
             "{'metadata':{'generateName':'k-'}}");
    assert_string_equal(rig_text(rig, "/status/key"), "once");
    assert_string_equal(rig_text(rig, "/spec/user"), "admin");
    rig_must(rig, 200, "GET /apis/drun.io/v1/apikeys", NULL);
    assert_string_equal(rig_text(rig, "/items/0/spec/user"), "admin");
    assert_string_equal(rig_text(rig, "/items/0/status/key"), "");
}

static void plain_secrets_become_base64(void **state)
{
    struct rig *rig = *state;

    rig_must(rig, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    rig_must(rig, 201, "POST /api/v1/namespaces/demo/secrets",
             "{'metadata':{'name':'s'},'stringData':{'a':'hello'}}");
    assert_string_equal(rig_text(rig, "/data/a"), "aGVsbG8=");
    assert_null(json_object_get(rig->body, "stringData"));
}

/* Makes one object of `kind` with a value of `len` bytes. */
static void make_of_size(struct rig *rig, unsigned status, const char *kind, const char *member,
                         size_t len)
{
    CLEANUP_FREE char *value = mem_new(len + 1);
    memset(value, 'A', len);
    CLEANUP_FREE char *body =
        mem_printf("{'metadata':{'generateName':'s-'},'%s':{'a':'%s'}}", member, value);
    CLEANUP_FREE char *what = mem_printf("POST /api/v1/namespaces/demo/%s", kind);

    rig_must(rig, status, what, body);
}

static void more_than_a_mebibyte_is_refused(void **state)
{
    static const struct {
        const char *kind, *member, *field;
    } cases[] = {
        {"configmaps", "data", "[]"},
        {"secrets", "stringData", "data"},
    };
    struct rig *rig = *state;

    rig_must(rig, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make_of_size(rig, 201, cases[i].kind, cases[i].member, 1048576);
        make_of_size(rig, 422, cases[i].kind, cases[i].member, 1048577);
        assert_string_equal(rig_text(rig, "/reason"), "Invalid");
        assert_string_equal(rig_text(rig, "/details/causes/0/reason"), "FieldValueTooLong");
        assert_string_equal(rig_text(rig, "/details/causes/0/field"), cases[i].field);
    }
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, rig_start, rig_stop)
    const struct CMUnitTest tests[] = {
        CASE(an_object_lives),
        CASE(more_than_a_mebibyte_is_refused),
        CASE(a_write_of_an_old_state_is_a_conflict),
        CASE(a_write_that_changes_nothing_is_none),
        CASE(a_dry_run_stores_nothing),
        CASE(the_status_is_written_alone),
        CASE(finalizers_hold_an_object),
        CASE(objects_need_their_namespace),
        CASE(a_namespace_goes_when_it_was_emptied),
        CASE(dependents_follow_their_owner),
        CASE(a_deletion_has_a_policy),
        CASE(bad_input_is_refused_with_its_place),
        CASE(the_role_may_refuse),
        CASE(who_may_not_is_told_so),
        CASE(a_key_is_shown_once),
        CASE(plain_secrets_become_base64),
    };
    struct err err = ERR_INIT;

    rig_over_store = argc > 1 && strcmp(argv[1], "store") == 0;
    if (secret_heap_init(&err) < 0)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
