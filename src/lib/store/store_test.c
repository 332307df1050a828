/* SPDX-License-Identifier: Apache-2.0 */
/* Records, transactions and lists. */
#include "store/suite.h"

#include "base/mem.h"

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

static const struct CMUnitTest tests[] = {
    SUITE_TEST(a_record_knows_its_revisions),
    SUITE_TEST(what_is_not_there_is_not_found),
    SUITE_TEST(names_and_sizes_have_limits),
    SUITE_TEST(checks_compare_before_anything_changes),
    SUITE_TEST(a_transaction_has_one_revision),
    SUITE_TEST(a_delete_of_nothing_makes_no_revision),
    SUITE_TEST(nothing_stays_that_was_not_flushed),
    SUITE_TEST(lists_give_every_record_once),
    SUITE_TEST(terms_find_their_records),
    SUITE_TEST(a_page_ends_when_it_is_heavy),
    SUITE_TEST(a_forged_position_is_refused),
};

SUITE_MAIN("store", tests)
