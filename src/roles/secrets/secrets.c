/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: the collection of Secrets and its data key. Who may
 * speak to me: clients over HTTP on my socket, behind the gateway, with their own credentials.
 */
#include "secrets/secrets.h"

#include "kube/kube_store.h"
#include "serve/serve.h"

static const struct kube_kind *const kinds[] = {&kube_secret, NULL};

int secrets_main(struct role *role, struct err *err)
{
    CLEANUP(store_close_ptr) struct store *store = NULL;
    CLEANUP(kube_store_free_ptr) struct kube_store *objects = NULL;
    CLEANUP(serve_free_ptr) struct serve *serve = NULL;

    TRY(serve_lock_down(role, err));
    TRY(serve_store_open(role, &store, err));
    objects = kube_store_new(store);
    struct serve_config config = {
        .role = role, .store = store, .kinds = kinds, .storage = kube_store_storage(objects)};
    TRY(serve_new(&config, &serve, err));
    return role_run(role, err);
}
