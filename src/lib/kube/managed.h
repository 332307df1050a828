/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who applied which field: sets of fields as trees (FieldsV1), as metadata.managedFields keeps
 * them. A member is "f:name", an entry of a keyed list "k:{...}" with the merge key, an element of
 * a set "v:..."; a leaf is an empty object. Only appliers own fields here; other writes own
 * nothing.
 */
#ifndef DRUN_KUBE_MANAGED_H
#define DRUN_KUBE_MANAGED_H

#include "kube/schema.h"

/* The fields that an applied object names; a new reference. What identifies the object is left
 * out. */
json_t *kube_fields_of(const struct kube_shape *shape, const json_t *object);

/* Calls fn for each field that both trees have and whose value in `live` is not the one in
 * `applied`. */
typedef void kube_fields_fn(void *ctx, const char *path);
void kube_fields_conflicts(const json_t *mine, const json_t *theirs, const json_t *live,
                           const json_t *applied, kube_fields_fn *fn, void *ctx);
/* Takes the leaves of `mine` out of `theirs`. */
void kube_fields_subtract(json_t *theirs, const json_t *mine);
/* Removes from the object what `before` has and neither `now` nor any of the array `others` has. */
void kube_fields_remove(json_t *object, const json_t *before, const json_t *now,
                        const json_t *others);

#endif
