/* SPDX-License-Identifier: Apache-2.0 */
/* What every backend must do. The first argument names the backend. */
#include "store/fixture.h"

#include "base/mem.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char cluster[64];
static bool use_postgres;

static int start(void **state)
{
    static struct fixture fixture;

    fixture_start(&fixture);
    if (use_postgres)
        fixture_use_postgres(&fixture, cluster);
    fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int stop(void **state)
{
    fixture_stop(*state);
    return 0;
}

static struct store_key app(const char *name)
{
    return fixture_key("configmaps", "default", name);
}

static int commit(struct fixture *fixture, const struct store_check *check,
                  const struct store_change *change, struct store_result *result, struct err *err)
{
    struct store_txn txn = {.checks = check,
                            .check_count = check != NULL,
                            .changes = change,
                            .change_count = change != NULL};

    return store_txn_commit(fixture->store, &txn, result, err);
}

/* ------------------------------------------------------------------ records */

static void a_record_knows_its_revisions(void **state)
{
    struct fixture *fixture = *state;
    struct store_record record;
    struct err err = ERR_INIT;

    fixture_put(fixture, app("app"), "one");
    int64_t created = store_revision(fixture->store);
    fixture_put(fixture, app("other"), "x");
    fixture_put(fixture, app("app"), "two");
    assert_int_equal(store_get(fixture->store, app("app"), fixture->arena, &record, &err), 0);
    assert_string_equal(record.key.collection, "configmaps");
    assert_string_equal(record.key.scope, "default");
    assert_string_equal(record.key.name, "app");
    assert_true(span_eq_str(record.value, "two"));
    assert_int_equal(record.create_revision, created);
    assert_int_equal(record.mod_revision, created + 2);
    assert_int_equal(record.version, 2);
    assert_int_equal(store_delete(fixture->store, app("app"), &err), 0);
    fixture_put(fixture, app("app"), "three");
    assert_int_equal(store_get(fixture->store, app("app"), fixture->arena, &record, &err), 0);
    assert_int_equal(record.version, 1);
    assert_int_equal(record.create_revision, record.mod_revision);
    fixture_flush(fixture);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct store_record record;
    struct err err = ERR_INIT;

    assert_int_equal(store_get(fixture->store, app("app"), fixture->arena, &record, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.msg, "configmaps default/app not found");
    fixture_put(fixture, app("app"), "");
    assert_string_equal(fixture_value(fixture, app("app")), "");
    assert_null(fixture_value(fixture, fixture_key("configmaps", "other", "app")));
    assert_null(fixture_value(fixture, fixture_key("secrets", "default", "app")));
    assert_null(fixture_value(fixture, fixture_key("configmaps", "", "app")));
}

static void names_and_sizes_have_limits(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP_FREE char *big = mem_new(STORE_VALUE_MAX + 1);
    CLEANUP_FREE char *name = mem_new(STORE_NAME_MAX + 2);
    struct err err = ERR_INIT;

    memset(big, 'x', STORE_VALUE_MAX + 1);
    memset(name, 'n', STORE_NAME_MAX + 1);
    struct span value = span_of(big, STORE_VALUE_MAX);
    assert_int_equal(store_put(fixture->store, app(name), value, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    name[STORE_NAME_MAX] = '\0';
    assert_int_equal(store_put(fixture->store, app(name), value, &err), 0);
    assert_int_equal(strlen(fixture_value(fixture, app(name))), STORE_VALUE_MAX);
    value.len++;
    assert_int_equal(store_put(fixture->store, app(name), value, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_int_equal(store_put(fixture->store, fixture_key("", "", "a"), value, &err), -1);
    assert_int_equal(store_put(fixture->store, app(""), value, &err), -1);
    assert_int_equal(
        store_put(fixture->store, fixture_key(STORE_SELF, "", "a"), span_str(""), &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    fixture_flush(fixture);
}

/* ------------------------------------------------------------------ transactions */

static void checks_compare_before_anything_changes(void **state)
{
    struct fixture *fixture = *state;
    struct store_change put = {.key = app("app"), .value = span_str("new")};
    struct store_check absent = {.key = app("app"), .is = STORE_ABSENT};
    struct store_check exists = {.key = app("app"), .is = STORE_EXISTS};
    struct store_check at = {.key = app("app"), .is = STORE_AT_REVISION};
    struct store_result result;
    struct err err = ERR_INIT;

    assert_int_equal(commit(fixture, &exists, &put, &result, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(result.failed_check, 0);
    assert_int_equal(commit(fixture, &at, &put, &result, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(commit(fixture, &absent, &put, &result, &err), 0);
    assert_int_equal(result.changed, 1);
    assert_int_equal(result.revision, store_revision(fixture->store));
    at.mod_revision = result.revision;
    assert_int_equal(commit(fixture, &absent, &put, &result, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_int_equal(commit(fixture, &at, &put, &result, &err), 0);
    assert_int_equal(commit(fixture, &at, &put, &result, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_int_equal(commit(fixture, &exists, NULL, &result, &err), 0);
    assert_int_equal(result.revision, store_revision(fixture->store));
    fixture_flush(fixture);
}

static void a_transaction_has_one_revision(void **state)
{
    struct fixture *fixture = *state;
    struct store_change changes[] = {
        {.key = app("a"), .value = span_str("1")},
        {.key = fixture_key("secrets", "default", "a"), .value = span_str("2")},
        {.key = app("gone"), .remove = true},
        {.key = app("old"), .remove = true},
    };
    struct store_txn txn = {.changes = changes, .change_count = ARRAY_LEN(changes)};
    struct store_result result;
    struct store_record record;
    struct err err = ERR_INIT;

    fixture_put(fixture, app("old"), "0");
    assert_int_equal(store_txn_commit(fixture->store, &txn, &result, &err), 0);
    assert_int_equal(result.changed, 3);
    assert_int_equal(store_get(fixture->store, app("a"), fixture->arena, &record, &err), 0);
    assert_int_equal(record.mod_revision, result.revision);
    assert_int_equal(store_get(fixture->store, changes[1].key, fixture->arena, &record, &err), 0);
    assert_int_equal(record.mod_revision, result.revision);
    assert_null(fixture_value(fixture, app("old")));
    changes[2] = changes[0];
    assert_int_equal(store_txn_commit(fixture->store, &txn, &result, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    fixture_flush(fixture);
}

static void a_delete_of_nothing_makes_no_revision(void **state)
{
    struct fixture *fixture = *state;
    struct store_change remove = {.key = app("none"), .remove = true};
    struct store_result result;
    struct err err = ERR_INIT;

    fixture_put(fixture, app("a"), "1");
    fixture_flush(fixture);
    int64_t before = store_revision(fixture->store);
    assert_int_equal(commit(fixture, NULL, &remove, &result, &err), 0);
    assert_int_equal(result.changed, 0);
    assert_int_equal(result.revision, before);
    fixture_flush(fixture);
    assert_int_equal(store_revision(fixture->store), before);
}

static void nothing_stays_that_was_not_flushed(void **state)
{
    struct fixture *fixture = *state;

    fixture_put(fixture, app("kept"), "1");
    assert_true(store_needs_flush(fixture->store));
    fixture_flush(fixture);
    assert_false(store_needs_flush(fixture->store));
    int64_t durable = store_revision(fixture->store);
    fixture_put(fixture, app("kept"), "2");
    fixture_put(fixture, fixture_key("fresh", "", "x"), "2");
    assert_string_equal(fixture_value(fixture, app("kept")), "2");
    store_discard(fixture->store);
    assert_string_equal(fixture_value(fixture, app("kept")), "1");
    assert_null(fixture_value(fixture, fixture_key("fresh", "", "x")));
    assert_int_equal(store_revision(fixture->store), durable);
    fixture_put(fixture, fixture_key("fresh", "", "x"), "3");
    fixture_open(fixture);
    assert_int_equal(store_revision(fixture->store), durable);
    fixture_put(fixture, fixture_key("fresh", "", "x"), "4");
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, fixture_key("fresh", "", "x")), "4");
}

/* ------------------------------------------------------------------ lists */

static size_t list_all(struct fixture *fixture, struct store_list query, size_t page_size,
                       bool seen[100])
{
    struct store_page page;
    struct err err = ERR_INIT;
    size_t count = 0;

    query.limit = page_size;
    memset(seen, 0, 100 * sizeof(*seen));
    do {
        assert_int_equal(store_list(fixture->store, &query, fixture->arena, &page, &err), 0);
        assert_true(page.count <= page_size);
        for (size_t i = 0; i < page.count; i++) {
            size_t n = (size_t)strtoul(page.records[i].key.name, NULL, 10);
            assert_false(seen[n]);
            seen[n] = true;
        }
        count += page.count;
        query.from = page.next;
    } while (page.next != NULL);
    return count;
}

static void fill(struct fixture *fixture, unsigned count)
{
    char name[16];
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%u", i);
        struct store_change put = {.key = {"pods", i % 3 == 0 ? "a" : "b", name},
                                   .value = span_str(name),
                                   .terms = {i % 2 == 0 ? "node=even" : "node=odd", "all"},
                                   .term_count = 2};
        assert_int_equal(commit(fixture, NULL, &put, NULL, &err), 0);
    }
    fixture_flush(fixture);
}

static void lists_give_every_record_once(void **state)
{
    struct fixture *fixture = *state;
    bool seen[100];

    fill(fixture, 60);
    fixture_put(fixture, fixture_key("services", "a", "99"), "x");
    for (size_t size = 1; size < 70; size += 7) {
        assert_int_equal(list_all(fixture, (struct store_list){"pods"}, size, seen), 60);
        assert_int_equal(list_all(fixture, (struct store_list){"pods", "a"}, size, seen), 20);
        assert_int_equal(list_all(fixture, (struct store_list){"pods", "b"}, size, seen), 40);
        assert_int_equal(list_all(fixture, (struct store_list){"pods", ""}, size, seen), 0);
        assert_int_equal(list_all(fixture, (struct store_list){"none"}, size, seen), 0);
    }
}

static void terms_find_their_records(void **state)
{
    struct fixture *fixture = *state;
    struct store_list even = {.collection = "pods", .term = "node=even"};
    struct store_list odd = {.collection = "pods", .term = "node=odd"};
    struct store_list odd_a = {.collection = "pods", .scope = "a", .term = "node=odd"};
    struct store_change moved = {.key = {"pods", "b", "2"}, .terms = {"node=odd"}, .term_count = 1};
    bool seen[100];
    struct err err = ERR_INIT;

    fill(fixture, 60);
    assert_int_equal(list_all(fixture, even, 7, seen), 30);
    assert_int_equal(list_all(fixture, odd_a, 7, seen), 10);
    assert_int_equal(commit(fixture, NULL, &moved, NULL, &err), 0);
    assert_int_equal(store_delete(fixture->store, fixture_key("pods", "b", "4"), &err), 0);
    assert_int_equal(list_all(fixture, even, 7, seen), 28);
    assert_int_equal(list_all(fixture, odd, 7, seen), 31);
    assert_true(seen[2]);
    odd.term = "all";
    assert_int_equal(list_all(fixture, odd, 7, seen), 58);
    odd.collection = "services";
    assert_int_equal(list_all(fixture, odd, 7, seen), 0);
    fixture_flush(fixture);
    assert_int_equal(fixture_scrub(fixture, &err), 0);
}

static void a_page_ends_when_it_is_heavy(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP_FREE char *big = mem_new(STORE_VALUE_MAX);
    struct store_list query = {.collection = "big"};
    struct store_page page;
    struct err err = ERR_INIT;
    char name[16];

    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(store_put(fixture->store, fixture_key("big", "", name),
                                   span_of(big, STORE_VALUE_MAX), &err),
                         0);
    }
    fixture_flush(fixture);
    assert_int_equal(store_list(fixture->store, &query, fixture->arena, &page, &err), 0);
    assert_int_equal(page.count, 3);
    assert_non_null(page.next);
}

static void a_forged_position_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_list query = {.collection = "pods", .from = "AAAA"};
    struct store_page page;
    struct err err = ERR_INIT;

    fill(fixture, 3);
    assert_int_equal(store_list(fixture->store, &query, fixture->arena, &page, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    query.from = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_int_equal(store_list(fixture->store, &query, fixture->arena, &page, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

/* ------------------------------------------------------------------ watches */

struct seen {
    struct buf text;
    enum err_code lost;
    struct store_watcher *watcher;
};

static void on_event(void *ctx, const struct store_event *event)
{
    struct seen *seen = ctx;

    buf_printf(&seen->text, "%s%s/%s@%+lld", event->removed ? "-" : "+", event->record->key.scope,
               event->record->key.name, (long long)event->revision);
    if (!event->removed)
        buf_printf(&seen->text, "=%.*s", SPAN_ARG(event->record->value));
    if (event->previous != NULL)
        buf_printf(&seen->text, "(%.*s)", SPAN_ARG(event->previous->value));
    buf_put_str(&seen->text, " ");
}

static void on_lost(void *ctx, const struct err *why)
{
    struct seen *seen = ctx;

    seen->lost = why->code;
}

static int watch(struct fixture *fixture, struct seen *seen, const char *scope, int64_t from,
                 struct err *err)
{
    struct store_watch watch = {.collection = "pods",
                                .scope = scope,
                                .from_revision = from,
                                .on_event = on_event,
                                .on_lost = on_lost,
                                .ctx = seen};

    *seen = (struct seen){.text = BUF_INIT(10000)};
    return store_watch_add(fixture->store, &watch, &seen->watcher, err);
}

static void watchers_hear_after_the_flush_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct seen live;
    struct seen one;
    struct seen replay;
    struct err err = ERR_INIT;

    assert_int_equal(watch(fixture, &live, NULL, 0, &err), 0);
    assert_int_equal(watch(fixture, &one, "b", 0, &err), 0);
    fixture_put(fixture, fixture_key("pods", "a", "x"), "1");
    fixture_put(fixture, fixture_key("pods", "b", "y"), "2");
    fixture_put(fixture, fixture_key("other", "b", "y"), "9");
    fixture_put(fixture, fixture_key("pods", "a", "x"), "3");
    assert_int_equal(store_delete(fixture->store, fixture_key("pods", "a", "x"), &err), 0);
    assert_int_equal(live.text.len, 0);
    fixture_flush(fixture);
    assert_string_equal(buf_text(&live.text), "+a/x@+2=1 +b/y@+3=2 +a/x@+6=3(1) -a/x@+7(3) ");
    assert_string_equal(buf_text(&one.text), "+b/y@+3=2 ");
    assert_int_equal(watch(fixture, &replay, NULL, 3, &err), 0);
    assert_string_equal(buf_text(&replay.text), "+b/y@+3=2 +a/x@+6=3(1) -a/x@+7(3) ");
    store_watch_remove(one.watcher);
    fixture_put(fixture, fixture_key("pods", "b", "y"), "4");
    fixture_flush(fixture);
    assert_string_equal(buf_text(&one.text), "+b/y@+3=2 ");
    buf_free(&live.text);
    buf_free(&one.text);
    buf_free(&replay.text);
}

static void what_was_discarded_is_never_heard(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen;
    struct err err = ERR_INIT;

    assert_int_equal(watch(fixture, &seen, NULL, 0, &err), 0);
    fixture_put(fixture, fixture_key("pods", "a", "x"), "1");
    store_discard(fixture->store);
    fixture_put(fixture, fixture_key("pods", "a", "x"), "2");
    fixture_flush(fixture);
    assert_string_equal(buf_text(&seen.text), "+a/x@+2=2 ");
    buf_free(&seen.text);
}

static void many_events_are_replayed_in_slices(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen;
    struct err err = ERR_INIT;

    fill(fixture, 90);
    fill(fixture, 90);
    fill(fixture, 90);
    assert_int_equal(watch(fixture, &seen, NULL, 1, &err), 0);
    size_t events = 0;
    for (size_t i = 0; i < seen.text.len; i++)
        events += seen.text.data[i] == ' ';
    assert_int_equal(events, 270);
    buf_free(&seen.text);
}

static void history_ends_where_it_was_compacted(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen;
    struct seen late;
    struct store_stats stats;
    struct err err = ERR_INIT;

    fixture_put(fixture, fixture_key("pods", "a", "x"), "1");
    fixture_put(fixture, fixture_key("pods", "a", "x"), "2");
    fixture_put(fixture, fixture_key("pods", "a", "y"), "3");
    fixture_put(fixture, fixture_key("pods", "a", "x"), "4");
    assert_int_equal(store_delete(fixture->store, fixture_key("pods", "a", "y"), &err), 0);
    fixture_flush(fixture);
    int64_t compacted = store_revision(fixture->store) - 2;
    while (store_compact_slice(fixture->store, compacted, 1, &err) > 0)
        fixture_flush(fixture);
    fixture_flush(fixture);
    assert_int_equal(watch(fixture, &seen, NULL, compacted, &err), -1);
    assert_int_equal(err.code, ERR_GONE);
    assert_int_equal(watch(fixture, &late, NULL, compacted + 1, &err), 0);
    assert_string_equal(buf_text(&late.text), "+a/x@+5=4(2) -a/y@+6(3) ");
    assert_string_equal(fixture_value(fixture, fixture_key("pods", "a", "x")), "4");
    assert_int_equal(fixture_scrub(fixture, &err), 0);
    assert_int_equal(store_compact_slice(fixture->store, 1000, 1000, &err), 0);
    fixture_flush(fixture);
    store_stats(fixture->store, &stats);
    assert_int_equal(stats.compacted_revision, store_revision(fixture->store));
    assert_int_equal(fixture_scrub(fixture, &err), 0);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, fixture_key("pods", "a", "x")), "4");
    buf_free(&late.text);
}

static void add_another(void *ctx, const struct store_event *event)
{
    struct seen *seen = ctx;

    on_event(ctx, event);
    store_watch_remove(seen->watcher);
    seen->watcher = NULL;
}

static void a_watcher_may_leave_from_its_own_event(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {.text = BUF_INIT(1000)};
    struct store_watch watch = {.collection = "pods", .on_event = add_another, .ctx = &seen};
    struct store_stats stats;
    struct err err = ERR_INIT;

    assert_int_equal(store_watch_add(fixture->store, &watch, &seen.watcher, &err), 0);
    fixture_put(fixture, fixture_key("pods", "a", "x"), "1");
    fixture_put(fixture, fixture_key("pods", "a", "y"), "2");
    fixture_flush(fixture);
    assert_string_equal(buf_text(&seen.text), "+a/x@+2=1 ");
    store_stats(fixture->store, &stats);
    assert_int_equal(stats.watchers, 0);
    buf_free(&seen.text);
}

/* ------------------------------------------------------------------ keys, anchors, scrub */

static void new_keys_seal_and_old_ones_still_open(void **state)
{
    struct fixture *fixture = *state;
    struct store_head before;
    struct store_head after;
    struct err err = ERR_INIT;
    bool seen[100];

    fill(fixture, 30);
    unsigned made = fixture->keys_made;
    assert_int_equal(store_rekey(fixture->store, "pods", &err), 0);
    assert_int_equal(store_rekey(fixture->store, STORE_SELF, &err), 0);
    fixture_put(fixture, fixture_key("pods", "a", "30"), "x");
    fixture_flush(fixture);
    assert_int_equal(fixture->keys_made, made + 2);
    fixture_open(fixture);
    assert_int_equal(list_all(fixture, (struct store_list){"pods"}, 10, seen), 31);
    store_head(fixture->store, &before);
    while (store_rewrap_slice(fixture->store, "pods", 7, &err) > 0)
        fixture_flush(fixture);
    fixture_flush(fixture);
    store_head(fixture->store, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    fixture_open(fixture);
    assert_int_equal(list_all(fixture, (struct store_list){"pods"}, 10, seen), 31);
    assert_int_equal(fixture_scrub(fixture, &err), 0);
    assert_int_equal(store_rekey(fixture->store, "nothing", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void a_discarded_key_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;

    fill(fixture, 2);
    assert_int_equal(store_rekey(fixture->store, "pods", &err), 0);
    assert_int_equal(store_rekey(fixture->store, STORE_SELF, &err), 0);
    store_discard(fixture->store);
    fixture_put(fixture, fixture_key("pods", "a", "1"), "x");
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, fixture_key("pods", "a", "1")), "x");
}

static void sealed_keys_are_a_clear_error(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;

    fixture->keys_refused = true;
    assert_int_equal(store_put(fixture->store, app("a"), span_str("x"), &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    fixture_flush(fixture);
    assert_int_equal(fixture_try_open(fixture, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    fixture->keys_refused = false;
    fixture_open(fixture);
    fixture_put(fixture, app("a"), "x");
    fixture_flush(fixture);
}

static void an_anchor_refuses_an_older_head(void **state)
{
    struct fixture *fixture = *state;
    struct store_head head;
    struct err err = ERR_INIT;

    fixture_put(fixture, app("a"), "1");
    fixture_flush(fixture);
    store_head(fixture->store, &head);
    fixture->config.least = head;
    fixture_open(fixture);
    fixture_put(fixture, app("a"), "2");
    fixture_flush(fixture);
    fixture_open(fixture);
    fixture->config.least.revision = 1000;
    assert_int_equal(fixture_try_open(fixture, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.msg, "rolled back"));
    fixture->config.least.revision = head.revision + 1;
    assert_int_equal(fixture_try_open(fixture, &err), -1);
    assert_non_null(strstr(err.msg, "another history"));
    fixture->config.accept_loss = true;
    fixture->config.least.revision = 1000;
    fixture_open(fixture);
    assert_true(store_revision(fixture->store) > 1000);
    assert_string_equal(fixture_value(fixture, app("a")), "2");
}

static void a_scrub_goes_on_while_records_change(void **state)
{
    struct fixture *fixture = *state;
    struct store_stats stats;
    struct err err = ERR_INIT;
    char name[16];
    int more = 1;

    fill(fixture, 90);
    for (unsigned i = 0; more > 0; i++) {
        more = store_scrub(fixture->store, 5, &err);
        snprintf(name, sizeof(name), "%u", i % 120);
        if (more > 0 && i < 200) {
            fixture_put(fixture, fixture_key("pods", "a", name), "again");
            snprintf(name, sizeof(name), "%u", (i * 7) % 90);
            assert_int_equal(store_delete(fixture->store, fixture_key("pods", "b", name), &err), 0);
            if (i % 5 == 4)
                store_discard(fixture->store);
            else
                fixture_flush(fixture);
        }
    }
    assert_int_equal(more, 0);
    assert_int_equal(fixture_scrub(fixture, &err), 0);
    store_stats(fixture->store, &stats);
    assert_true(stats.verified);
    assert_int_equal(stats.damaged, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_knows_its_revisions, start, stop),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_not_found, start, stop),
        cmocka_unit_test_setup_teardown(names_and_sizes_have_limits, start, stop),
        cmocka_unit_test_setup_teardown(checks_compare_before_anything_changes, start, stop),
        cmocka_unit_test_setup_teardown(a_transaction_has_one_revision, start, stop),
        cmocka_unit_test_setup_teardown(a_delete_of_nothing_makes_no_revision, start, stop),
        cmocka_unit_test_setup_teardown(nothing_stays_that_was_not_flushed, start, stop),
        cmocka_unit_test_setup_teardown(lists_give_every_record_once, start, stop),
        cmocka_unit_test_setup_teardown(terms_find_their_records, start, stop),
        cmocka_unit_test_setup_teardown(a_page_ends_when_it_is_heavy, start, stop),
        cmocka_unit_test_setup_teardown(a_forged_position_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(watchers_hear_after_the_flush_in_order, start, stop),
        cmocka_unit_test_setup_teardown(what_was_discarded_is_never_heard, start, stop),
        cmocka_unit_test_setup_teardown(many_events_are_replayed_in_slices, start, stop),
        cmocka_unit_test_setup_teardown(history_ends_where_it_was_compacted, start, stop),
        cmocka_unit_test_setup_teardown(a_watcher_may_leave_from_its_own_event, start, stop),
        cmocka_unit_test_setup_teardown(new_keys_seal_and_old_ones_still_open, start, stop),
        cmocka_unit_test_setup_teardown(a_discarded_key_is_forgotten, start, stop),
        cmocka_unit_test_setup_teardown(sealed_keys_are_a_clear_error, start, stop),
        cmocka_unit_test_setup_teardown(an_anchor_refuses_an_older_head, start, stop),
        cmocka_unit_test_setup_teardown(a_scrub_goes_on_while_records_change, start, stop),
    };
    pid_t server = 0;

    use_postgres = argc > 1 && strcmp(argv[1], "postgresql") == 0;
    if (use_postgres) {
        const char *none = fixture_postgres_start(cluster, &server);
        if (none != NULL) {
            printf("1..0 # SKIP %s\n", none);
            return 0;
        }
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests_name("store", tests, NULL, NULL);
    if (use_postgres)
        fixture_postgres_stop(cluster, server);
    return failed;
}
