/* SPDX-License-Identifier: Apache-2.0 */
/* The objects in lib/store: the resource is the collection, the namespace the scope. Writes go into
 * the store's open batch; watches hear of them when it was flushed. */
#ifndef DRUN_KUBE_KUBE_STORE_H
#define DRUN_KUBE_KUBE_STORE_H

#include "kube/storage.h"
#include "store/store.h"

struct kube_store;

/* The store stays the caller's and must outlive this. */
struct kube_store *kube_store_new(struct store *store) MUST_USE;
void kube_store_free(struct kube_store *objects);
void kube_store_free_ptr(struct kube_store **objects);
/* Lives as long as `objects`. */
const struct kube_storage *kube_store_storage(struct kube_store *objects);

#endif
