/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "wire/proofs.h"

#include <stdlib.h>
#include <time.h>

enum { REFUSED_WITHIN_MS = 100, POLL_US = 2000, POLL_MAX = 1000, TOKEN_SIZE = 128 };

bool probe_expect(struct probe *probe, struct visitor *visitor, const char *method,
                  const char *path, json_t *body, unsigned wanted, json_t **out, const char *what)
{
    CLEANUP_JSON json_t *sent = body;
    CLEANUP_JSON json_t *answer = NULL;
    unsigned status = visitor_call(probe->proof, visitor, method, path, sent, &answer);

    if (out != NULL)
        *out = json_incref(answer);
    return proof_expect(probe->proof, status == wanted, "%s (%s %s: %u)", what, method, path,
                        status);
}

static int make_account(struct probe *probe, char token[TOKEN_SIZE], struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf reply = BUF_INIT(4096);
    CLEANUP_JSON json_t *made = NULL;

    TRY(ipc_call(proof_peer(probe->proof, ROLE_IDP), IDP_PROBE_ACCOUNT, span_of(NULL, 0), &reply,
                 NULL, err));
    TRY(codec_json_parse(buf_span(&reply), "the account", &made, err));
    snprintf(probe->user, sizeof(probe->user), "%s", codec_json_text(made, "username", ""));
    snprintf(token, TOKEN_SIZE, "%s", codec_json_text(made, "token", ""));
    return 0;
}

static bool accept_link(struct probe *probe, struct visitor *visitor, const char *token,
                        unsigned wanted, const char *what)
{
    return probe_expect(probe, visitor, "POST", "/session/accept",
                        json_pack("{s:s, s:s}", "token", token, "password", PROBE_PASSWORD), wanted,
                        NULL, what);
}

bool probe_sign_in(struct probe *probe, struct visitor *visitor)
{
    char token[TOKEN_SIZE];
    struct err err = ERR_INIT;

    if (make_account(probe, token, &err) < 0) {
        proof_broken(probe->proof, &err);
        return false;
    }
    return accept_link(probe, visitor, token, 204, "a one-time link sets a password") &&
           accept_link(probe, visitor, token, 410, "the link works once");
}

void probe_end_session(struct probe *probe, struct visitor *owner)
{
    CLEANUP(visitor_free) struct visitor thief = {0};

    visitor_copy(owner, &thief);
    probe_expect(probe, &thief, "GET", "/session", NULL, 200, NULL,
                 "a copied cookie is the session");
    probe_expect(probe, owner, "DELETE", "/session", NULL, 204, NULL, "its owner signs out");
    probe_expect(probe, &thief, "GET", "/session", NULL, 401, NULL,
                 "the copy of a session that was ended opens nothing");
}

void probe_drop(struct probe *probe)
{
    struct err err = ERR_INIT;

    if (ipc_call(proof_peer(probe->proof, ROLE_IDP), IDP_PROBE_DROP, span_of(NULL, 0),
                 &(struct buf)BUF_INIT(64), NULL, &err) < 0)
        proof_broken(probe->proof, &err);
}

/* Milliseconds until it is refused; -1 when it never is. */
static int64_t time_to_refusal(struct proof *proof, const char *credential)
{
    uint64_t began = clock_mono_ns();
    struct err err = ERR_INIT;
    unsigned status = 0;

    for (int i = 0; i < POLL_MAX; i++) {
        if (front_call(proof->front, "GET", "/v1/models", credential, NULL, &status, NULL, &err) <
            0) {
            proof_broken(proof, &err);
            return -1;
        }
        if (status == 401)
            return (int64_t)((clock_mono_ns() - began) / 1000000);
        nanosleep(&(struct timespec){.tv_nsec = POLL_US * 1000L}, NULL);
    }
    return -1;
}

void probe_expect_refusal(struct proof *proof, const char *credential, const char *what)
{
    int64_t ms = time_to_refusal(proof, credential);

    if (ms < 0)
        proof_expect(proof, false, "%s is refused (%d calls later it was not)", what, POLL_MAX);
    else
        proof_expect(proof, ms <= REFUSED_WITHIN_MS, "%s is refused after %lld ms (at most %d)",
                     what, (long long)ms, REFUSED_WITHIN_MS);
}
