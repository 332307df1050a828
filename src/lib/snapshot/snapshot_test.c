/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "snapshot/format.h"
#include "snapshot/identity_records.h"
#include "snapshot/policy_records.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t pepper[IDENTITY_PEPPER_LEN] = "0123456789abcdef0123456789abcde";

/* OpenSSL's SipHash takes the numbers of rounds as parameters: it is the reference. */
static uint64_t reference_hash(const struct hash_key *key, struct span bytes)
{
    unsigned c = 1;
    unsigned d = 3;
    size_t size = sizeof(uint64_t);
    uint64_t hash = 0;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                           OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c),
                           OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

    assert_int_equal(EVP_MAC_init(ctx, (const uint8_t *)key, sizeof(*key), params), 1);
    assert_int_equal(EVP_MAC_update(ctx, bytes.p, bytes.len), 1);
    assert_int_equal(EVP_MAC_final(ctx, (uint8_t *)&hash, &size, sizeof(hash)), 1);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return hash;
}

static void hash_is_siphash_1_3(void **state UNUSED)
{
    struct hash_key key = {.k0 = 0x0706050403020100, .k1 = 0x0f0e0d0c0b0a0908};
    uint8_t bytes[64];

    for (uint8_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i;
        assert_true(hash_bytes(&key, span_of(bytes, i)) == reference_hash(&key, span_of(bytes, i)));
    }
}

static struct identity_api_key some_key(const char *text, const char *id)
{
    static const char *const groups[] = {"ml", "dev"};
    static const char *const models[] = {"team-a/llama*"};
    static const char *const cidrs[] = {"10.0.0.0/8", "::1"};
    struct identity_api_key key = {
        .id = id,
        .name = "laptop",
        .namespace = "team-a",
        .user = "alice",
        .uid = "u-1",
        .groups = {groups, 2},
        .models = {models, 1},
        .cidrs = {cidrs, 2},
        .expires_at = 99,
        .requests_per_min = 7,
    };

    identity_key_digest(pepper, span_str(text), key.digest);
    return key;
}

static void put_identity(struct buf *file)
{
    CLEANUP(identity_builder_free_ptr)
    struct identity_builder *builder = identity_builder_new(pepper);
    struct err err = ERR_INIT;

    assert_int_equal(identity_builder_set_issuer(builder, "https://h", "drun", &err), 0);
    for (int i = 0; i < 100; i++) {
        CLEANUP_FREE char *id = mem_printf("key-%d", i);
        struct identity_api_key key = some_key(id, id);
        assert_int_equal(identity_builder_add_api_key(builder, &key, &err), 0);
    }
    assert_int_equal(identity_builder_add_token_key(builder, "k1", span_str("spki"), &err), 0);
    assert_int_equal(identity_builder_revoke_session(builder, "s1", &err), 0);
    assert_int_equal(identity_builder_revoke_session(builder, "s1", &err), 0);
    assert_int_equal(identity_builder_revoke_token(builder, "t1", &err), 0);
    assert_int_equal(identity_builder_void_user(builder, "bob", 50, &err), 0);
    assert_int_equal(identity_builder_void_user(builder, "bob", 40, &err), 0);
    assert_int_equal(identity_builder_disable_user(builder, "bob", &err), 0);
    assert_int_equal(identity_builder_finish(builder, file, &err), 0);
}

static struct snapshot *loaded(const struct snapshot_type *type, const struct buf *file)
{
    struct snapshot *snapshot = NULL;
    struct err err = ERR_INIT;

    if (snapshot_from_bytes(type, buf_span(file), &snapshot, &err) < 0)
        fail_msg("%s", err.msg);
    return snapshot;
}

static void identities_are_found_again(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    uint8_t digest[IDENTITY_DIGEST_LEN];

    put_identity(&file);
    CLEANUP(snapshot_free_ptr) struct snapshot *view = loaded(&identity_snapshot, &file);
    for (int i = 0; i < 100; i++) {
        CLEANUP_FREE char *id = mem_printf("key-%d", i);
        identity_key_digest(pepper, span_str(id), digest);
        const struct identity_key_record *key = identity_find_key(view, digest);
        assert_non_null(key);
        assert_true(span_eq_str(snapshot_text(view, key->id), id));
        assert_true(span_eq_str(snapshot_text(view, key->user), "alice"));
        assert_int_equal(key->groups.count, 2);
    }
    identity_key_digest(pepper, span_str("key-100"), digest);
    assert_null(identity_find_key(view, digest));
    const struct identity_user *bob = identity_find_user(view, span_str("bob"));
    assert_non_null(bob);
    assert_int_equal(bob->void_before, 50);
    assert_int_equal(bob->disabled, 1);
    assert_null(identity_find_user(view, span_str("alice")));
    assert_true(identity_is_revoked(view, IDENTITY_SESSION_TABLE, span_str("s1")));
    assert_false(identity_is_revoked(view, IDENTITY_SESSION_TABLE, span_str("t1")));
    assert_true(identity_is_revoked(view, IDENTITY_TOKEN_TABLE, span_str("t1")));
}

