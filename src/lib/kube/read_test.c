/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and watching as a client sees it; and the objects as the role sees them. */
#include "kube/rig.h"

/* ------------------------------------------------------------------ reading */

static void lists_come_in_pages(void **state)
{
    struct rig *rig = *state;
    CLEANUP_FREE char *first = NULL;
    size_t seen = 0;

    for (int i = 0; i < 7; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%d", i);
        rig_make_user(rig, name);
    }
    rig_must(rig, 200, "GET " USERS, NULL);
    assert_int_equal(json_array_size(json_object_get(rig->body, "items")), 7);
    assert_string_equal(rig_text(rig, "/items/0/metadata/name"), "u0");
    assert_string_equal(rig_text(rig, "/kind"), "UserList");
    rig_must(rig, 200, "GET " USERS "?limit=3", NULL);
    for (;;) {
        seen += json_array_size(json_object_get(rig->body, "items"));
        const char *token = rig_text(rig, "/metadata/continue");
        if (token[0] == '\0')
            break;
        if (first == NULL)
            first = mem_strdup(token);
        CLEANUP_FREE char *next = mem_printf("GET " USERS "?limit=3&continue=%s", token);
        rig_must(rig, 200, next, NULL);
    }
    assert_int_equal(seen, 7);
    /* A token is for one list, and cannot be made up. */
    CLEANUP_FREE char *elsewhere = mem_printf("GET /api/v1/namespaces?continue=%s", first);
    rig_must(rig, 410, elsewhere, NULL);
    assert_string_equal(rig_text(rig, "/reason"), "Expired");
    first[5] ^= 1;
    CLEANUP_FREE char *changed_token = mem_printf("GET " USERS "?continue=%s", first);
    rig_must(rig, 410, changed_token, NULL);
    rig_must(rig, 400, "GET " USERS "?continue=x", NULL);
    rig_must(rig, 400, "GET " USERS "?limit=x", NULL);
}

static int count_user(void *ctx, const json_t *object, struct err *err UNUSED)
{
    json_array_append(ctx, json_object_get(json_object_get(object, "metadata"), "name"));
    return 0;
}

static size_t found_by(struct rig *rig, const char *term)
{
    CLEANUP_JSON json_t *names = json_array();
    struct err err = ERR_INIT;

    assert_int_equal(
        kube_object_each_by(rig->server, &kube_user, NULL, term, count_user, names, &err), 0);
    return json_array_size(names);
}

static void some_fields_are_found_by_an_index(void **state)
{
    struct rig *rig = *state;
    CLEANUP(buf_free) struct buf next = BUF_INIT(256);
    struct err err = ERR_INIT;

    rig_make_user(rig, "a");
    rig_make_user(rig, "b");
    rig_must(rig, 201, "POST " USERS,
             "{'metadata':{'name':'c'},'spec':{'email':'C@d.e','disabled':true,"
             "'groups':['drun:operators']}}");
    rig_must(rig, 200, "GET " USERS "?fieldSelector=spec.email=C@d.e", NULL);
    assert_int_equal(json_array_size(json_object_get(rig->body, "items")), 1);
    assert_string_equal(rig_text(rig, "/items/0/metadata/name"), "c");
    rig_must(rig, 200, "GET " USERS "?fieldSelector=spec.email=c@d.e", NULL);
    assert_int_equal(json_array_size(json_object_get(rig->body, "items")), 0);
    rig_must(rig, 200, "GET " USERS "?fieldSelector=spec.email=", NULL);
    assert_int_equal(json_array_size(json_object_get(rig->body, "items")), 2);
    /* Memory has no index and gives all. */
    size_t all = rig_over_store ? 0 : 3;
    assert_int_equal(found_by(rig, KUBE_USERS_EMAIL "c@d.e"), all == 0 ? 1 : all);
    assert_int_equal(found_by(rig, KUBE_USERS_LIMITED), all == 0 ? 1 : all);
    assert_int_equal(found_by(rig, KUBE_USERS_OPERATORS), all == 0 ? 1 : all);
    assert_int_equal(found_by(rig, "no=such"), all);
    /* A change of the field changes what finds it; written again as it is, it stays. */
    rig_must(rig, 200, "PATCH " USERS "/c", "{'spec':{'email':'f@d.e','disabled':false}}");
    assert_int_equal(kube_object_index(rig->server, &kube_user, NULL, &next, &err), 0);
    assert_int_equal(found_by(rig, KUBE_USERS_EMAIL "c@d.e"), all);
    assert_int_equal(found_by(rig, KUBE_USERS_EMAIL "f@d.e"), all == 0 ? 1 : all);
    assert_int_equal(found_by(rig, KUBE_USERS_LIMITED), all);
    rig_must(rig, 200, "GET " USERS "?fieldSelector=spec.email=f@d.e", NULL);
    assert_int_equal(json_array_size(json_object_get(rig->body, "items")), 1);
}

