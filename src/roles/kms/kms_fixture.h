/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests: a directory for a keyring, and a kms in a process of its own. */
#ifndef DRUN_KMS_FIXTURE_H
#define DRUN_KMS_FIXTURE_H

#include "keyring_internal.h"
#include "kms.h"
#include "role/role.h"

#include <sys/types.h>

struct fixture {
    char path[64];
    int dir_fd;
    struct secret *material; /* 32 bytes for the key file provider */
    struct keyring_place place;
    pid_t pid; /* of the kms, or 0 */
    struct ipc_client *as[ROLE_COUNT];
};

int fixture_setup(void **state); /* for cmocka; no kms yet */
int fixture_setup_running(void **state);
int fixture_teardown(void **state);
/* Starts a kms and connects a client for each role; sealed: without material. */
void fixture_start(struct fixture *fixture, bool sealed);
void fixture_kill(struct fixture *fixture);

/* A new keyring; loaded again. */
struct keyring *fixture_create(struct fixture *fixture, int64_t now_sec);
struct keyring *fixture_load(struct fixture *fixture);

#endif
