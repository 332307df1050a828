/* SPDX-License-Identifier: Apache-2.0 */
#include "proof.h"

#include "role/line.h"

#include <stdarg.h>

const char *proof_verdict_name(enum proof_verdict verdict)
{
    static const char *const names[] = {"absent", "proven", "degraded", "failed"};

    return names[verdict];
}

struct ipc_client *proof_peer(struct proof *proof, enum role_id peer)
{
    INVARIANT(proof->lines[peer] != NULL);
    return role_line_client(proof->lines[peer]);
}

static void put_line(struct proof *proof, const char *prefix, const char *fmt, va_list args)
{
    buf_put_str(&proof->evidence, prefix);
    buf_vprintf(&proof->evidence, fmt, args);
    buf_put_u8(&proof->evidence, '\n');
}

void proof_say(struct proof *proof, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_line(proof, "", fmt, args);
    va_end(args);
}

bool proof_expect(struct proof *proof, bool met, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_line(proof, met ? "holds: " : "DOES NOT HOLD: ", fmt, args);
    va_end(args);
    if (!met)
        proof->verdict = PROOF_FAILED;
    return met;
}

void proof_broken(struct proof *proof, const struct err *err)
{
    proof_say(proof, "cannot be measured: %s", err->msg);
    proof->verdict = PROOF_FAILED;
}

void proof_degrade(struct proof *proof, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_line(proof, "weaker here: ", fmt, args);
    va_end(args);
    if (proof->verdict == PROOF_PROVEN)
        proof->verdict = PROOF_DEGRADED;
}
