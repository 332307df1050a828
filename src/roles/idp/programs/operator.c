/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's own socket: who may connect to it as root, or as the user that runs the platform,
 * is an operator without any password. */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "jose/jose.h"

/* -1 when it was answered. */
static int check_peer(struct idp *idp, struct serve_request *request, unsigned *uid)
{
    struct err err = ERR_INIT;

    if (http_request_peer_uid(request->http, uid, &err) < 0) {
        reply_err(request, &err);
        return -1;
    }
    if (*uid == 0 || *uid == idp->operator_uid)
        return 0;
    request->event.outcome = AUDIT_DENIED;
    reply_problem(request, 403, "the user %u does not run this platform", *uid);
    return -1;
}

static int sign(struct idp *idp, const char *name, struct buf *token, struct err *err)
{
    CLEANUP_JSON json_t *groups = json_pack("[s]", AUTH_GROUP_OPERATORS);
    char jti[CLAIMS_ID_SIZE];
    struct claims claims = {
        .subject = name, .client = "drun-cli", .groups = groups, .ttl_sec = IDP_ACCESS_SEC};

    return claims_access_token(idp, &claims, token, jti, err);
}

void operator_token(struct idp *idp, struct serve_request *request)
{
    CLEANUP(buf_free_wiped) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    char name[64];
    unsigned uid = 0;
    struct err err = ERR_INIT;

    request->event.event = span_str(AUDIT_TOKEN_ISSUED);
    if (check_peer(idp, request, &uid) < 0)
        return;
    snprintf(name, sizeof(name), "system:operator:%u", uid);
    reply_event(request, AUDIT_TOKEN_ISSUED, AUDIT_SOURCE_OPERATOR, name, "");
    if (sign(idp, name, &token, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    buf_printf(&request->answer->body,
               "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%d}",
               buf_text(&token), IDP_ACCESS_SEC);
    reply_body(request, 200);
}

void operator_setup_link(struct idp *idp, struct serve_request *request)
{
    unsigned uid = 0;

    request->event.event = span_str("drun.auth.setuplink");
    if (check_peer(idp, request, &uid) == 0)
        setup_link(idp, request);
}
