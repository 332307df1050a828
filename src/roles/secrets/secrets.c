/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: the collection of Secrets and its data key. Who may
 * speak to me: clients over HTTP on my socket, behind the gateway, with their own credentials; the
 * exporter by messages, for keys of outside engines alone.
 */
#include "secrets/secrets.h"

#include "kube/kube_store.h"
#include "secrets/upstream_keys.h"
#include "serve/serve.h"

static const struct kube_kind *const kinds[] = {&kube_secret, NULL};

static void on_changed(void *ctx, const struct kube_change *change)
{
    upstream_keys_touch(ctx, change);
}

static void after_flush(void *ctx)
{
    upstream_keys_follow(ctx);
}

int secrets_main(struct role *role, struct err *err)
{
    CLEANUP(store_close_ptr) struct store *store = NULL;
    CLEANUP(kube_store_free_ptr) struct kube_store *objects = NULL;
    CLEANUP(upstream_keys_free_ptr) struct upstream_keys *keys = upstream_keys_new(role);
    CLEANUP(serve_free_ptr) struct serve *serve = NULL;

    TRY(serve_store_open(role, &store, err));
    objects = kube_store_new(store);
    struct serve_config config = {.role = role,
                                  .store = store,
                                  .kinds = kinds,
                                  .storage = kube_store_storage(objects),
                                  .changed = on_changed,
                                  .after_flush = after_flush,
                                  .ctx = keys};
    TRY(serve_new(&config, &serve, err));
    upstream_keys_serve(keys, serve);
    TRY(role_lock_down(role, &serve_promises, err));
    TRY(role_serve(role, &secrets_table, keys, err));
    return role_run(role, err);
}
