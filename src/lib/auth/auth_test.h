/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this folder share: a directory with a publisher, and who checks. */
#ifndef DRUN_AUTH_AUTH_TEST_H
#define DRUN_AUTH_AUTH_TEST_H

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
    struct auth_last_key last; /* all come over one connection */
};

static inline int setup(void **state)
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

static inline int teardown(void **state)
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
static inline struct identity_builder *new_builder(const struct world *world,
                                                   const struct sign_key *pair)
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

static inline void publish(struct world *world, struct identity_builder *builder)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct err err = ERR_INIT;
    uint64_t generation;

    assert_int_equal(identity_builder_finish(builder, &file, &err), 0);
    assert_int_equal(snapshot_publish(world->publisher, &file, &generation, &err), 0);
    identity_builder_free(builder);
}

static inline struct identity_api_key plain_key(const struct world *world)
{
    struct identity_api_key key = {
        .id = "ak-1", .name = "n", .namespace = "team-a", .user = "alice", .uid = "u-1"};

    identity_key_digest(pepper, span_str(world->key), key.digest);
    return key;
}

static inline void publish_key(struct world *world, const struct identity_api_key *key)
{
    struct identity_builder *builder = new_builder(world, world->pair);
    struct err err = ERR_INIT;

    assert_int_equal(identity_builder_add_api_key(builder, key, &err), 0);
    publish(world, builder);
}

static inline int check_from(struct world *world, const char *credential, const char *address,
                             struct auth_principal *out, struct err *err)
{
    CLEANUP_FREE char *header = mem_printf("Bearer %s", credential);
    uint8_t source[16];
    struct auth_input input = {
        .authorization = span_str(header), .now = NOW, .last_key = &world->last};

    if (address != NULL) {
        assert_int_equal(auth_parse_address(address, source, err), 0);
        input.source = source;
    }
    return auth_check(world->auth, &input, out, err);
}

static inline int check(struct world *world, const char *credential, struct auth_principal *out,
                        struct err *err)
{
    return check_from(world, credential, NULL, out, err);
}

static inline void refused(struct world *world, const char *credential, const char *says)
{
    struct auth_principal principal;
    struct err err = ERR_INIT;

    assert_int_equal(check(world, credential, &principal, &err), -1);
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    if (strstr(err.msg, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
    size_t len = strlen(credential);
    if (len > 20) /* no part of a secret is shown */
        assert_null(strstr(err.msg, credential + len / 7));
}

static inline void assert_text(const struct auth_principal *principal, struct auth_text text,
                               const char *wanted)
{
    assert_string_equal((const char *)auth_text(principal, text).p, wanted);
    assert_int_equal(text.len, strlen(wanted));
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
