/* SPDX-License-Identifier: Apache-2.0 */
/* The place inside an object that is being looked at, as errors name it: spec.env[2].name */
#ifndef DRUN_KUBE_PATH_H
#define DRUN_KUBE_PATH_H

#include "base/attr.h"

#include <stddef.h>

enum { KUBE_PATH_MAX = 512 };

/* A path that would be longer is cut; only its text is for people. */
struct kube_path {
    char text[KUBE_PATH_MAX];
    size_t len;
};

/* Each returns the length to go back to with kube_path_cut(). */
size_t kube_path_name(struct kube_path *path, const char *name);
size_t kube_path_index(struct kube_path *path, size_t index);
size_t kube_path_key(struct kube_path *path, const char *key);
void kube_path_cut(struct kube_path *path, size_t len);

#endif
