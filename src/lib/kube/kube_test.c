/* SPDX-License-Identifier: Apache-2.0 */
/* The API as a client sees it, over memory and over the store. In texts ' stands for ". */
#include "base/mem.h"
#include "codec/json.h"
#include "kube/kube.h"
#include "kube/kube_store.h"
#include "store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct kube_kind *const kinds[] = {
    &kube_namespace, &kube_config_map,    &kube_secret,          &kube_user,
    &kube_api_key,   &kube_model_service, &kube_service_account, NULL};

struct bench {
    struct kube_memory *memory;
    struct kube_store *objects;
    struct fixture fixture;
    const struct kube_storage *storage;
    struct kube_server *server;
    struct arena *arena;
    struct kube_answer answer;
    json_t *body; /* of the last answer */
    const char *user;
    unsigned changes;
    bool refuse;
    struct buf watched;
    bool ended;
};

static bool over_store;

static bool authorize(void *ctx UNUSED, const struct kube_attributes *ask, char reason[256])
{
    if (strcmp(ask->principal->name, "admin") == 0)
        return true;
    snprintf(reason, 256, "no rule");
    return ask->resource == NULL || strcmp(ask->verb, "get") == 0;
}

static int admit(void *ctx, struct kube_change *change UNUSED, struct kube_causes *causes UNUSED,
                 struct err *err)
{
    struct bench *bench = ctx;

    return bench->refuse ? err_set(err, ERR_DENIED, "not today") : 0;
}

static void changed(void *ctx, const struct kube_change *change)
{
    struct bench *bench = ctx;

    bench->changes++;
    if (change->kind == &kube_api_key && change->old == NULL)
        json_object_set_new(change->object, "status", json_pack("{s:s}", "key", "once"));
}

static int start(void **state)
{
    struct bench *bench = mem_new(sizeof(*bench));
    struct err err = ERR_INIT;

    if (over_store) {
        fixture_start(&bench->fixture);
        fixture_open(&bench->fixture);
        bench->objects = kube_store_new(bench->fixture.store);
        bench->storage = kube_store_storage(bench->objects);
    } else {
        bench->memory = kube_memory_new();
        bench->storage = kube_memory_storage(bench->memory);
    }
    struct kube_config config = {.kinds = kinds,
                                 .storage = bench->storage,
                                 .ctx = bench,
                                 .authorize = authorize,
                                 .admit = admit,
                                 .changed = changed};
    assert_int_equal(kube_server_new(&config, &bench->server, &err), 0);
    bench->arena = arena_new(16 << 20);
    bench->user = "admin";
    bench->answer.body = (struct buf)BUF_INIT(KUBE_ANSWER_MAX);
    bench->watched = (struct buf)BUF_INIT(1 << 20);
    *state = bench;
    return 0;
}

static int stop(void **state)
{
    struct bench *bench = *state;

    kube_watch_free(bench->answer.watch);
    kube_server_free(bench->server);
    buf_free(&bench->answer.body);
    buf_free(&bench->watched);
    json_decref(bench->body);
    kube_store_free(bench->objects);
    if (over_store)
        fixture_stop(&bench->fixture);
    kube_memory_free(bench->memory);
    arena_free(bench->arena);
    free(bench);
    return 0;
}

/* "a=1&b=2": no escapes are needed here. */
static const char *query(const struct kube_request *request, const char *name)
{
    const char *at = request->query_ctx;
    size_t len = strlen(name);

    while (*at != '\0') {
        size_t part = strcspn(at, "&");
        if (part > len && strncmp(at, name, len) == 0 && at[len] == '=')
            return arena_copy(request->arena, span_of(at + len + 1, part - len - 1));
        at += part + (at[part] == '&');
    }
    return NULL;
}

static const char *media_type(const char *method, const char *body, const char *args)
{
    if (args != NULL && strstr(args, "fieldManager=") != NULL)
        return "application/apply-patch+yaml";
    if (strcmp(method, "PATCH") != 0)
        return "application/json";
    return body[0] == '[' ? "application/json-patch+json" : "application/merge-patch+json";
}

