/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The patches of the API. Each changes *target in place (it may replace the value itself); after an
 * error *target is in an unknown state and must be thrown away. Patches are data from outside:
 * ERR_INVALID says what is wrong with them, ERR_TOO_LARGE that they do too much.
 */
#ifndef DRUN_KUBE_PATCH_H
#define DRUN_KUBE_PATCH_H

#include "kube/schema.h"

enum {
    KUBE_PATCH_OPS_MAX = 10000,    /* of one JSON patch, as kube-apiserver */
    KUBE_PATCH_NODES_MAX = 500000, /* values in what a JSON patch makes by copying */
    KUBE_PATCH_DEPTH_MAX = 60,     /* below CODEC_DEPTH_MAX: what is stored must be readable */
};

/* RFC 6902: all operations, one after the other; the first that fails ends it. A failed `test` is
 * ERR_CONFLICT. */
int kube_patch_json(json_t **target, const json_t *patch, struct err *err) MUST_USE;
/* RFC 7386. */
int kube_patch_merge(json_t **target, const json_t *patch, struct err *err) MUST_USE;
/* Kubernetes' strategic merge: lists with a merge key are merged by it, sets are united, with the
 * directives $patch, $retainKeys, $deleteFromPrimitiveList/ and $setElementOrder/. */
int kube_patch_strategic(json_t **target, const json_t *patch, const struct kube_shape *shape,
                         struct err *err) MUST_USE;

/* RFC 6901. NULL with ERR_INVALID for what is no pointer, ERR_NOT_FOUND where nothing is. */
json_t *kube_pointer_get(json_t *document, const char *pointer, struct err *err);
/* The steps of a pointer: calls fn with each unescaped reference token. */
typedef int kube_pointer_fn(void *ctx, const char *token, bool last, struct err *err);
int kube_pointer_walk(const char *pointer, kube_pointer_fn *fn, void *ctx,
                      struct err *err) MUST_USE;
/* The index that a token means in a list of `count`: with `add`, "-" and count are the end. */
int kube_pointer_index(const char *token, size_t count, bool add, size_t *out,
                       struct err *err) MUST_USE;

#endif
