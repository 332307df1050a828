/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_internal.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "snapshot/identity.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW = 1800000000 };

static const uint8_t pepper[IDENTITY_PEPPER_LEN] = "0123456789abcdef0123456789abcde";
static const char issuer[] = "https://drun.test";

/* A directory, its publisher, and who checks. */
struct world {
    char dir[32];
    struct snapshot_publisher *publisher;
    struct auth *auth;
    struct sign_key *pair;
    char key[AUTH_KEY_SIZE];
};

static int setup(void **state)
{
    struct world *world = mem_new(sizeof(*world));
    struct err err = ERR_INIT;

    assert_int_equal(secret_heap_init(&err), 0);
    memcpy(world->dir, "/tmp/auth_test.XXXXXX", sizeof("/tmp/auth_test.XXXXXX"));
    assert_non_null(mkdtemp(world->dir));
    int read_fd = fd_open_dir(AT_FDCWD, world->dir, &err);
    int write_fd = fd_open_dir(AT_FDCWD, world->dir, &err);
    assert_int_equal(
        snapshot_publisher_open(&identity_snapshot, &write_fd, &world->publisher, &err), 0);
    world->auth = auth_new(&read_fd, 16);
    assert_int_equal(sign_key_generate(SIGN_ES256, &world->pair, &err), 0);
    assert_int_equal(auth_key_generate(world->key, &err), 0);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    CLEANUP_FREE char *snap = mem_printf("%s/identity.snap", world->dir);
    CLEANUP_FREE char *gen = mem_printf("%s/identity.gen", world->dir);

    unlink(snap);
    unlink(gen);
    rmdir(world->dir);
    auth_free(world->auth);
    snapshot_publisher_free(world->publisher);
    sign_key_free(world->pair);
    free(world);
    return 0;
}

/* A builder with the issuer, the token key and nothing else. */
static struct identity_builder *new_builder(const struct world *world, const struct sign_key *pair)
{
    struct identity_builder *builder = identity_builder_new(pepper);
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct err err = ERR_INIT;

    (void)world;
    assert_int_equal(identity_builder_set_issuer(builder, issuer, "drun", &err), 0);
    assert_int_equal(sign_key_to_spki(pair, &spki, &err), 0);
    assert_int_equal(identity_builder_add_token_key(builder, "k1", buf_span(&spki), &err), 0);
    return builder;
}

static void publish(struct world *world, struct identity_builder *builder)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct err err = ERR_INIT;
    uint64_t generation;

    assert_int_equal(identity_builder_finish(builder, &file, &err), 0);
    assert_int_equal(snapshot_publish(world->publisher, &file, &generation, &err), 0);
    identity_builder_free(builder);
}

static struct identity_api_key plain_key(const struct world *world)
{
    struct identity_api_key key = {
        .id = "ak-1", .name = "n", .namespace = "team-a", .user = "alice", .uid = "u-1"};

    identity_key_digest(pepper, span_str(world->key), key.digest);
    return key;
}

static void publish_key(struct world *world, const struct identity_api_key *key)
{
    struct identity_builder *builder = new_builder(world, world->pair);
    struct err err = ERR_INIT;

    assert_int_equal(identity_builder_add_api_key(builder, key, &err), 0);
    publish(world, builder);
}

static int check_from(struct world *world, const char *credential, const char *address,
                      struct auth_principal *out, struct err *err)
{
    CLEANUP_FREE char *header = mem_printf("Bearer %s", credential);
    uint8_t source[16];
    struct auth_input input = {.authorization = span_str(header), .now = NOW};

    if (address != NULL) {
        assert_int_equal(auth_parse_address(address, source, err), 0);
        input.source = source;
    }
    return auth_check(world->auth, &input, out, err);
}

static int check(struct world *world, const char *credential, struct auth_principal *out,
                 struct err *err)
{
    return check_from(world, credential, NULL, out, err);
}

