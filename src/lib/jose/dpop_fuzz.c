/* SPDX-License-Identifier: Apache-2.0 */
/* A proof is refused with a reason, or its key is one with a name and its URL is ours. */
#include "jose/dpop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const origins[] = {"https://drun.test", NULL};
    struct dpop_expect expect = {
        .method = "POST", .origins = origins, .path = "/oauth2/token", .now = 1800000000};
    struct dpop_proof proof;
    struct err err = ERR_INIT;

    if (dpop_verify(&expect, span_of(data, size), &proof, &err) == 0)
        INVARIANT(strlen(proof.jkt) == SIGN_KID_SIZE - 1);
    else
        INVARIANT(err.code == ERR_UNAUTHENTICATED && err.msg[0] != '\0');
    return 0;
}
