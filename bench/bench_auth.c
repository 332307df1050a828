/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials checked a second on one core: an API key among 100,000, and an access token,
 * remembered and not. The peer of the first is what it cannot do without, one HMAC-SHA-256 under a
 * prepared key; the peer of the last one P-256 verification.
 */
#include "bench.h"

#include "auth/auth.h"
#include "base/fd.h"
#include "base/mem.h"
#include "crypto/mac.h"
#include "jose/jose.h"
#include "snapshot/identity.h"

#include <fcntl.h>

enum { KEYS = 100000, HOT = 1000, NOW = 1800000000 };

static const uint8_t pepper[IDENTITY_PEPPER_LEN] = "0123456789abcdef0123456789abcde";

struct world {
    char **headers;
    struct auth *auth;
    struct auth *forgetful; /* remembers no token */
    struct sign_key *pair;
    char *token;
    struct buf data; /* signed, for the peer */
    struct buf signature;
    struct auth_principal principal;
    struct crypto_mac *mac;
};

static char *add_key(struct identity_builder *builder, int i)
{
    static const char *const groups[] = {"ml", "dev", "team-a-users"};
    CLEANUP_FREE char *id = mem_printf("ak-%d", i);
    CLEANUP_FREE char *user = mem_printf("user-%d", i);
    char text[AUTH_KEY_SIZE];
    struct err err = ERR_INIT;
    struct identity_api_key key = {.id = id,
                                   .name = "key",
                                   .namespace = "team-a",
                                   .user = user,
                                   .uid = user,
                                   .groups = {groups, 3}};

    INVARIANT(auth_key_generate(text, &err) == 0);
    identity_key_digest(pepper, span_str(text), key.digest);
    INVARIANT(identity_builder_add_api_key(builder, &key, &err) == 0);
    return mem_printf("Bearer %s", text);
}

static struct auth *open_auth(const char *dir, size_t entries)
{
    struct err err = ERR_INIT;
    int fd = fd_open_dir(AT_FDCWD, dir, &err);

    INVARIANT(fd >= 0);
    return auth_new(&fd, entries);
}

static void publish(const char *dir, struct identity_builder *builder)
{
    CLEANUP(snapshot_publisher_free_ptr) struct snapshot_publisher *publisher = NULL;
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct err err = ERR_INIT;
    uint64_t generation;
    int fd = fd_open_dir(AT_FDCWD, dir, &err);
    uint64_t start = bench_cpu_ns();

    INVARIANT(snapshot_publisher_open(&identity_snapshot, &fd, &publisher, &err) == 0);
    INVARIANT(identity_builder_finish(builder, &file, &err) == 0);
    INVARIANT(snapshot_publish(publisher, &file, &generation, &err) == 0);
    printf("%d keys published in %.1f ms, %.1f MB\n", KEYS, (double)(bench_cpu_ns() - start) / 1e6,
           (double)file.len / 1e6);
}

static int sign_with(void *ctx, struct span data, struct buf *signature, struct err *err)
{
    struct world *world = ctx;

    buf_put_span(&world->data, data);
    TRY(sign_data(world->pair, data, signature, err));
    buf_put_span(&world->signature, buf_span(signature));
    return 0;
}

static void add_token(struct world *world, struct identity_builder *builder)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    CLEANUP(buf_free) struct buf token = BUF_INIT(AUTH_TOKEN_MAX);
    json_t *claims =
        json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:[ss]}", "iss", "https://h", "aud",
                  "drun", "exp", (json_int_t)NOW + 300, "iat", (json_int_t)NOW, "sub", "u-1",
                  "preferred_username", "bob", "jti", "t-1", "sid", "s-1", "groups", "ml", "dev");
    struct err err = ERR_INIT;

    INVARIANT(sign_key_generate(SIGN_ES256, &world->pair, &err) == 0);
    INVARIANT(sign_key_to_spki(world->pair, &spki, &err) == 0);
    INVARIANT(identity_builder_set_issuer(builder, "https://h", "drun", &err) == 0);
    INVARIANT(identity_builder_add_token_key(builder, "k1", buf_span(&spki), &err) == 0);
    INVARIANT(jose_jwt_sign(claims, "at+jwt", "k1", SIGN_ES256, sign_with, world, &token, &err) ==
              0);
    world->token = mem_printf("Bearer %s", buf_text(&token));
    json_decref(claims);
}

static void check(struct auth *auth, const char *header, struct auth_principal *out)
{
    struct auth_input input = {.authorization = span_str(header), .now = NOW};
    struct err err = ERR_INIT;

    if (auth_check(auth, &input, out, &err) < 0)
        err_bug(__FILE__, __LINE__, err.msg);
}

static void check_key(void *ctx, uint64_t i)
{
    struct world *world = ctx;

    check(world->auth, world->headers[i * 7919 % KEYS], &world->principal);
}

static void check_hot_key(void *ctx, uint64_t i)
{
    struct world *world = ctx;

    check(world->auth, world->headers[i % HOT], &world->principal);
}

static void check_token(void *ctx, uint64_t i UNUSED)
{
    struct world *world = ctx;

    check(world->auth, world->token, &world->principal);
}

static void verify_token(void *ctx, uint64_t i UNUSED)
{
    struct world *world = ctx;

    check(world->forgetful, world->token, &world->principal);
}

static void only_hmac(void *ctx, uint64_t i)
{
    struct world *world = ctx;
    uint8_t digest[IDENTITY_DIGEST_LEN];

    crypto_mac_sha256(world->mac, span_str(world->headers[i % HOT] + 7), digest);
}

static void only_verify(void *ctx, uint64_t i UNUSED)
{
    struct world *world = ctx;
    struct err err = ERR_INIT;

    INVARIANT(sign_verify(world->pair, buf_span(&world->data), buf_span(&world->signature), &err) ==
              0);
}

int main(void)
{
    struct world world = {.data = BUF_INIT(AUTH_TOKEN_MAX), .signature = BUF_INIT(SIGN_SIG_MAX)};
    CLEANUP(identity_builder_free_ptr)
    struct identity_builder *builder = identity_builder_new(pepper);
    char dir[] = "/dev/shm/bench_auth.XXXXXX";
    struct err err = ERR_INIT;

    INVARIANT(secret_heap_init(&err) == 0 && mkdtemp(dir) != NULL);
    world.headers = mem_new_array(KEYS, sizeof(char *));
    for (int i = 0; i < KEYS; i++)
        world.headers[i] = add_key(builder, i);
    add_token(&world, builder);
    publish(dir, builder);
    world.auth = open_auth(dir, 64);
    world.forgetful = open_auth(dir, 0);
    world.mac = crypto_mac_new(span_of(pepper, sizeof(pepper)));
    bench_print("API key, any of 100,000", check_key, &world);
    double key = bench_print("API key, 1,000 active of 100,000", check_hot_key, &world);
    double hmac = bench_print("  HMAC-SHA-256 alone", only_hmac, &world);
    bench_print("access token, remembered", check_token, &world);
    double token = bench_print("access token, verified", verify_token, &world);
    double verify = bench_print("  P-256 verification alone", only_verify, &world);
    printf("ratio API key / HMAC alone: %.2f; token / verification alone: %.2f\n", key / hmac,
           token / verify);
    for (int i = 0; i < 2; i++) {
        CLEANUP_FREE char *path = mem_printf("%s/identity.%s", dir, i == 0 ? "snap" : "gen");
        unlink(path);
    }
    rmdir(dir);
    return 0;
}
