/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_test.h"

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

static int check_for(struct world *world, const char *token, const char *scope)
{
    CLEANUP_FREE char *header = mem_printf("Bearer %s", token);
    struct auth_input input = {.authorization = span_str(header), .now = NOW, .scope = scope};
    struct auth_principal principal;
    struct err err = ERR_INIT;

    return auth_check(world->auth, &input, &principal, &err);
}

static void a_token_of_one_scope_is_good_there_alone(void **state)
{
    struct world *world = *state;
    CLEANUP_JSON json_t *claims = some_claims();

    publish(world, new_builder(world, world->pair));
    json_object_set_new(claims, "aud", json_string(issuer));
    json_object_set_new(claims, "scope", json_string("openid scim"));
    CLEANUP_FREE char *token = token_of(world->pair, claims, "at+jwt");
    for (int i = 0; i < 2; i++) { /* it is not remembered for elsewhere */
        assert_int_equal(check_for(world, token, NULL), -1);
        assert_int_equal(check_for(world, token, "sci"), -1);
        assert_int_equal(check_for(world, token, "scim"), 0);
    }
    json_object_set_new(claims, "scope", json_string("openid scimitar"));
    CLEANUP_FREE char *other = token_of(world->pair, claims, "at+jwt");
    assert_int_equal(check_for(world, other, "scim"), -1);
    json_object_set_new(claims, "scope", json_string("scim"));
    json_object_set_new(claims, "aud", json_string("https://else.test"));
    CLEANUP_FREE char *elsewhere = token_of(world->pair, claims, "at+jwt");
    assert_int_equal(check_for(world, elsewhere, "scim"), -1);
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

static void a_token_that_came_of_a_key_is_as_narrow_as_the_key(void **state)
{
    struct world *world = *state;
    CLEANUP_JSON json_t *claims = some_claims();
    json_t *key =
        json_pack("{s:s, s:s, s:[], s:[s], s:[s], s:[s, s], s:i, s:i, s:i}", "id", "ak-1",
                  "namespace", "team-a", "models", "verbs", "get", "namespaces", "team-a", "cidrs",
                  "10.0.0.0/8", "2001:db8::/32", "rpm", 5, "concurrent", 2, "tpm", 7);
    struct auth_principal principal;
    struct err err = ERR_INIT;

    json_object_set_new(claims, "drun_key", key);
    publish(world, new_builder(world, world->pair));
    CLEANUP_FREE char *token = token_of(world->pair, claims, "at+jwt");
    for (int i = 0; i < 2; i++) { /* verified, then remembered */
        assert_int_equal(check_from(world, token, "10.9.8.7", &principal, &err), 0);
        assert_int_equal(principal.source, AUTH_API_KEY);
        assert_text(&principal, principal.credential, "ak-1");
        assert_int_equal(principal.requests_per_min, 5);
        assert_int_equal(principal.concurrent, 2);
        assert_int_equal(principal.tokens_per_min, 7);
        assert_false(auth_scope_allows_verb(&principal, span_str("invoke")));
        assert_false(auth_scope_allows_namespace(&principal, span_str("team-b")));
        assert_int_equal(check_from(world, token, "11.0.0.1", &principal, &err), -1);
        assert_int_equal(err.code, ERR_DENIED);
        assert_text(&principal, principal.name, "bob");
        assert_int_equal(check_from(world, token, NULL, &principal, &err), -1);
    }
    json_object_del(key, "cidrs");
    CLEANUP_FREE char *incomplete = token_of(world->pair, claims, "at+jwt");
    assert_int_equal(check_from(world, incomplete, "10.9.8.7", &principal, &err), -1);
    assert_text(&principal, principal.name, "");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_token_gives_its_principal),
        WITH_WORLD(a_cookie_holds_a_token_and_says_so),
        WITH_WORLD(a_service_account_has_its_groups),
        WITH_WORLD(claims_that_are_no_good_are_refused),
        WITH_WORLD(a_token_of_one_scope_is_good_there_alone),
        WITH_WORLD(revocations_reach_tokens_that_are_remembered),
        WITH_WORLD(a_remembered_token_still_expires),
        WITH_WORLD(a_key_that_is_withdrawn_voids_its_tokens),
        WITH_WORLD(a_token_that_came_of_a_key_is_as_narrow_as_the_key),
        cmocka_unit_test(the_cache_forgets_the_oldest),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("auth token", tests, NULL, NULL);
}
