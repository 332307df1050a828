/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label selectors ("app=web,tier in (a,b),!old,size>3") and field selectors
 * ("metadata.name=x,status.phase!=Ready"), in the syntax of the Kubernetes API.
 */
#ifndef DRUN_KUBE_SELECTOR_H
#define DRUN_KUBE_SELECTOR_H

#include "base/arena.h"
#include "kube/schema.h"

enum { KUBE_SELECTOR_MAX = 64 * 1024 };

struct kube_selector; /* in the arena; NULL selects everything */

int kube_selector_labels(const char *text, struct arena *arena, struct kube_selector **out,
                         struct err *err) MUST_USE;
/* Only metadata.name, metadata.namespace and what the kind says. */
int kube_selector_fields(const char *text, const struct kube_kind *kind, struct arena *arena,
                         struct kube_selector **out, struct err *err) MUST_USE;

bool kube_selector_matches_labels(const struct kube_selector *selector, const json_t *object);
bool kube_selector_matches_fields(const struct kube_selector *selector, const json_t *object);
/* The one value that the selector demands of a field ("metadata.name"), or NULL. */
const char *kube_selector_demands(const struct kube_selector *selector, const char *field);

/* The value at a path of names such as "spec.modelRef.name"; NULL when there is none. */
const json_t *kube_at_path(const json_t *object, const char *path);

#endif