static void lists_select(void **state)
{
    struct rig *rig = *state;

    rig_make_user(rig, "a");
    rig_make_user(rig, "b");
    rig_must(rig, 200, "GET " USERS "?labelSelector=n=b", NULL);
    assert_int_equal(json_array_size(json_object_get(rig->body, "items")), 1);
    rig_must(rig, 200, "GET " USERS "?fieldSelector=metadata.name=a", NULL);
    assert_string_equal(rig_text(rig, "/items/0/metadata/name"), "a");
    rig_must(rig, 200, "GET " USERS "?fieldSelector=metadata.name!=a", NULL);
    assert_string_equal(rig_text(rig, "/items/0/metadata/name"), "b");
    rig_must(rig, 400, "GET " USERS "?fieldSelector=spec.x=a", NULL);
    rig_must(rig, 400, "GET " USERS "?labelSelector=a in", NULL);
    rig_must(rig, 200, "DELETE " USERS "?labelSelector=n=b", NULL);
    rig_must(rig, 200, "GET " USERS, NULL);
    assert_int_equal(json_array_size(json_object_get(rig->body, "items")), 1);
}

/* ------------------------------------------------------------------ watching */

static void on_bytes(void *ctx, struct span bytes)
{
    struct rig *rig = ctx;

    buf_put_span(&rig->watched, bytes);
}

static void on_end(void *ctx)
{
    struct rig *rig = ctx;

    rig->ended = true;
}

static struct kube_watch *begin_watch(struct rig *rig, const char *what)
{
    rig_must(rig, 200, what, NULL);
    struct kube_watch *watch = rig->answer.watch;
    rig->answer.watch = NULL;
    assert_non_null(watch);
    kube_watch_start(watch, on_bytes, on_end, rig);
    return watch;
}

/* The types and names of the events so far: "ADDED a,DELETED a,". */
static void expect_events(struct rig *rig, const char *want)
{
    CLEANUP(buf_free) struct buf have = BUF_INIT(4096);
    const char *line = buf_text(&rig->watched);

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
    buf_reset(&rig->watched);
}

static void a_watch_sees_everything_after_its_revision(void **state)
{
    struct rig *rig = *state;

    rig_make_user(rig, "a");
    CLEANUP_FREE char *what = mem_printf("GET " USERS "?watch=true&resourceVersion=%s",
                                         rig_text(rig, "/metadata/resourceVersion"));
    rig_make_user(rig, "b");
    struct kube_watch *watch = begin_watch(rig, what);
    expect_events(rig, "ADDED b,");
    rig_must(rig, 200, "PATCH " USERS "/a", "{'spec':{'displayName':'x'}}");
    rig_must(rig, 200, "DELETE " USERS "/a", NULL);
    expect_events(rig, "MODIFIED a,DELETED a,");
    kube_watch_free(watch);
    rig_make_user(rig, "c");
    expect_events(rig, "");
}

