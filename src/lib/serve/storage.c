/* SPDX-License-Identifier: Apache-2.0 */
/* A role's own store: its keys come from kms, its anchor from the audit log. */
#include "base/clock.h"
#include "base/mem.h"
#include "keys/keys.h"
#include "log/log.h"
#include "role/settings.h"
#include "serve/serve_internal.h"

/* SQLite draws the salts of its write-ahead log from there. */
#define RANDOM "/dev/urandom"

enum { COLLECTION_SIZE = 80 };

/* The store's collection "users" of the role idp is kms' collection "idp/users". */
static void name_of(const struct role *role, const char *collection, char out[COLLECTION_SIZE])
{
    snprintf(out, COLLECTION_SIZE, "%s/%s", role_name(role_self(role)), collection);
}

static int open_key(void *ctx, const char *collection, struct span wrapped, struct secret **key,
                    struct err *err)
{
    char name[COLLECTION_SIZE];

    name_of(ctx, collection, name);
    return keys_data_open(role_peer(ctx, ROLE_KMS), name, wrapped, key, err);
}

static int create_key(void *ctx, const char *collection, struct secret **key, struct buf *wrapped,
                      struct err *err)
{
    char name[COLLECTION_SIZE];

    name_of(ctx, collection, name);
    return keys_data_new(role_peer(ctx, ROLE_KMS), name, key, wrapped, err);
}

/* At once, not with the batch: what a batch takes back was damaged all the same. */
void serve_record_damage(struct role *role, const char *what)
{
    const struct audit_event event = {
        .time_ns = clock_wall_ns(),
        .event = span_str(AUDIT_STORE_DAMAGED),
        .role = span_str(role_name(role_self(role))),
        .outcome = AUDIT_FAILURE,
        .actor = {.source = AUDIT_SOURCE_ROLE},
        .reason = span_str(what),
    };
    struct err err = ERR_INIT;

    if (audit_send(role_peer(role, ROLE_AUDIT), &event, 1, &err) < 0)
        log_error("store.damage", &err);
}

static void on_damage(void *ctx, const char *collection, const char *position,
                      const struct err *why)
{
    CLEANUP_FREE char *what =
        mem_printf("a record of the collection \"%s\" at %s: %s", collection, position, why->msg);

    log_event(LOG_ERROR, "store.damage",
              LOG_FIELDS(LOG_STR("collection", collection), LOG_STR("position", position),
                         LOG_STR("msg", why->msg)));
    serve_record_damage(ctx, what);
}

static int lock_down_embedded(struct role *role, struct err *err)
{
    static const struct lockdown_path paths[] = {
        {RANDOM, LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL}, {0}};
    static const struct role_promises promises = {
        .promises = LOCKDOWN_FILES | LOCKDOWN_THREADS,
        .data_access = LOCKDOWN_PATH_WRITE,
        .paths = paths,
    };

    return role_lock_down(role, &promises, err);
}

/* The store is a server's: the way to it is kept as well, and no more of the network than that
 * needs: Unix sockets alone where the server has one. */
static int lock_down_remote(struct role *role, struct err *err)
{
    CLEANUP(store_needs_free) struct store_needs needs = {0};
    struct lockdown_path paths[STORE_NEEDS_PATHS_MAX + 1] = {0};
    struct role_promises promises = {
        .promises = LOCKDOWN_FILES | LOCKDOWN_THREADS | LOCKDOWN_NET_UNIX,
        .data_access = LOCKDOWN_PATH_WRITE,
        .paths = paths,
    };

    TRY(store_needs_of(role_settings(role)->store, &needs, err));
    for (size_t i = 0; i < needs.path_count; i++)
        paths[i] =
            (struct lockdown_path){needs.paths[i], LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL};
    if (needs.network)
        promises.promises |= LOCKDOWN_NET_INET;
    promises.network = needs.network;
    return role_lock_down(role, &promises, err);
}

int serve_lock_down(struct role *role, struct err *err)
{
    bool embedded = strcmp(role_settings(role)->store, "sqlite") == 0;

    return embedded ? lock_down_embedded(role, err) : lock_down_remote(role, err);
}

int serve_store_open(struct role *role, struct store **out, struct err *err)
{
    const struct settings *settings = role_settings(role);
    CLEANUP_FREE char *path = mem_printf("%s/store.db", role_data_dir(role));
    CLEANUP_FREE char *schema = mem_printf("drun_%s", role_name(role_self(role)));
    struct store_config config = {
        .keys = {.open = open_key, .create = create_key, .ctx = role},
        .on_damage = on_damage,
        .damage_ctx = role,
    };
    uint64_t anchor;

    TRY(audit_ask_anchor(role_peer(role, ROLE_AUDIT), &anchor, err));
    config.least.revision = (int64_t)anchor;
    if (strcmp(settings->store, "sqlite") == 0) {
        config.path = path;
    } else {
        config.conninfo = settings->store;
        config.schema = schema;
    }
    return store_open(&config, out, err);
}
