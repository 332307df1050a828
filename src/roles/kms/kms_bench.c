/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a role gets out of kms: signatures and data keys a second through messages, one at a time
 * and in batches, beside the same signatures without messages in the same run. Not part of the
 * tests: build/src/roles/kms/kms_bench.
 */
#include "base/clock.h"
#include "kms_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BATCH = 64, RUN_NS = 1000 * 1000 * 1000 };

static struct fixture *fixture;
static uint8_t input[600]; /* a usual ID token without its signature */

static uint64_t sign_here(const struct sign_key *key)
{
    CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
    struct err err = ERR_INIT;

    buf_reset(&sig);
    INVARIANT(sign_data(key, span_of(input, sizeof(input)), &sig, &err) == 0);
    return 1;
}

static uint64_t sign_there(const char *name, size_t count)
{
    CLEANUP(buf_free) struct buf sigs = BUF_INIT(BATCH * SIGN_SIG_MAX);
    struct span inputs[BATCH];
    size_t sig_len;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < count; i++)
        inputs[i] = span_of(input, sizeof(input));
    INVARIANT(keys_sign_batch(fixture->as[ROLE_IDP], name, NULL, inputs, count, &sigs, &sig_len,
                              &err) == 0);
    return count;
}

/* A second of each, in the order of the table's columns. */
static void measure(const char *name, enum sign_alg alg)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    double per_sec[3];
    struct err err = ERR_INIT;

    INVARIANT(sign_key_generate(alg, &key, &err) == 0);
    for (int way = 0; way < 3; way++) {
        uint64_t start_ns = clock_mono_ns();
        uint64_t done = 0;
        while (clock_mono_ns() - start_ns < RUN_NS)
            done += way == 0 ? sign_here(key) : sign_there(name, way == 1 ? 1 : BATCH);
        per_sec[way] = (double)done * 1e9 / (double)(clock_mono_ns() - start_ns);
    }
    printf("%-12s %12.0f %12.0f %5.2f %12.0f %5.2f\n", name, per_sec[0], per_sec[1],
           per_sec[1] / per_sec[0], per_sec[2], per_sec[2] / per_sec[0]);
}

static void measure_data_keys(void)
{
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    struct ipc_client *idp = fixture->as[ROLE_IDP];
    struct secret *key = NULL;
    uint64_t done = 0;
    struct err err = ERR_INIT;

    INVARIANT(keys_data_new(idp, "idp/users", &key, &wrapped, &err) == 0);
    secret_free(key);
    uint64_t start_ns = clock_mono_ns();
    for (; clock_mono_ns() - start_ns < RUN_NS; done++) {
        INVARIANT(keys_data_open(idp, "idp/users", buf_span(&wrapped), &key, &err) == 0);
        secret_free(key);
    }
    printf("data keys opened: %.0f/s\n", (double)done * 1e9 / (double)(clock_mono_ns() - start_ns));
}

int main(void)
{
    fixture_setup((void **)&fixture);
    fixture_start(fixture, false);
    printf("signatures/s    in process     messages ratio  batch of %d ratio\n", BATCH);
    measure("oidc", SIGN_ES256);
    measure("oidc-eddsa", SIGN_EDDSA);
    measure("oidc-rs256", SIGN_RS256);
    measure_data_keys();
    fixture_teardown((void **)&fixture);
    return 0;
}
