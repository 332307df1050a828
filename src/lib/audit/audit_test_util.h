/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder's tests, fuzz targets and benchmark: a log in a temporary directory with keys of
 * its own in the place of kms. */
#ifndef DRUN_AUDIT_TEST_UTIL_H
#define DRUN_AUDIT_TEST_UTIL_H

#include "audit/log.h"
#include "crypto/sign.h"

#define TEST_ORIGIN "drun/audit/test"

struct test_keys {
    struct sign_key *signer;
    struct secret *wrapper; /* data keys are wrapped under it */
    uint8_t public[NOTE_PUBLIC_LEN];
    struct note_keys signers;
    bool away; /* as if kms was sealed */
};

void test_keys_init(struct test_keys *keys);
void test_keys_free(struct test_keys *keys);
struct audit_log_config test_config(struct test_keys *keys);

/* A fresh directory below /tmp, or below the directory in DRUN_TEST_DIR. */
void test_dir_make(char path[64]);
void test_dir_remove(const char *path);
void test_dir_copy(const char *from, const char *to);
int test_dir_fd(const char *path);

struct audit_event test_event(uint64_t number, char room[32]);
/* Opens, and fails the test when that fails. */
struct audit_log *test_log(const char *path, const struct audit_log_config *config);
void test_append(struct audit_log *log, uint64_t from, size_t count);

#endif
