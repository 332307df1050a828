/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_test.h"

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

/* The digest of the last key is kept; what it stands for is not. */
static void keys_take_turns_on_a_connection(void **state)
{
    static const uint8_t other_pepper[IDENTITY_PEPPER_LEN] = "another";
    struct world *world = *state;
    struct identity_api_key key = plain_key(world);
    char other[AUTH_KEY_SIZE];
    struct auth_principal principal;
    struct err err = ERR_INIT;

    publish_key(world, &key);
    memcpy(other, world->key, sizeof(other));
    other[30] = other[30] == 'x' ? 'y' : 'x';
    for (int i = 0; i < 3; i++) {
        assert_int_equal(check(world, world->key, &principal, &err), 0);
        assert_text(&principal, principal.name, "alice");
        assert_memory_equal(world->last.digest, key.digest, sizeof(key.digest));
        refused(world, other, "check sum");
    }
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    struct identity_builder *builder = identity_builder_new(other_pepper);
    assert_int_equal(identity_builder_set_issuer(builder, issuer, "drun", &err), 0);
    assert_int_equal(identity_builder_add_api_key(builder, &key, &err), 0);
    publish(world, builder);
    refused(world, world->key, "not known");
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
    assert_text(&principal, principal.name, "alice"); /* for the record */
    assert_text(&principal, principal.credential, "ak-1");
    assert_int_equal(check_from(world, world->key, NULL, &principal, &err), -1);
    assert_int_equal(check_from(world, "sk-drun-unknown", "10.1.2.3", &principal, &err), -1);
    assert_text(&principal, principal.name, "");
}

static void a_key_can_have_two_secrets_for_a_while(void **state)
{
    struct world *world = *state;
    struct identity_builder *builder = new_builder(world, world->pair);
    struct identity_api_key key = plain_key(world);
    struct auth_principal principal;
    char other[AUTH_KEY_SIZE];
    struct err err = ERR_INIT;

    assert_int_equal(auth_key_generate(other, &err), 0);
    key.expires_at = NOW + 1;
    assert_int_equal(identity_builder_add_api_key(builder, &key, &err), 0);
    identity_key_digest(pepper, span_str(other), key.digest);
    key.expires_at = 0;
    assert_int_equal(identity_builder_add_api_key(builder, &key, &err), 0);
    publish(world, builder);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    assert_text(&principal, principal.credential, "ak-1");
    assert_int_equal(check(world, other, &principal, &err), 0);
    assert_text(&principal, principal.credential, "ak-1");
}

static void a_scope_narrows_namespaces(void **state)
{
    static const char *const namespaces[] = {"team-a", "lab-*"};
    struct world *world = *state;
    struct identity_api_key key = plain_key(world);
    struct auth_principal principal;
    struct err err = ERR_INIT;

    key.namespaces = (struct identity_list){namespaces, 2};
    publish_key(world, &key);
    assert_int_equal(check(world, world->key, &principal, &err), 0);
    assert_true(auth_scope_allows_namespace(&principal, span_str("team-a")));
    assert_true(auth_scope_allows_namespace(&principal, span_str("lab-7")));
    assert_false(auth_scope_allows_namespace(&principal, span_str("team-b")));
    assert_false(auth_scope_allows_namespace(&principal, span_str("")));
    assert_true(auth_scope_allows_model(&principal, span_str("lab-7"), span_str("m")));
    assert_false(auth_scope_allows_model(&principal, span_str("team-b"), span_str("m")));
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
        WITH_WORLD(keys_take_turns_on_a_connection),
        WITH_WORLD(a_key_is_bound_to_its_addresses),
        WITH_WORLD(a_scope_narrows_models_and_verbs),
        WITH_WORLD(a_scope_narrows_namespaces),
        WITH_WORLD(a_key_can_have_two_secrets_for_a_while),
        WITH_WORLD(a_damaged_snapshot_is_told_once_and_the_old_one_holds),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