static void refused(struct world *world, const char *credential, const char *says)
{
    struct auth_principal principal;
    struct err err = ERR_INIT;

    assert_int_equal(check(world, credential, &principal, &err), -1);
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    if (strstr(err.msg, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
    if (strlen(credential) > 20)
        assert_null(strstr(err.msg, credential + 8));
}

static void assert_text(const struct auth_principal *principal, struct auth_text text,
                        const char *wanted)
{
    assert_string_equal((const char *)auth_text(principal, text).p, wanted);
    assert_int_equal(text.len, strlen(wanted));
}

static void keys_have_the_documented_form(void **state UNUSED)
{
    char key[AUTH_KEY_SIZE];
    char other[AUTH_KEY_SIZE];
    struct err err = ERR_INIT;

    assert_int_equal(auth_key_generate(key, &err), 0);
    assert_int_equal(auth_key_generate(other, &err), 0);
    assert_int_equal(strlen(key), 57);
    assert_memory_equal(key, "sk-drun-", 8);
    assert_string_not_equal(key, other);
    assert_int_equal(auth_key_check(span_str(key), &err), 0);
    /* The check sum here was made by zlib. */
    assert_int_equal(auth_key_check(span_str("sk-drun-00000000000000000000000000000000000000"
                                             "000001OiVIp"),
                                    &err),
                     0);
}

static void every_mistyped_character_is_noticed(void **state UNUSED)
{
    char key[AUTH_KEY_SIZE];
    struct err err = ERR_INIT;

    assert_int_equal(auth_key_generate(key, &err), 0);
    for (size_t i = 0; i < AUTH_KEY_LEN; i++) {
        char old = key[i];
        key[i] = old == 'x' ? 'y' : 'x';
        assert_int_equal(auth_key_check(span_str(key), &err), -1);
        key[i] = old;
    }
    assert_int_equal(auth_key_check(span_of(key, AUTH_KEY_LEN - 1), &err), -1);
    key[20] = '-';
    assert_int_equal(auth_key_check(span_str(key), &err), -1);
    assert_string_equal(err.msg, "character 21 of the API key is no letter or digit");
}

static void no_credential_is_anonymous(void **state)
{
    struct world *world = *state;
    struct auth_input input = {.now = NOW};
    struct auth_principal principal;
    struct err err = ERR_INIT;

    assert_int_equal(auth_check(world->auth, &input, &principal, &err), 0);
    assert_int_equal(principal.source, AUTH_NOBODY);
    assert_text(&principal, principal.name, "system:anonymous");
    assert_int_equal(principal.group_count, 1);
    assert_text(&principal, principal.groups[0], "system:unauthenticated");
}

static void nothing_is_accepted_before_identities_are_known(void **state)
{
    struct world *world = *state;
    struct auth_principal principal;
    struct err err = ERR_INIT;

    assert_int_equal(check(world, world->key, &principal, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
}

static void a_key_gives_its_principal(void **state)
{
    static const char *const groups[] = {"ml", "dev"};
    struct world *world = *state;
    struct identity_api_key key = plain_key(world);
    struct auth_principal principal;
    struct span spans[AUTH_GROUPS_MAX];
    struct err err = ERR_INIT;

    key.groups = (struct identity_list){groups, 2};
    key.requests_per_min = 60;
    publish_key(world, &key);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    assert_int_equal(principal.source, AUTH_API_KEY);
    assert_text(&principal, principal.name, "alice");
    assert_text(&principal, principal.uid, "u-1");
    assert_text(&principal, principal.namespace, "team-a");
    assert_text(&principal, principal.credential, "ak-1");
    assert_text(&principal, principal.session, "");
    assert_int_equal(auth_groups(&principal, spans), 3);
    assert_true(span_eq_str(spans[1], "dev"));
    assert_true(span_eq_str(spans[2], "system:authenticated"));
    assert_int_equal(principal.requests_per_min, 60);
    /* A copy does not look into the original. */
    struct auth_principal copy = principal;
    memset(&principal, 0xff, sizeof(principal));
    assert_text(&copy, copy.name, "alice");
}

static void an_unknown_or_foreign_credential_is_refused(void **state)
{
    struct world *world = *state;
    struct identity_api_key key = plain_key(world);
    char other[AUTH_KEY_SIZE];
    struct err err = ERR_INIT;
    struct auth_principal principal;
    struct auth_input basic = {.authorization = span_str("Basic YWxpY2U6eA=="), .now = NOW};
    struct auth_input empty = {.authorization = span_str("Bearer "), .now = NOW};

    publish_key(world, &key);
    assert_int_equal(auth_key_generate(other, &err), 0);
    refused(world, other, "not known");
    refused(world, "sk-drun-x", "an API key is");
    refused(world, "sk-openai-x", "neither an API key");
    refused(world, "eyJ", "three parts");
    assert_int_equal(auth_check(world->auth, &basic, &principal, &err), -1);
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    assert_int_equal(auth_check(world->auth, &empty, &principal, &err), -1);
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
}

static void a_key_that_is_disabled_or_expired_is_refused(void **state)
{
    struct world *world = *state;
    struct identity_api_key key = plain_key(world);
    struct auth_principal principal;
    struct err err = ERR_INIT;

    key.expires_at = NOW + 1;
    publish_key(world, &key);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    key.expires_at = NOW;
    publish_key(world, &key);
    refused(world, world->key, "expired");
    key.expires_at = 0;
    key.disabled = true;
    publish_key(world, &key);
    refused(world, world->key, "disabled");
    key.disabled = false;
    struct identity_builder *builder = new_builder(world, world->pair);
    assert_int_equal(identity_builder_add_api_key(builder, &key, &err), 0);
    assert_int_equal(identity_builder_disable_user(builder, "alice", &err), 0);
    publish(world, builder);
    refused(world, world->key, "user of the API key is disabled");
}

static void a_key_is_bound_to_its_addresses(void **state)
{
    static const char *const ranges[] = {"10.0.0.0/8", "2001:db8::/32"};
    struct world *world = *state;
    struct identity_api_key key = plain_key(world);
    struct auth_principal principal;
    struct err err = ERR_INIT;

    key.cidrs = (struct identity_list){ranges, 2};
    publish_key(world, &key);
    assert_int_equal(check_from(world, world->key, "10.1.2.3", &principal, &err), 0);
    assert_int_equal(check_from(world, world->key, "2001:db8::1", &principal, &err), 0);
    assert_int_equal(check_from(world, world->key, "11.1.2.3", &principal, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(check_from(world, world->key, NULL, &principal, &err), -1);
}

static bool allows(const struct auth_principal *principal, const char *namespace, const char *name)
{
    return auth_scope_allows_model(principal, span_str(namespace), span_str(name));
}

static void a_scope_narrows_models_and_verbs(void **state)
{
    static const char *const models[] = {"llama*", "team-b/q*n", "*/shared"};
    static const char *const verbs[] = {"invoke", "get"};
    struct world *world = *state;
    struct identity_api_key key = plain_key(world);
    struct auth_principal principal;
    struct err err = ERR_INIT;

    publish_key(world, &key);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    assert_true(allows(&principal, "x", "y"));
    assert_true(auth_scope_allows_verb(&principal, span_str("delete")));
    key.models = (struct identity_list){models, 3};
    key.verbs = (struct identity_list){verbs, 2};
    publish_key(world, &key);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    assert_true(allows(&principal, "team-a", "llama-3"));
    assert_true(allows(&principal, "team-a", "llama"));
    assert_false(allows(&principal, "team-b", "llama-3"));
    assert_true(allows(&principal, "team-b", "qwen"));
    assert_false(allows(&principal, "team-b", "qwe"));
    assert_true(allows(&principal, "anywhere", "shared"));
    assert_false(allows(&principal, "team-a", "gpt"));
    assert_true(auth_scope_allows_verb(&principal, span_str("invoke")));
    assert_false(auth_scope_allows_verb(&principal, span_str("delete")));
    key.namespace = "";
    publish_key(world, &key);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    assert_true(allows(&principal, "team-b", "llama-3"));
}

/* ---------------------------------------------------------------- tokens */

static int sign_with(void *ctx, struct span data, struct buf *signature, struct err *err)
{
    return sign_data(ctx, data, signature, err);
}

static json_t *some_claims(void)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:[s]}", "iss", issuer, "aud",
                     "drun", "exp", (json_int_t)NOW + 300, "iat", (json_int_t)NOW, "sub", "u-2",
                     "preferred_username", "bob", "jti", "t-1", "sid", "s-1", "client_id",
                     "console", "groups", "ml");
}

static char *token_of(struct sign_key *pair, const json_t *claims, const char *typ)
{
    CLEANUP(buf_free) struct buf token = BUF_INIT(AUTH_TOKEN_MAX);
    struct err err = ERR_INIT;

    if (jose_jwt_sign(claims, typ, "k1", SIGN_ES256, sign_with, pair, &token, &err) < 0)
        fail_msg("%s", err.msg);
    return buf_take(&token);
}

static void a_token_gives_its_principal(void **state)
{
    struct world *world = *state;
    CLEANUP_JSON json_t *claims = some_claims();
    CLEANUP_FREE char *token = token_of(world->pair, claims, "at+jwt");
    struct auth_principal principal;

    publish(world, new_builder(world, world->pair));
    for (int i = 0; i < 3; i++) { /* verified, then remembered */
        struct err err = ERR_INIT;
        memset(&principal, 0xff, sizeof(principal));
        if (check(world, token, &principal, &err) < 0)
            fail_msg("%s", err.msg);
        assert_int_equal(principal.source, AUTH_SESSION);
        assert_text(&principal, principal.name, "bob");
        assert_text(&principal, principal.uid, "u-2");
        assert_text(&principal, principal.credential, "t-1");
        assert_text(&principal, principal.session, "s-1");
        assert_text(&principal, principal.client, "console");
        assert_int_equal(principal.group_count, 2);
        assert_text(&principal, principal.groups[0], "ml");
        assert_text(&principal, principal.groups[1], "system:authenticated");
        assert_int_equal(principal.expires_at, NOW + 300);
        assert_false(principal.from_cookie);
    }
}

static void a_cookie_holds_a_token_and_says_so(void **state)
{
    struct world *world = *state;
    CLEANUP_JSON json_t *claims = some_claims();
    CLEANUP_FREE char *token = token_of(world->pair, claims, "at+jwt");
    struct auth_input input = {.session_cookie = span_str(token), .now = NOW};
    struct auth_input key = {.session_cookie = span_str(world->key), .now = NOW};
    struct auth_principal principal;
    struct err err = ERR_INIT;

    publish(world, new_builder(world, world->pair));
    assert_int_equal(auth_check(world->auth, &input, &principal, &err), 0);
    assert_true(principal.from_cookie);
    assert_int_equal(auth_check(world->auth, &key, &principal, &err), -1);
}

static void a_service_account_has_its_groups(void **state)
{
    struct world *world = *state;
    CLEANUP_JSON json_t *claims = some_claims();
    struct auth_principal principal;
    struct err err = ERR_INIT;

    publish(world, new_builder(world, world->pair));
    json_object_set_new(claims, "sub", json_string("system:serviceaccount:team-a:bot"));
    json_object_del(claims, "preferred_username");
    json_object_del(claims, "groups");
    CLEANUP_FREE char *token = token_of(world->pair, claims, "at+jwt");
    assert_int_equal(check(world, token, &principal, &err), 0);
    assert_int_equal(principal.source, AUTH_SERVICE_ACCOUNT);
    assert_text(&principal, principal.name, "system:serviceaccount:team-a:bot");
    assert_text(&principal, principal.namespace, "team-a");
    assert_int_equal(principal.group_count, 3);
    assert_text(&principal, principal.groups[1], "system:serviceaccounts:team-a");
}

static void claims_that_are_no_good_are_refused(void **state)
{
    static const struct {
        const char *name;
        const char *json;
        const char *says;
    } cases[] = {
        {"sub", NULL, "no good sub"},
        {"sub", "\"\"", "no good sub"},
        {"jti", NULL, "no good jti"},
        {"iat", NULL, "no good exp or iat"},
        {"groups", "\"ml\"", "no list"},
        {"groups", "[1]", "no token may name"},
        {"groups", "[\"system:masters\"]", "no token may name"},
        {"preferred_username", "\"system:admin\"", "no token may name"},
        {"preferred_username", "7", "no good preferred_username"},
        {"sub", "\"system:serviceaccount:x\"", "service account is none"},
        {"sub", "\"system:serviceaccount::x\"", "service account is none"},
        {"exp", "1799999000", "expired"},
        {"aud", "\"other\"", "audience"},
        {"iss", "\"https://evil.test\"", "issuer"},
    };
    struct world *world = *state;

    publish(world, new_builder(world, world->pair));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_JSON json_t *claims = some_claims();
        json_object_del(claims, cases[i].name);
        if (cases[i].json != NULL)
            json_object_set_new(claims, cases[i].name,
                                json_loads(cases[i].json, JSON_DECODE_ANY, NULL));
        CLEANUP_FREE char *token = token_of(world->pair, claims, "at+jwt");
        refused(world, token, cases[i].says);
    }
    CLEANUP_JSON json_t *claims = some_claims();
    CLEANUP_FREE char *id_token = token_of(world->pair, claims, "JWT");
    refused(world, id_token, "typ");
}

/* The token is good, and remembered; then this happens. */
static void after(struct world *world, void (*happens)(struct identity_builder *, struct err *),
                  const char *says)
{
    CLEANUP_JSON json_t *claims = some_claims();
    CLEANUP_FREE char *token = token_of(world->pair, claims, "at+jwt");
    struct auth_principal principal;
    struct err err = ERR_INIT;

    publish(world, new_builder(world, world->pair));
    assert_int_equal(check(world, token, &principal, &err), 0);
    struct identity_builder *builder = new_builder(world, world->pair);
    happens(builder, &err);
    publish(world, builder);
    if (says != NULL)
        refused(world, token, says);
    else
        assert_int_equal(check(world, token, &principal, &err), 0);
}

static void end_session(struct identity_builder *builder, struct err *err)
{
    assert_int_equal(identity_builder_revoke_session(builder, "s-1", err), 0);
}

static void revoke_token(struct identity_builder *builder, struct err *err)
{
    assert_int_equal(identity_builder_revoke_token(builder, "t-1", err), 0);
}

static void void_later(struct identity_builder *builder, struct err *err)
{
    assert_int_equal(identity_builder_void_user(builder, "bob", NOW + 1, err), 0);
}

static void void_earlier(struct identity_builder *builder, struct err *err)
{
    assert_int_equal(identity_builder_void_user(builder, "bob", NOW, err), 0);
}

static void disable_user(struct identity_builder *builder, struct err *err)
{
    assert_int_equal(identity_builder_disable_user(builder, "bob", err), 0);
}

static void revocations_reach_tokens_that_are_remembered(void **state)
{
    after(*state, end_session, "session has ended");
    after(*state, revoke_token, "was revoked");
    after(*state, void_later, "before its user signed out");
    after(*state, void_earlier, NULL);
    after(*state, disable_user, "user is disabled");
}

static void a_remembered_token_still_expires(void **state)
{
    struct world *world = *state;
    CLEANUP_JSON json_t *claims = some_claims();
    CLEANUP_FREE char *token = token_of(world->pair, claims, "at+jwt");
    CLEANUP_FREE char *header = mem_printf("Bearer %s", token);
    struct auth_input input = {.authorization = span_str(header), .now = NOW};
    struct auth_principal principal;
    struct err err = ERR_INIT;

    publish(world, new_builder(world, world->pair));
    assert_int_equal(auth_check(world->auth, &input, &principal, &err), 0);
    input.now = NOW + 300 + AUTH_SKEW_SEC - 1;
    assert_int_equal(auth_check(world->auth, &input, &principal, &err), 0);
    input.now++;
    assert_int_equal(auth_check(world->auth, &input, &principal, &err), -1);
    assert_non_null(strstr(err.msg, "expired"));
}

static void a_key_that_is_withdrawn_voids_its_tokens(void **state)
{
    struct world *world = *state;
    CLEANUP_JSON json_t *claims = some_claims();
    CLEANUP_FREE char *token = token_of(world->pair, claims, "at+jwt");
    CLEANUP(sign_key_free_ptr) struct sign_key *other = NULL;
    struct auth_principal principal;
    struct err err = ERR_INIT;

    publish(world, new_builder(world, world->pair));
    assert_int_equal(check(world, token, &principal, &err), 0);
    assert_int_equal(sign_key_generate(SIGN_ES256, &other, &err), 0);
    publish(world, new_builder(world, other));
    refused(world, token, "signature");
}

static void the_cache_forgets_the_oldest(void **state UNUSED)
{
    struct auth_cache *cache = auth_cache_new(4);
    struct auth_token_times times = {.issued_at = 1};
    struct auth_principal principal;
    uint8_t key[AUTH_CACHE_KEY_LEN] = {0};

    auth_principal_operator(7, &principal);
    for (uint8_t i = 1; i <= 5; i++) {
        key[31] = i;
        auth_cache_put(cache, key, &principal, &times);
        key[31] = 2;
        if (i >= 2)
            assert_true(auth_cache_find(cache, key, &principal, &times));
    }
    key[31] = 1;
    assert_false(auth_cache_find(cache, key, &principal, &times));
    key[31] = 5;
    assert_true(auth_cache_find(cache, key, &principal, &times));
    assert_text(&principal, principal.name, "system:operator:7");
    auth_cache_clear(cache);
    assert_false(auth_cache_find(cache, key, &principal, &times));
    auth_cache_free(cache);
}

static void a_damaged_snapshot_is_told_once_and_the_old_one_holds(void **state)
{
    struct world *world = *state;
    struct identity_api_key key = plain_key(world);
    struct auth_principal principal;
    struct err err = ERR_INIT;
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, world->dir, &err);

    publish_key(world, &key);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    assert_int_equal(auth_trouble(world->auth, &err), 0);
    publish_key(world, &key);
    assert_int_equal(fd_replace_file(dir_fd, "identity.snap", 0644, span_str("x"), false, &err), 0);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    assert_int_equal(auth_trouble(world->auth, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    assert_int_equal(auth_trouble(world->auth, &err), 0);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_the_documented_form),
        cmocka_unit_test(every_mistyped_character_is_noticed),
        WITH_WORLD(no_credential_is_anonymous),
        WITH_WORLD(nothing_is_accepted_before_identities_are_known),
        WITH_WORLD(a_key_gives_its_principal),
        WITH_WORLD(an_unknown_or_foreign_credential_is_refused),
        WITH_WORLD(a_key_that_is_disabled_or_expired_is_refused),
        WITH_WORLD(a_key_is_bound_to_its_addresses),
        WITH_WORLD(a_scope_narrows_models_and_verbs),
        WITH_WORLD(a_token_gives_its_principal),
        WITH_WORLD(a_cookie_holds_a_token_and_says_so),
        WITH_WORLD(a_service_account_has_its_groups),
        WITH_WORLD(claims_that_are_no_good_are_refused),
        WITH_WORLD(revocations_reach_tokens_that_are_remembered),
        WITH_WORLD(a_remembered_token_still_expires),
        WITH_WORLD(a_key_that_is_withdrawn_voids_its_tokens),
        cmocka_unit_test(the_cache_forgets_the_oldest),
        WITH_WORLD(a_damaged_snapshot_is_told_once_and_the_old_one_holds),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