static void a_watch_without_a_revision_begins_with_what_is_there(void **state)
{
    struct rig *rig = *state;

    rig_make_user(rig, "a");
    struct kube_watch *watch = begin_watch(rig, "GET " USERS "?watch=true");
    expect_events(rig, "ADDED a,");
    kube_watch_free(watch);
    watch = begin_watch(rig, "GET " USERS "?watch=true&sendInitialEvents=true&"
                             "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
    expect_events(rig, "ADDED a,BOOKMARK ,");
    kube_watch_free(watch);
}

static void a_watch_that_selects_shows_coming_and_going(void **state)
{
    struct rig *rig = *state;

    rig_make_user(rig, "a");
    struct kube_watch *watch = begin_watch(rig, "GET " USERS "?watch=true&labelSelector=x=y");
    rig_must(rig, 200, "PATCH " USERS "/a", "{'metadata':{'labels':{'x':'y'}}}");
    rig_must(rig, 200, "PATCH " USERS "/a", "{'metadata':{'labels':{'z':'z'}}}");
    rig_must(rig, 200, "PATCH " USERS "/a", "{'metadata':{'labels':{'x':null}}}");
    rig_must(rig, 200, "DELETE " USERS "/a", NULL);
    expect_events(rig, "ADDED a,MODIFIED a,DELETED a,");
    kube_watch_free(watch);
}

static void a_watch_ends_when_its_time_is_over(void **state)
{
    struct rig *rig = *state;
    struct kube_watch *watch = begin_watch(rig, "GET " USERS "?watch=true&timeoutSeconds=1");

    kube_server_tick(rig->server);
    assert_false(rig->ended);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 100000000}, NULL);
    kube_server_tick(rig->server);
    assert_true(rig->ended);
    kube_watch_free(watch);
}

static void a_watch_of_a_lost_past_is_expired(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;

    rig_make_user(rig, "a");
    rig_make_user(rig, "b");
    int64_t now = rig->storage->revision(rig->storage->ctx);
    if (rig_over_store) {
        while (store_compact_slice(rig->fixture.store, now, 100, &err) == 1)
            continue;
        assert_int_equal(store_flush(rig->fixture.store, &err), 0);
    } else {
        kube_memory_compact(rig->memory, now);
    }
    rig_must(rig, 410, "GET " USERS "?watch=true&resourceVersion=1", NULL);
    assert_string_equal(rig_text(rig, "/reason"), "Expired");
}

/* ------------------------------------------------------------------ for the role */

static void a_role_writes_its_own_objects(void **state)
{
    struct rig *rig = *state;
    CLEANUP_JSON json_t *object = json_pack("{s:{s:s}}", "metadata", "name", "own");
    CLEANUP_JSON json_t *status = json_pack("{s:b}", "passwordSet", 1);
    CLEANUP_JSON json_t *wrong = json_pack("{s:s}", "passwordSet", "yes");
    CLEANUP_JSON json_t *read = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(kube_object_put(rig->server, &kube_user, object, &err), 0);
    assert_int_equal(kube_object_put(rig->server, &kube_user, object, &err), 0);
    assert_int_equal(kube_object_put_status(rig->server, &kube_user, "", "own", status, &err), 0);
    assert_int_equal(kube_object_put_status(rig->server, &kube_user, "", "own", wrong, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    /* The object that was put is now an old state. */
    err_clear(&err);
    assert_int_equal(kube_object_put(rig->server, &kube_user, object, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    err_clear(&err);
    assert_int_equal(kube_object_get(rig->server, &kube_user, "", "own", &read, &err), 0);
    assert_true(json_is_true(codec_json_at(read, "status", "passwordSet", NULL)));
    assert_int_equal(kube_object_delete(rig->server, &kube_user, "", "own", &err), 0);
    assert_int_equal(kube_object_delete(rig->server, &kube_user, "", "own", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, rig_start, rig_stop)
    const struct CMUnitTest tests[] = {
        CASE(lists_come_in_pages),
        CASE(some_fields_are_found_by_an_index),
        CASE(lists_select),
        CASE(a_watch_sees_everything_after_its_revision),
        CASE(a_watch_without_a_revision_begins_with_what_is_there),
        CASE(a_watch_that_selects_shows_coming_and_going),
        CASE(a_watch_ends_when_its_time_is_over),
        CASE(a_watch_of_a_lost_past_is_expired),
        CASE(a_role_writes_its_own_objects),
    };
    struct err err = ERR_INIT;

    rig_over_store = argc > 1 && strcmp(argv[1], "store") == 0;
    if (secret_heap_init(&err) < 0)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
