/* SPDX-License-Identifier: Apache-2.0 */
/* A server over memory or over the store, and a client that needs no socket; for the tests of this
 * folder. Every function fails the running test when something does not fit. */
#ifndef DRUN_KUBE_RIG_H
#define DRUN_KUBE_RIG_H

#include "base/mem.h"
#include "codec/json.h"
#include "kube/kube.h"
#include "store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct rig {
    struct kube_memory *memory;
    struct kube_store *objects;
    struct fixture fixture;
    const struct kube_storage *storage;
    struct kube_server *server;
    struct arena *arena;
    struct kube_answer answer;
    json_t *body; /* of the last answer */
    const char *user;
    const char *accept; /* NULL: none */
    unsigned changes;
    bool refuse;
    struct buf watched;
    bool ended;
};

extern bool rig_over_store;

int rig_start(void **state);
int rig_stop(void **state);
/* "GET /api/v1/namespaces?limit=1" must give the status; ' in the body stands for ". */
void rig_must(struct rig *rig, unsigned status, const char *what, const char *body);
/* A text in the last answer: "/metadata/name"; "" when there is none. */
const char *rig_text(struct rig *rig, const char *pointer);
void rig_make_user(struct rig *rig, const char *name);

#define USERS "/apis/drun.io/v1/users"
#define CMS   "/api/v1/namespaces/demo/configmaps"

#endif
