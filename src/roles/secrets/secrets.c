/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: the collection of Secrets and its data key. Who may
 * speak to me: clients over HTTP on my socket, behind the gateway, with their own credentials. I
 * tell api when my part of a namespace is empty.
 */
#include "secrets/secrets.h"

#include "kube/kube_store.h"
#include "serve/serve.h"

static const struct kube_kind *const kinds[] = {&kube_secret, NULL};

static void on_emptied(void *ctx, const char *namespace, const char *uid,
                       const struct kube_left *left)
{
    serve_tell_emptied(ctx, namespace, uid, left);
}

static bool owner_is_gone(void *ctx, const struct kube_kind *kind, const char *namespace,
                          const char *name, const char *uid)
{
    return serve_ask_owner_is_gone(ctx, kind, namespace, name, uid);
}

int secrets_main(struct role *role, struct err *err)
{
    CLEANUP(store_close_ptr) struct store *store = NULL;
    CLEANUP(kube_store_free_ptr) struct kube_store *objects = NULL;
    CLEANUP(serve_free_ptr) struct serve *serve = NULL;

    TRY(serve_store_open(role, &store, err));
    objects = kube_store_new(store);
    struct serve_config config = {.role = role,
                                  .store = store,
                                  .kinds = kinds,
                                  .storage = kube_store_storage(objects),
                                  .emptied = on_emptied,
                                  .owner_is_gone = owner_is_gone,
                                  .ctx = role};
    TRY(serve_new(&config, &serve, err));
    TRY(role_lock_down(role, &serve_promises, err));
    return role_run(role, err);
}
