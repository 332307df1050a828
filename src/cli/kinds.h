/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds by any of their names, and the paths of their objects. */
#ifndef DRUN_CLI_KINDS_H
#define DRUN_CLI_KINDS_H

#include "base/attr.h"
#include "base/err.h"
#include "kube/kinds/kinds.h"

/* "modelservice", "modelservices", "msvc", "ModelService", "modelservices.drun.io" */
int kinds_find(const char *name, const struct kube_kind **out, struct err *err) MUST_USE;
/* By apiVersion and kind, as a manifest has them. */
int kinds_of_object(const char *api_version, const char *kind, const struct kube_kind **out,
                    struct err *err) MUST_USE;
/* The path of one object, percent-encoded, or of the list when name is NULL; the namespace is left
 * out where the kind has none, or when it is NULL. The caller frees it. */
char *kinds_path(const struct kube_kind *kind, const char *namespace, const char *name) MUST_USE;

#endif
