/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: the collection of Secrets and its data key. Who may
 * speak to me: clients over HTTP on my socket, behind the gateway, with their own credentials; the
 * exporter by messages, for keys of outside engines alone, and idp for uids. I tell api when my
 * part of a namespace is empty.
 */
#include "secrets/secrets.h"

#include "kube/kube_store.h"
#include "secrets/upstream_keys.h"
#include "serve/serve.h"

static const struct kube_kind *const kinds[] = {&kube_secret, NULL};

struct secrets {
    struct role *role;
    struct upstream_keys *keys;
};

static void on_changed(void *ctx, const struct kube_change *change)
{
    const struct secrets *secrets = ctx;

    upstream_keys_touch(secrets->keys, change);
}

static void after_flush(void *ctx)
{
    const struct secrets *secrets = ctx;

    upstream_keys_follow(secrets->keys);
}

static void on_emptied(void *ctx, const char *namespace, const char *uid,
                       const struct kube_left *left)
{
    const struct secrets *secrets = ctx;

    serve_tell_emptied(secrets->role, namespace, uid, left);
}

static bool owner_is_gone(void *ctx, const struct kube_kind *kind, const char *namespace,
                          const char *name, const char *uid)
{
    const struct secrets *secrets = ctx;

    return serve_ask_owner_is_gone(secrets->role, kind, namespace, name, uid);
}

int secrets_main(struct role *role, struct err *err)
{
    CLEANUP(store_close_ptr) struct store *store = NULL;
    CLEANUP(kube_store_free_ptr) struct kube_store *objects = NULL;
    CLEANUP(upstream_keys_free_ptr) struct upstream_keys *keys = upstream_keys_new(role);
    CLEANUP(serve_free_ptr) struct serve *serve = NULL;
    struct secrets secrets = {.role = role, .keys = keys};

    TRY(serve_lock_down(role, err));
    TRY(serve_store_open(role, &store, err));
    objects = kube_store_new(store);
    struct serve_config config = {.role = role,
                                  .store = store,
                                  .kinds = kinds,
                                  .storage = kube_store_storage(objects),
                                  .changed = on_changed,
                                  .after_flush = after_flush,
                                  .emptied = on_emptied,
                                  .owner_is_gone = owner_is_gone,
                                  .ctx = &secrets};
    TRY(serve_new(&config, &serve, err));
    upstream_keys_serve(keys, serve);
    TRY(role_serve(role, &secrets_table, keys, err));
    return role_run(role, err);
}