static void a_key_that_a_principal_cannot_hold_is_refused(void **state UNUSED)
{
    CLEANUP(identity_builder_free_ptr)
    struct identity_builder *builder = identity_builder_new(pepper);
    static const char *const bad_range[] = {"10.0.0.1/8"};
    CLEANUP_FREE char *wide = mem_new(3000);
    const char *const groups[] = {wide, wide};
    struct identity_api_key key = some_key("x", "x");
    struct err err = ERR_INIT;

    memset(wide, 'x', 2999);
    key.groups = (struct identity_list){groups, 2};
    assert_int_equal(identity_builder_add_api_key(builder, &key, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    key = some_key("x", "x");
    key.cidrs = (struct identity_list){bad_range, 1};
    assert_int_equal(identity_builder_add_api_key(builder, &key, &err), -1);
    assert_string_equal(err.msg, "\"10.0.0.1/8\" has bits set behind its prefix");
    key = some_key("x", "x");
    assert_int_equal(identity_builder_add_api_key(builder, &key, &err), 0);
    assert_int_equal(identity_builder_add_api_key(builder, &key, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
}

static void put_policy(struct buf *file, unsigned routes)
{
    CLEANUP(policy_builder_free_ptr) struct policy_builder *builder = policy_builder_new();
    static const struct policy_budget_in budgets[] = {
        {"tenant", "month", "", POLICY_TOKENS, POLICY_MONTH, POLICY_SHARED, UINT64_C(1) << 40},
        {"tenant", "users", "model-1", POLICY_REQUESTS, POLICY_DAY, POLICY_EACH_USER, 7, 80},
        {"tenant", "rate", "", POLICY_TOKENS, POLICY_MINUTE, POLICY_SHARED, 900, 0,
         POLICY_SLIDING_WINDOW},
    };
    struct policy_namespace_in first = {
        .name = "team-0", .uid = "n-0", .budgets = budgets, .budget_count = 1};
    struct policy_namespace_in ns = {.name = "team-a",
                                     .uid = "n-1",
                                     .priority = POLICY_PRIORITY_HIGH,
                                     .limits.requests_per_min = 60,
                                     .budgets = budgets,
                                     .budget_count = 3};
    struct err err = ERR_INIT;

    assert_int_equal(policy_builder_add_namespace(builder, &first, &err), 0);
    assert_int_equal(policy_builder_add_namespace(builder, &ns, &err), 0);
    assert_int_equal(policy_builder_add_namespace(builder, &ns, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    for (unsigned i = 0; i < routes; i++) {
        struct policy_guard guard = {.request = {1, 2, 3}};
        CLEANUP_FREE char *name = mem_printf("model-%u", i);
        struct policy_route_in route = {.namespace = "team-a",
                                        .name = name,
                                        .engine_model = "m.gguf",
                                        .socket = "/run/e.sock",
                                        .upstream = "",
                                        .ready = true,
                                        .max_tokens = i,
                                        .remote_media = i == 41,
                                        .guard = i == 0 ? NULL : &guard,
                                        .line = {i, 100, 30000},
                                        .cache = {i == 41 ? "uid/7" : NULL, i, 1 << 18},
                                        .price = {i == 41 ? "EUR" : NULL, {3, 2, 15}}};
        guard.answer[5] = i == 41 ? 3 : 1;
        assert_int_equal(policy_builder_add_route(builder, &route, &err), 0);
    }
    assert_int_equal(policy_builder_finish(builder, file, &err), 0);
}

static void add_service(struct policy_builder *builder, const char *name, uint32_t max_tokens,
                        uint32_t context, uint8_t action)
{
    struct policy_guard guard = {.request = {action}, .answer = {0, action}};
    struct policy_route_in route = {.namespace = "team-a",
                                    .name = name,
                                    .engine_model = "m",
                                    .socket = "/run/e.sock",
                                    .upstream = "",
                                    .ready = action > 0,
                                    .max_tokens = max_tokens,
                                    .context_tokens = context,
                                    .remote_media = action > 0,
                                    .guard = &guard,
                                    .cache = {"v", 60, 4096}};
    struct err err = ERR_INIT;

    assert_int_equal(policy_builder_add_route(builder, &route, &err), 0);
}

static void put_model_route(struct buf *file)
{
    CLEANUP(policy_builder_free_ptr) struct policy_builder *builder = policy_builder_new();
    static const char *const names[] = {"smart", "b", "gpt-4o"};
    static const struct policy_backend_in backends[] = {
        {"c", 1, 2, "", ""}, {"a", 3, 0, "\"top_k\":1", "seed "},
        {"b", 0, 1, "", ""}, {"missing", 9, 0, "", ""},
        {"a", 1, 1, "", ""},
    };
    struct policy_model_route_in in = {.namespace = "team-a",
                                       .name = "smart",
                                       .names = names,
                                       .name_count = 3,
                                       .backends = backends,
                                       .backend_count = 5,
                                       .rules = {.retries = 2, .retry_percent = 20},
                                       .sticky_header = "x-session",
                                       .created_at = 7};
    struct err err = ERR_INIT;

    add_service(builder, "a", 100, 4096, 1);
    add_service(builder, "b", 0, 8192, 3);
    add_service(builder, "c", 50, 2048, 0);
    assert_int_equal(policy_builder_add_model_route(builder, &in, &err), 0);
    assert_int_equal(policy_builder_finish(builder, file, &err), 0);
}

static void a_model_route_demands_what_its_strictest_service_does(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    static const char *const order[] = {"a", "b", "a", "c"};
    struct policy_route route;
    struct policy_routing routing;
    struct policy_backend backend;

    put_model_route(&file);
    CLEANUP(snapshot_free_ptr) struct snapshot *view = loaded(&policy_snapshot, &file);
    assert_true(policy_find_route(view, span_str("team-a"), span_str("gpt-4o"), &route));
    assert_true(route.ready && !route.remote_media);
    assert_int_equal(route.max_tokens, 50);
    assert_int_equal(route.context_tokens, 8192);
    assert_int_equal(route.guard->request[0], 3);
    assert_int_equal(route.guard->answer[1], 3);
    assert_int_equal(route.guard->answer[0], 0);
    assert_int_equal(route.socket.len, 0);
    assert_int_equal(route.cache.ttl_sec, 0);
    policy_routing_of(view, &route, &routing);
    assert_true(span_eq_str(routing.sticky_header, "x-session"));
    assert_int_equal(routing.rules.retries, 2);
    assert_int_equal(routing.backend_count, 4);
    for (size_t i = 0; i < 4; i++) {
        policy_backend_at(view, &routing, i, &backend);
        assert_true(span_eq_str(backend.route.name, order[i]));
    }
    policy_backend_at(view, &routing, 0, &backend);
    assert_int_equal(backend.weight, 3);
    assert_true(span_eq_str(backend.edit_drop, "seed "));
    /* A name of a service stays the service's. */
    assert_true(policy_find_route(view, span_str("team-a"), span_str("b"), &route));
    assert_int_equal(route.routing, 0);
    assert_true(policy_find_route(view, span_str("team-a"), span_str("smart"), &route));
    assert_int_not_equal(route.routing, 0);
}

static void a_service_of_several_engines_has_all_their_sockets(void **state UNUSED)
{
    CLEANUP(policy_builder_free_ptr) struct policy_builder *builder = policy_builder_new();
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    static const char *const sockets[] = {"/run/0.sock", "/run/2.sock", "/run/5.sock"};
    struct policy_route_in in = {.namespace = "team",
                                 .engine_model = "",
                                 .socket = sockets[0],
                                 .upstream = "",
                                 .replicas = sockets};
    static const size_t counts[] = {3, 1, 2};
    static const char *const names[] = {"three", "one", "two"};
    struct policy_route route;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 3; i++) {
        in.name = names[i];
        in.replica_count = counts[i];
        assert_int_equal(policy_builder_add_route(builder, &in, &err), 0);
    }
    assert_int_equal(policy_builder_finish(builder, &file, &err), 0);
    CLEANUP(snapshot_free_ptr) struct snapshot *view = loaded(&policy_snapshot, &file);
    for (size_t i = 0; i < 3; i++) {
        assert_true(policy_find_route(view, span_str("team"), span_str(names[i]), &route));
        /* One engine alone is the route's socket. */
        assert_int_equal(route.replica_count, counts[i] == 1 ? 0 : counts[i]);
        for (size_t k = 0; k < route.replica_count; k++)
            assert_true(span_eq_str(policy_replica_at(view, &route, k), sockets[k]));
    }
}

static void routes_are_found_by_namespace_and_name(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct policy_namespace ns;
    struct policy_route route;

    put_policy(&file, 50);
    CLEANUP(snapshot_free_ptr) struct snapshot *view = loaded(&policy_snapshot, &file);
    assert_true(policy_find_namespace(view, span_str("team-a"), &ns));
    assert_int_equal(ns.limits.requests_per_min, 60);
    assert_int_equal(ns.priority, POLICY_PRIORITY_HIGH);
    assert_false(policy_find_namespace(view, span_str("team-b"), &ns));
    assert_true(policy_find_route(view, span_str("team-a"), span_str("model-41"), &route));
    assert_int_equal(route.max_tokens, 41);
    assert_string_equal((const char *)route.socket.p, "/run/e.sock");
    assert_false(policy_find_route(view, span_str("team-am"), span_str("odel-41"), &route));
    assert_int_equal(policy_route_count(view), 50);
    assert_true(policy_find_route(view, span_str("team-a"), span_str("model-41"), &route));
    assert_true(route.remote_media && route.guard->request[2] == 3 && route.guard->answer[5] == 3);
    assert_true(span_eq_str(route.currency, "EUR") && route.rates.cached_input == 2 &&
                route.rates.output == 15);
    assert_true(route.line.places == 41 && route.line.length == 100);
    assert_true(span_eq_str(route.cache.version, "uid/7") && route.cache.ttl_sec == 41 &&
                route.cache.max_bytes == 1 << 18);
    const struct policy_guard *other = route.guard;
    assert_true(policy_find_route(view, span_str("team-a"), span_str("model-40"), &route));
    assert_true(!route.remote_media && route.guard->answer[5] == 1 && route.guard != other);
    assert_int_equal(route.currency.len, 0);
    /* The same one is there once. */
    other = route.guard;
    assert_true(policy_find_route(view, span_str("team-a"), span_str("model-1"), &route));
    assert_ptr_equal(route.guard, other);
    assert_true(policy_find_route(view, span_str("team-a"), span_str("model-0"), &route));
    assert_null(route.guard);
}

static void a_namespace_has_its_own_budgets(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct policy_namespace ns;
    struct policy_budget budget;

    put_policy(&file, 1);
    CLEANUP(snapshot_free_ptr) struct snapshot *view = loaded(&policy_snapshot, &file);
    assert_true(policy_find_namespace(view, span_str("team-0"), &ns));
    assert_int_equal(ns.budget_count, 1);
    assert_true(policy_find_namespace(view, span_str("team-a"), &ns));
    assert_int_equal(ns.budget_count, 3);
    policy_budget_at(view, &ns, 0, &budget);
    assert_true(budget.limit == UINT64_C(1) << 40);
    assert_int_equal(budget.measure, POLICY_TOKENS);
    assert_int_equal(budget.window, POLICY_MONTH);
    policy_budget_at(view, &ns, 1, &budget);
    assert_string_equal((const char *)budget.policy.p, "tenant");
    assert_string_equal((const char *)budget.rule.p, "users");
    assert_string_equal((const char *)budget.service.p, "model-1");
    assert_int_equal(budget.share, POLICY_EACH_USER);
    assert_int_equal(budget.limit, 7);
    assert_int_equal(budget.alerts, 80);
    assert_int_equal(budget.algorithm, POLICY_CALENDAR);
    policy_budget_at(view, &ns, 2, &budget);
    assert_int_equal(budget.algorithm, POLICY_SLIDING_WINDOW);
}

static void every_flipped_bit_is_noticed(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct snapshot *snapshot = NULL;

    put_policy(&file, 2);
    for (size_t i = 0; i < file.len; i++) {
        struct err err = ERR_INIT;
        file.data[i] ^= (uint8_t)(1U << i % 8);
        assert_int_equal(snapshot_from_bytes(&policy_snapshot, buf_span(&file), &snapshot, &err),
                         -1);
        assert_int_equal(err.code, ERR_CORRUPT);
        file.data[i] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t len = 0; len < file.len; len++) {
        struct err err = ERR_INIT;
        assert_int_equal(
            snapshot_from_bytes(&policy_snapshot, span_of(file.data, len), &snapshot, &err), -1);
    }
}

static void references_out_of_range_are_refused_though_the_checksum_is_right(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct snapshot *snapshot = NULL;
    unsigned refused = 0;

    put_policy(&file, 2);
    for (size_t i = sizeof(struct format_header); i < file.len; i++) {
        struct format_header *header = (struct format_header *)(void *)file.data;
        struct err err = ERR_INIT;
        uint8_t old = file.data[i];
        file.data[i] = 0xff;
        format_digest(file.data, file.len, header->digest);
        if (snapshot_from_bytes(&policy_snapshot, buf_span(&file), &snapshot, &err) < 0)
            refused++;
        else
            snapshot_free(snapshot);
        file.data[i] = old;
    }
    assert_true(refused > 200); /* the rest are bytes of text and numbers that may be anything */
}

/* 0xffffffff and 1 add up to 0, which is within every section. */
static void references_whose_end_overflows_are_refused(void **state UNUSED)
{
    static const uint32_t overflowing[] = {UINT32_MAX, 1};
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct snapshot *snapshot = NULL;
    struct policy_route route;
    uint8_t old[sizeof(overflowing)];

    put_policy(&file, 2);
    for (size_t i = sizeof(struct format_header); i + sizeof(old) <= file.len; i += 4) {
        struct format_header *header = (struct format_header *)(void *)file.data;
        struct err err = ERR_INIT;
        memcpy(old, file.data + i, sizeof(old));
        memcpy(file.data + i, overflowing, sizeof(old));
        format_digest(file.data, file.len, header->digest);
        if (snapshot_from_bytes(&policy_snapshot, buf_span(&file), &snapshot, &err) == 0) {
            policy_route_at(snapshot, 0, &route);
            assert_in_range(route.name.len, 0, SNAPSHOT_TEXT_MAX);
            assert_int_equal(route.name.p[route.name.len], '\0');
            snapshot_free(snapshot);
        }
        memcpy(file.data + i, old, sizeof(old));
    }
}

/* A lookup in such a table would never end. */
static void a_table_without_a_free_slot_is_refused(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct snapshot *snapshot = NULL;
    struct err err = ERR_INIT;

    put_policy(&file, 2);
    struct format_header *header = (struct format_header *)(void *)file.data;
    struct format_section *table = (struct format_section *)(void *)(header + 1);
    table += POLICY_ROUTE_TABLE;
    struct snapshot_slot *slots = (struct snapshot_slot *)(void *)(file.data + table->offset);
    for (uint32_t i = 0; i < table->count; i++)
        slots[i].at = 0;
    format_digest(file.data, file.len, header->digest);
    assert_int_equal(snapshot_from_bytes(&policy_snapshot, buf_span(&file), &snapshot, &err), -1);
    assert_string_equal(err.msg, "policy.snap is refused: its section route table does not hold "
                                 "its records");
}

static void a_snapshot_of_another_type_is_refused(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct snapshot *snapshot = NULL;
    struct err err = ERR_INIT;

    put_policy(&file, 1);
    assert_int_equal(snapshot_from_bytes(&identity_snapshot, buf_span(&file), &snapshot, &err), -1);
    assert_string_equal(err.msg, "identity.snap is refused: it holds something else");
}

/* Whole pages of it are gone, and nothing beside them. */
static void what_is_spent_reads_as_zeros(void **state UNUSED)
{
    enum { PAGE = 4096, LEN = 5 * PAGE };
    static _Alignas(PAGE) uint8_t room[LEN];
    memset(room, 1, LEN);
    struct snapshot snapshot = {.type = &identity_snapshot, .room = room, .len = LEN};
    snapshot_spend(&snapshot, span_of(room + 1, 2 * PAGE + 1));
    for (size_t i = 0; i < LEN; i++)
        assert_int_equal(room[i], i / PAGE == 1 ? 0 : 1);
    snapshot_spend(&snapshot, span_of(room + 3 * PAGE + 1, PAGE));
    assert_int_equal(room[3 * PAGE + 1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_siphash_1_3),
        cmocka_unit_test(identities_are_found_again),
        cmocka_unit_test(a_key_that_a_principal_cannot_hold_is_refused),
        cmocka_unit_test(a_model_route_demands_what_its_strictest_service_does),
        cmocka_unit_test(a_service_of_several_engines_has_all_their_sockets),
        cmocka_unit_test(routes_are_found_by_namespace_and_name),
        cmocka_unit_test(a_namespace_has_its_own_budgets),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(references_out_of_range_are_refused_though_the_checksum_is_right),
        cmocka_unit_test(references_whose_end_overflows_are_refused),
        cmocka_unit_test(a_table_without_a_free_slot_is_refused),
        cmocka_unit_test(a_snapshot_of_another_type_is_refused),
        cmocka_unit_test(what_is_spent_reads_as_zeros),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
