/* SPDX-License-Identifier: Apache-2.0 */
/* EN-3: keys live in one process, and it gives them only to whom its table names. */
#include "base/clock.h"
#include "front.h"
#include "keys/keys.h"

static void expect_denied(struct proof *proof, int result, const struct err *err, const char *what)
{
    proof_expect(proof, result < 0 && err->code == ERR_DENIED, "%s is refused%s%s", what,
                 result < 0 ? ": " : "", result < 0 ? err->msg : "");
}

void prove_en3(struct proof *proof)
{
    struct ipc_client *kms = proof_peer(proof, ROLE_KMS);
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(buf_free_wiped) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    CLEANUP(buf_free) struct buf sig = BUF_INIT(1024);
    struct keys_status status;
    struct err err = ERR_INIT;

    int result = keys_data_new(kms, "idp/users", &key, &wrapped, &err);
    expect_denied(proof, result, &err, "asking kms for a data key of idp/users");
    err_clear(&err);
    result = keys_sign(kms, "oidc", NULL, span_str("probe"), &sig, &err);
    expect_denied(proof, result, &err, "asking kms to sign with the token key");
    err_clear(&err);
    if (keys_status(kms, &status, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    proof_expect(proof, !status.sealed, "the keyring is open (%s)", status.provider);
    if (!status.memory_locked)
        proof_degrade(proof, "the secret memory of kms is not locked: raise RLIMIT_MEMLOCK");
    int64_t age_days = (clock_wall_sec() - status.kek_created_sec) / 86400;
    proof_expect(proof, age_days <= 31,
                 "the newest key-encryption key, version %u, is %lld days old", status.kek_version,
                 (long long)age_days);
    proof_say(proof, "%llu requests were refused since kms started",
              (unsigned long long)status.denied);
}
