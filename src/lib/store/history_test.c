/* SPDX-License-Identifier: Apache-2.0 */
/* Watches, compaction, keys, anchors and the scrub. */
#include "store/suite.h"

#include "base/mem.h"

static struct store_key app(const char *name)
{
    return fixture_key("configmaps", "default", name);
}

static void fill(struct fixture *fixture, unsigned count)
{
    char name[16];

    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%u", i);
        fixture_put(fixture, fixture_key("pods", i % 3 == 0 ? "a" : "b", name), name);
    }
    fixture_flush(fixture);
}

static size_t count_pods(struct fixture *fixture)
{
    struct store_list query = {.collection = "pods"};
    struct store_page page;
    struct err err = ERR_INIT;

    assert_int_equal(store_list(fixture->store, &query, fixture->arena, &page, &err), 0);
    assert_int_equal(page.damaged, 0);
    return page.count;
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

    fill(fixture, 30);
    unsigned made = fixture->keys_made;
    assert_int_equal(store_rekey(fixture->store, "pods", &err), 0);
    assert_int_equal(store_rekey(fixture->store, STORE_SELF, &err), 0);
    fixture_put(fixture, fixture_key("pods", "a", "30"), "x");
    fixture_flush(fixture);
    assert_int_equal(fixture->keys_made, made + 2);
    fixture_open(fixture);
    assert_int_equal(count_pods(fixture), 31);
    store_head(fixture->store, &before);
    while (store_rewrap_slice(fixture->store, "pods", 7, &err) > 0)
        fixture_flush(fixture);
    while (store_rewrap_slice(fixture->store, STORE_SELF, 7, &err) > 0)
        fixture_flush(fixture);
    fixture_flush(fixture);
    store_head(fixture->store, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    fixture_open(fixture);
    assert_int_equal(count_pods(fixture), 31);
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

static const struct CMUnitTest tests[] = {
    SUITE_TEST(watchers_hear_after_the_flush_in_order),
    SUITE_TEST(what_was_discarded_is_never_heard),
    SUITE_TEST(many_events_are_replayed_in_slices),
    SUITE_TEST(history_ends_where_it_was_compacted),
    SUITE_TEST(a_watcher_may_leave_from_its_own_event),
    SUITE_TEST(new_keys_seal_and_old_ones_still_open),
    SUITE_TEST(a_discarded_key_is_forgotten),
    SUITE_TEST(sealed_keys_are_a_clear_error),
    SUITE_TEST(an_anchor_refuses_an_older_head),
    SUITE_TEST(a_scrub_goes_on_while_records_change),
};

SUITE_MAIN("store history", tests)