/* "GET /api/v1/namespaces?limit=1"; gives the status. */
static unsigned ask(struct bench *bench, const char *what, const char *body)
{
    CLEANUP_FREE char *text = mem_strdup(body != NULL ? body : "");
    CLEANUP_FREE char *line = mem_strdup(what);
    struct kube_principal principal = {.name = bench->user};
    struct err err = ERR_INIT;
    char *path = strchr(line, ' ');

    for (char *p = text; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    *path++ = '\0';
    char *args = strchr(path, '?');
    if (args != NULL)
        *args++ = '\0';
    struct kube_request request = {
        .method = line,
        .path = path,
        .query = query,
        .query_ctx = args != NULL ? args : strchr(line, 0),
        .content_type = media_type(line, text, args),
        .body = span_str(text),
        .principal = &principal,
        .arena = bench->arena,
    };
    struct buf kept = bench->answer.body;
    buf_reset(&kept);
    bench->answer = (struct kube_answer){.body = kept};
    kube_serve(bench->server, &request, &bench->answer);
    if (over_store)
        assert_int_equal(store_flush(bench->fixture.store, &err), 0);
    json_decref(bench->body);
    bench->body = NULL;
    if (bench->answer.body.len > 0 &&
        codec_json_parse(buf_span(&bench->answer.body), "answer", &bench->body, &err) < 0)
        fail_msg("%s: %s", what, err.msg);
    return bench->answer.status;
}

static void must(struct bench *bench, unsigned status, const char *what, const char *body)
{
    unsigned got = ask(bench, what, body);

    if (got != status)
        fail_msg("%s: %u %s", what, got, buf_text(&bench->answer.body));
}

static const char *text_at(struct bench *bench, const char *pointer)
{
    const json_t *value = bench->body;
    char name[64];

    while (*pointer != '\0') {
        size_t len = strcspn(++pointer, "/");
        snprintf(name, sizeof(name), "%.*s", (int)len, pointer);
        pointer += len;
        value = json_is_array(value) ? json_array_get(value, strtoul(name, NULL, 10))
                                     : json_object_get(value, name);
    }
    return json_is_string(value) ? json_string_value(value) : "";
}

#define USERS "/apis/drun.io/v1/users"
#define CMS   "/api/v1/namespaces/demo/configmaps"

static void make_user(struct bench *bench, const char *name)
{
    CLEANUP_FREE char *body =
        mem_printf("{'metadata':{'name':'%s','labels':{'n':'%s'}}}", name, name);

    must(bench, 201, "POST " USERS, body);
}

/* ------------------------------------------------------------------ writing */

static void an_object_lives(void **state)
{
    struct bench *bench = *state;

    must(bench, 201, "POST " USERS, "{'metadata':{'name':'alice'},'spec':{'email':'a@b.c'}}");
    assert_string_equal(text_at(bench, "/kind"), "User");
    assert_int_equal(strlen(text_at(bench, "/metadata/uid")), 36);
    must(bench, 409, "POST " USERS, "{'metadata':{'name':'alice'}}");
    assert_string_equal(text_at(bench, "/message"), "users.drun.io \"alice\" already exists");
    assert_string_equal(text_at(bench, "/reason"), "AlreadyExists");
    must(bench, 200, "GET " USERS "/alice", NULL);
    assert_string_equal(text_at(bench, "/spec/email"), "a@b.c");
    must(bench, 200, "PATCH " USERS "/alice", "{'spec':{'email':'b@b.c'}}");
    must(bench, 200, "GET " USERS "/alice", NULL);
    assert_string_equal(text_at(bench, "/spec/email"), "b@b.c");
    must(bench, 200, "DELETE " USERS "/alice", NULL);
    assert_string_equal(text_at(bench, "/status"), "Success");
    assert_string_equal(text_at(bench, "/details/kind"), "users");
    must(bench, 404, "GET " USERS "/alice", NULL);
    assert_string_equal(text_at(bench, "/message"), "users.drun.io \"alice\" not found");
    assert_int_equal(bench->changes, 3);
}

static void a_write_of_an_old_state_is_a_conflict(void **state)
{
    struct bench *bench = *state;

    make_user(bench, "alice");
    CLEANUP_FREE char *old = json_dumps(bench->body, 0);
    must(bench, 200, "PATCH " USERS "/alice", "{'spec':{'email':'b@b.c'}}");
    must(bench, 409, "PUT " USERS "/alice", old);
    assert_string_equal(text_at(bench, "/reason"), "Conflict");
    must(bench, 409, "PATCH " USERS "/alice", "{'metadata':{'resourceVersion':'1'}}");
    must(bench, 409, "PATCH " USERS "/alice", "{'metadata':{'uid':'1'}}");
    must(bench, 409, "DELETE " USERS "/alice", "{'preconditions':{'uid':'1'}}");
    must(bench, 409, "DELETE " USERS "/alice", "{'preconditions':{'resourceVersion':'1'}}");
    must(bench, 200, "GET " USERS "/alice", NULL);
}

static void a_write_that_changes_nothing_is_none(void **state)
{
    struct bench *bench = *state;

    make_user(bench, "alice");
    CLEANUP_FREE char *revision = mem_strdup(text_at(bench, "/metadata/resourceVersion"));
    must(bench, 200, "PATCH " USERS "/alice", "{'metadata':{'labels':{'n':'alice'}}}");
    assert_string_equal(text_at(bench, "/metadata/resourceVersion"), revision);
    assert_int_equal(bench->changes, 1);
}

static void a_dry_run_stores_nothing(void **state)
{
    struct bench *bench = *state;

    must(bench, 201, "POST " USERS "?dryRun=All", "{'metadata':{'name':'alice'}}");
    must(bench, 404, "GET " USERS "/alice", NULL);
    make_user(bench, "alice");
    must(bench, 200, "DELETE " USERS "/alice?dryRun=All", NULL);
    must(bench, 200, "DELETE " USERS "/alice", "{'dryRun':['All']}");
    must(bench, 200, "GET " USERS "/alice", NULL);
    must(bench, 400, "POST " USERS "?dryRun=Some", "{'metadata':{'name':'bob'}}");
    assert_int_equal(bench->changes, 1);
}

static void the_status_is_written_alone(void **state)
{
    struct bench *bench = *state;

    must(bench, 201, "POST " USERS,
         "{'metadata':{'name':'alice'},'status':{'passwordSet':true},'spec':{'email':'a@b.c'}}");
    assert_null(json_object_get(bench->body, "status"));
    must(
        bench, 200, "PATCH " USERS "/alice/status",
        "{'status':{'passwordSet':true},'spec':{'email':'x@b.c'},'metadata':{'labels':{'x':'y'}}}");
    must(bench, 200, "PATCH " USERS "/alice", "{'status':null,'spec':{'displayName':'A'}}");
    must(bench, 200, "GET " USERS "/alice/status", NULL);
    assert_true(json_is_true(codec_json_at(bench->body, "status", "passwordSet", NULL)));
    assert_string_equal(text_at(bench, "/spec/email"), "a@b.c");
    assert_null(codec_json_at(bench->body, "metadata", "labels", NULL));
    assert_int_equal(json_integer_value(codec_json_at(bench->body, "metadata", "generation", NULL)),
                     2);
    must(bench, 404, "GET /api/v1/namespaces/demo/configmaps/x/status", NULL);
}

static void finalizers_hold_an_object(void **state)
{
    struct bench *bench = *state;

    must(bench, 201, "POST " USERS, "{'metadata':{'name':'alice','finalizers':['drun.io/x']}}");
    must(bench, 200, "DELETE " USERS "/alice", NULL);
    assert_string_equal(text_at(bench, "/kind"), "User");
    assert_true(text_at(bench, "/metadata/deletionTimestamp")[0] != '\0');
    must(bench, 200, "GET " USERS "/alice", NULL);
    must(bench, 200, "DELETE " USERS "/alice", NULL);
    must(bench, 200, "PATCH " USERS "/alice", "{'metadata':{'deletionTimestamp':null}}");
    must(bench, 200, "GET " USERS "/alice", NULL);
    assert_true(text_at(bench, "/metadata/deletionTimestamp")[0] != '\0');
    must(bench, 200, "PATCH " USERS "/alice", "{'metadata':{'finalizers':null}}");
    must(bench, 404, "GET " USERS "/alice", NULL);
}

static void objects_need_their_namespace(void **state)
{
    struct bench *bench = *state;

    must(bench, 404, "POST " CMS, "{'metadata':{'name':'a'}}");
    assert_string_equal(text_at(bench, "/message"), "namespaces \"demo\" not found");
    must(bench, 201, "POST /api/v1/namespaces",
         "{'metadata':{'name':'demo','finalizers':['drun.io/x']}}");
    must(bench, 201, "POST " CMS, "{'metadata':{'name':'a','namespace':'demo'}}");
    must(bench, 400, "POST " CMS, "{'metadata':{'name':'b','namespace':'other'}}");
    must(bench, 400, "POST " USERS, "{'metadata':{'name':'b','namespace':'other'}}");
    must(bench, 405, "POST /api/v1/configmaps", "{'metadata':{'name':'b'}}");
    must(bench, 200, "DELETE /api/v1/namespaces/demo", NULL);
    assert_string_equal(text_at(bench, "/status/phase"), "Terminating");
    must(bench, 403, "POST " CMS, "{'metadata':{'name':'b'}}");
}

static void bad_input_is_refused_with_its_place(void **state)
{
    struct bench *bench = *state;

    must(bench, 422, "POST " USERS, "{'metadata':{'name':'A'},'spec':{'email':'x'}}");
    assert_string_equal(text_at(bench, "/reason"), "Invalid");
    assert_string_equal(text_at(bench, "/details/causes/0/field"), "metadata.name");
    assert_string_equal(text_at(bench, "/details/causes/1/field"), "spec.email");
    must(bench, 400, "POST " USERS, "{'metadata':");
    must(bench, 400, "POST " USERS, "{'metadata':{},'metadata':{}}");
    must(bench, 400, "POST " USERS, "[]");
    must(bench, 400, "POST " USERS, NULL);
    must(bench, 400, "POST " USERS, "{'kind':'Group','metadata':{'name':'a'}}");
    must(bench, 400, "POST " USERS, "{'apiVersion':'v1','metadata':{'name':'a'}}");
    must(bench, 400, "POST " USERS "?fieldValidation=Strict", "{'metadata':{'name':'a'},'x':1}");
    must(bench, 201, "POST " USERS, "{'metadata':{'name':'a'},'x':1}");
    assert_string_equal(bench->answer.warnings[0], "299 - \"unknown field \\\"x\\\"\"");
    assert_null(json_object_get(bench->body, "x"));
    must(bench, 201, "POST " USERS "?fieldValidation=Ignore", "{'metadata':{'name':'b'},'x':1}");
    assert_int_equal(bench->answer.warning_count, 0);
    must(bench, 422, "PATCH " USERS "/a", "{'metadata':{'name':'c'}}");
    must(bench, 422, "PATCH " USERS "/a", "[{'op':'test','path':'/kind','value':'x'}]");
    must(bench, 400, "PATCH " USERS "/a", "{'kind':'Group'}");
    must(bench, 400, "PUT " USERS "/a", "{'metadata':{'name':'b'}}");
    must(bench, 404, "PUT " USERS "/c", "{'metadata':{'name':'c'}}");
    must(bench, 405, "POST " USERS "/a", "{}");
    must(bench, 404, "GET /apis/none.io/v1/users", NULL);
    must(bench, 404, "GET /nothing", NULL);
}

static void the_role_may_refuse(void **state)
{
    struct bench *bench = *state;

    bench->refuse = true;
    must(bench, 403, "POST " USERS, "{'metadata':{'name':'a'}}");
    assert_string_equal(text_at(bench, "/message"), "users.drun.io \"a\" is forbidden: not today");
    assert_int_equal(bench->changes, 0);
}

static void who_may_not_is_told_so(void **state)
{
    struct bench *bench = *state;

    bench->user = "eve";
    must(bench, 403, "DELETE " USERS "/a", NULL);
    assert_string_equal(text_at(bench, "/message"),
                        "users.drun.io \"a\" is forbidden: User \"eve\" cannot delete resource "
                        "\"users\" in API group \"drun.io\" at the cluster scope: no rule");
    must(bench, 403, "GET " CMS, NULL);
    assert_string_equal(text_at(bench, "/message"),
                        "configmaps is forbidden: User \"eve\" cannot list resource "
                        "\"configmaps\" in API group \"\" in the namespace \"demo\": no rule");
    must(bench, 404, "GET " USERS "/a", NULL);
}

static void a_key_is_shown_once(void **state)
{
    struct bench *bench = *state;

    must(bench, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    must(bench, 201, "POST /apis/drun.io/v1/namespaces/demo/apikeys",
         "{'metadata':{'generateName':'k-'}}");
    assert_string_equal(text_at(bench, "/status/key"), "once");
    assert_string_equal(text_at(bench, "/spec/user"), "admin");
    must(bench, 200, "GET /apis/drun.io/v1/apikeys", NULL);
    assert_string_equal(text_at(bench, "/items/0/spec/user"), "admin");
    assert_string_equal(text_at(bench, "/items/0/status/key"), "");
}

static void plain_secrets_become_base64(void **state)
{
    struct bench *bench = *state;

    must(bench, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    must(bench, 201, "POST /api/v1/namespaces/demo/secrets",
         "{'metadata':{'name':'s'},'stringData':{'a':'hello'}}");
    assert_string_equal(text_at(bench, "/data/a"), "aGVsbG8=");
    assert_null(json_object_get(bench->body, "stringData"));
}

static void what_is_no_longer_applied_goes(void **state)
{
    struct bench *bench = *state;

    must(bench, 400, "PATCH " USERS "/a?fieldManager=", "{'metadata':{'name':'a'}}");
    must(
        bench, 201, "PATCH " USERS "/a?fieldManager=one",
        "{'apiVersion':'drun.io/v1','kind':'User','metadata':{'name':'a','labels':{'x':'1','y':'2'},"
        "'finalizers':['x/1']},'spec':{'email':'a@b.c','displayName':'A'}}");
    must(bench, 200, "PATCH " USERS "/a", "{'spec':{'expiresAt':'2030-01-01T00:00:00Z'}}");
    must(bench, 200, "PATCH " USERS "/a?fieldManager=one",
         "{'metadata':{'labels':{'y':'2'}},'spec':{'email':'a@b.c'}}");
    assert_null(codec_json_at(bench->body, "metadata", "finalizers", NULL));
    assert_null(codec_json_at(bench->body, "metadata", "labels", "x", NULL));
    assert_string_equal(text_at(bench, "/metadata/labels/y"), "2");
    assert_string_equal(text_at(bench, "/spec/displayName"), "");
    assert_string_equal(text_at(bench, "/spec/email"), "a@b.c");
    assert_string_equal(text_at(bench, "/spec/expiresAt"), "2030-01-01T00:00:00Z");
    CLEANUP_FREE char *revision = mem_strdup(text_at(bench, "/metadata/resourceVersion"));
    must(bench, 200, "PATCH " USERS "/a?fieldManager=one",
         "{'metadata':{'labels':{'y':'2'}},'spec':{'email':'a@b.c'}}");
    assert_string_equal(text_at(bench, "/metadata/resourceVersion"), revision);
}

static void two_appliers_do_not_overwrite_each_other(void **state)
{
    struct bench *bench = *state;

    must(bench, 201, "PATCH " USERS "/a?fieldManager=one", "{'spec':{'email':'a@b.c'}}");
    must(bench, 409, "PATCH " USERS "/a?fieldManager=two", "{'spec':{'email':'x@b.c'}}");
    assert_string_equal(text_at(bench, "/message"),
                        "Apply failed with 1 conflict: conflict with \"one\": .spec.email");
    assert_string_equal(text_at(bench, "/details/causes/0/field"), ".spec.email");
    must(bench, 200, "PATCH " USERS "/a?fieldManager=two", "{'spec':{'email':'a@b.c'}}");
    /* Both own it now: it stays when one lets go. */
    must(bench, 200, "PATCH " USERS "/a?fieldManager=one", "{'spec':{'displayName':'A'}}");
    assert_string_equal(text_at(bench, "/spec/email"), "a@b.c");
    must(bench, 200, "PATCH " USERS "/a?fieldManager=one&force=true", "{'spec':{'email':'x@b.c'}}");
    assert_string_equal(text_at(bench, "/spec/email"), "x@b.c");
    must(bench, 200, "PATCH " USERS "/a?fieldManager=two", "{}");
    assert_string_equal(text_at(bench, "/spec/email"), "x@b.c");
    must(bench, 400, "PATCH " USERS "/a?fieldManager=two",
         "{'metadata':{'labels':{'$patch':'delete'}}}");
}

static void lists_are_applied_by_their_keys(void **state)
{
    struct bench *bench = *state;
#define MSVC      "/apis/drun.io/v1/namespaces/demo/modelservices/m"
#define SPEC(env) "{'spec':{'modelRef':{'name':'m'},'engine':{'kind':'vllm','env':" env "}}}"

    must(bench, 201, "POST /api/v1/namespaces", "{'metadata':{'name':'demo'}}");
    must(bench, 201, "PATCH " MSVC "?fieldManager=one",
         SPEC("[{'name':'A','value':'1'},{'name':'B','value':'2'}]"));
    must(bench, 200, "PATCH " MSVC "?fieldManager=two",
         "{'spec':{'engine':{'env':[{'name':'C','value':'3'}]}}}");
    must(bench, 200, "PATCH " MSVC "?fieldManager=one", SPEC("[{'name':'B','value':'4'}]"));
    const json_t *env = codec_json_at(bench->body, "spec", "engine", "env", NULL);
    assert_int_equal(json_array_size(env), 2);
    assert_string_equal(text_at(bench, "/spec/engine/env/0/value"), "4");
    assert_string_equal(text_at(bench, "/spec/engine/env/1/name"), "C");
}

/* ------------------------------------------------------------------ reading */

static void lists_come_in_pages(void **state)
{
    struct bench *bench = *state;
    CLEANUP_FREE char *first = NULL;
    size_t seen = 0;

    for (int i = 0; i < 7; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%d", i);
        make_user(bench, name);
    }
    must(bench, 200, "GET " USERS, NULL);
    assert_int_equal(json_array_size(json_object_get(bench->body, "items")), 7);
    assert_string_equal(text_at(bench, "/items/0/metadata/name"), "u0");
    assert_string_equal(text_at(bench, "/kind"), "UserList");
    must(bench, 200, "GET " USERS "?limit=3", NULL);
    for (;;) {
        seen += json_array_size(json_object_get(bench->body, "items"));
        const char *token = text_at(bench, "/metadata/continue");
        if (token[0] == '\0')
            break;
        if (first == NULL)
            first = mem_strdup(token);
        CLEANUP_FREE char *next = mem_printf("GET " USERS "?limit=3&continue=%s", token);
        must(bench, 200, next, NULL);
    }
    assert_int_equal(seen, 7);
    /* A token is for one list, and cannot be made up. */
    CLEANUP_FREE char *elsewhere = mem_printf("GET /api/v1/namespaces?continue=%s", first);
    must(bench, 410, elsewhere, NULL);
    assert_string_equal(text_at(bench, "/reason"), "Expired");
    first[5] ^= 1;
    CLEANUP_FREE char *changed_token = mem_printf("GET " USERS "?continue=%s", first);
    must(bench, 410, changed_token, NULL);
    must(bench, 400, "GET " USERS "?continue=x", NULL);
    must(bench, 400, "GET " USERS "?limit=x", NULL);
}

static void lists_select(void **state)
{
    struct bench *bench = *state;

    make_user(bench, "a");
    make_user(bench, "b");
    must(bench, 200, "GET " USERS "?labelSelector=n=b", NULL);
    assert_int_equal(json_array_size(json_object_get(bench->body, "items")), 1);
    must(bench, 200, "GET " USERS "?fieldSelector=metadata.name=a", NULL);
    assert_string_equal(text_at(bench, "/items/0/metadata/name"), "a");
    must(bench, 200, "GET " USERS "?fieldSelector=metadata.name!=a", NULL);
    assert_string_equal(text_at(bench, "/items/0/metadata/name"), "b");
    must(bench, 400, "GET " USERS "?fieldSelector=spec.x=a", NULL);
    must(bench, 400, "GET " USERS "?labelSelector=a in", NULL);
    must(bench, 200, "DELETE " USERS "?labelSelector=n=b", NULL);
    must(bench, 200, "GET " USERS, NULL);
    assert_int_equal(json_array_size(json_object_get(bench->body, "items")), 1);
}

/* ------------------------------------------------------------------ watching */

static void on_bytes(void *ctx, struct span bytes)
{
    struct bench *bench = ctx;

    buf_put_span(&bench->watched, bytes);
}

static void on_end(void *ctx)
{
    struct bench *bench = ctx;

    bench->ended = true;
}

static struct kube_watch *begin_watch(struct bench *bench, const char *what)
{
    must(bench, 200, what, NULL);
    struct kube_watch *watch = bench->answer.watch;
    bench->answer.watch = NULL;
    assert_non_null(watch);
    kube_watch_start(watch, on_bytes, on_end, bench);
    return watch;
}

/* The types and names of the events so far: "ADDED a,DELETED a,". */
static void expect_events(struct bench *bench, const char *want)
{
    CLEANUP(buf_free) struct buf have = BUF_INIT(4096);
    const char *line = buf_text(&bench->watched);

    while (*line != '\0') {
        CLEANUP_JSON json_t *event = NULL;
        struct err err = ERR_INIT;
        size_t len = strcspn(line, "\n");
        assert_int_equal(codec_json_parse(span_of(line, len), "event", &event, &err), 0);
        const json_t *meta = codec_json_at(event, "object", "metadata", NULL);
        buf_printf(&have, "%s %s,", codec_json_text(event, "type", ""),
                   codec_json_text(meta, "name", ""));
        line += len + 1;
    }
    assert_string_equal(buf_text(&have), want);
    buf_reset(&bench->watched);
}

static void a_watch_sees_everything_after_its_revision(void **state)
{
    struct bench *bench = *state;

    make_user(bench, "a");
    CLEANUP_FREE char *what = mem_printf("GET " USERS "?watch=true&resourceVersion=%s",
                                         text_at(bench, "/metadata/resourceVersion"));
    make_user(bench, "b");
    struct kube_watch *watch = begin_watch(bench, what);
    expect_events(bench, "ADDED b,");
    must(bench, 200, "PATCH " USERS "/a", "{'spec':{'displayName':'x'}}");
    must(bench, 200, "DELETE " USERS "/a", NULL);
    expect_events(bench, "MODIFIED a,DELETED a,");
    kube_watch_free(watch);
    make_user(bench, "c");
    expect_events(bench, "");
}

static void a_watch_without_a_revision_begins_with_what_is_there(void **state)
{
    struct bench *bench = *state;

    make_user(bench, "a");
    struct kube_watch *watch = begin_watch(bench, "GET " USERS "?watch=true");
    expect_events(bench, "ADDED a,");
    kube_watch_free(watch);
    watch = begin_watch(bench, "GET " USERS "?watch=true&sendInitialEvents=true&"
                               "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
    expect_events(bench, "ADDED a,BOOKMARK ,");
    kube_watch_free(watch);
}

static void a_watch_that_selects_shows_coming_and_going(void **state)
{
    struct bench *bench = *state;

    make_user(bench, "a");
    struct kube_watch *watch = begin_watch(bench, "GET " USERS "?watch=true&labelSelector=x=y");
    must(bench, 200, "PATCH " USERS "/a", "{'metadata':{'labels':{'x':'y'}}}");
    must(bench, 200, "PATCH " USERS "/a", "{'metadata':{'labels':{'z':'z'}}}");
    must(bench, 200, "PATCH " USERS "/a", "{'metadata':{'labels':{'x':null}}}");
    must(bench, 200, "DELETE " USERS "/a", NULL);
    expect_events(bench, "ADDED a,MODIFIED a,DELETED a,");
    kube_watch_free(watch);
}

static void a_watch_ends_when_its_time_is_over(void **state)
{
    struct bench *bench = *state;
    struct kube_watch *watch = begin_watch(bench, "GET " USERS "?watch=true&timeoutSeconds=1");

    kube_server_tick(bench->server);
    assert_false(bench->ended);
    usleep(1100 * 1000);
    kube_server_tick(bench->server);
    assert_true(bench->ended);
    kube_watch_free(watch);
}

static void a_watch_of_a_lost_past_is_expired(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;

    make_user(bench, "a");
    make_user(bench, "b");
    int64_t now = bench->storage->revision(bench->storage->ctx);
    if (over_store) {
        while (store_compact_slice(bench->fixture.store, now, 100, &err) == 1)
            continue;
        assert_int_equal(store_flush(bench->fixture.store, &err), 0);
    } else {
        kube_memory_compact(bench->memory, now);
    }
    must(bench, 410, "GET " USERS "?watch=true&resourceVersion=1", NULL);
    assert_string_equal(text_at(bench, "/reason"), "Expired");
}

/* ------------------------------------------------------------------ for the role */

static void a_role_writes_its_own_objects(void **state)
{
    struct bench *bench = *state;
    CLEANUP_JSON json_t *object = json_pack("{s:{s:s}}", "metadata", "name", "own");
    CLEANUP_JSON json_t *status = json_pack("{s:b}", "passwordSet", 1);
    CLEANUP_JSON json_t *wrong = json_pack("{s:s}", "passwordSet", "yes");
    CLEANUP_JSON json_t *read = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(kube_object_put(bench->server, &kube_user, object, &err), 0);
    assert_int_equal(kube_object_put(bench->server, &kube_user, object, &err), 0);
    assert_int_equal(kube_object_put_status(bench->server, &kube_user, "", "own", status, &err), 0);
    assert_int_equal(kube_object_put_status(bench->server, &kube_user, "", "own", wrong, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    /* The object that was put is now an old state. */
    err_clear(&err);
    assert_int_equal(kube_object_put(bench->server, &kube_user, object, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    err_clear(&err);
    assert_int_equal(kube_object_get(bench->server, &kube_user, "", "own", &read, &err), 0);
    assert_true(json_is_true(codec_json_at(read, "status", "passwordSet", NULL)));
    assert_int_equal(kube_object_delete(bench->server, &kube_user, "", "own", &err), 0);
    assert_int_equal(kube_object_delete(bench->server, &kube_user, "", "own", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(an_object_lives),
        CASE(a_write_of_an_old_state_is_a_conflict),
        CASE(a_write_that_changes_nothing_is_none),
        CASE(a_dry_run_stores_nothing),
        CASE(the_status_is_written_alone),
        CASE(finalizers_hold_an_object),
        CASE(objects_need_their_namespace),
        CASE(bad_input_is_refused_with_its_place),
        CASE(the_role_may_refuse),
        CASE(who_may_not_is_told_so),
        CASE(a_key_is_shown_once),
        CASE(plain_secrets_become_base64),
        CASE(what_is_no_longer_applied_goes),
        CASE(two_appliers_do_not_overwrite_each_other),
        CASE(lists_are_applied_by_their_keys),
        CASE(lists_come_in_pages),
        CASE(lists_select),
        CASE(a_watch_sees_everything_after_its_revision),
        CASE(a_watch_without_a_revision_begins_with_what_is_there),
        CASE(a_watch_that_selects_shows_coming_and_going),
        CASE(a_watch_ends_when_its_time_is_over),
        CASE(a_watch_of_a_lost_past_is_expired),
        CASE(a_role_writes_its_own_objects),
    };
    struct err err = ERR_INIT;

    over_store = argc > 1 && strcmp(argv[1], "store") == 0;
    if (secret_heap_init(&err) < 0)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
