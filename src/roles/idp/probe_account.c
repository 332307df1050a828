/* SPDX-License-Identifier: Apache-2.0 */
/* The user whom the posture role signs in as, to see what does not work: it is made for a proof and
 * removed after it. */
#include "idp/factors/signin.h"

#include "base/clock.h"
#include "codec/json.h"
#include "wire/proofs.h"

enum { PROBE_SEC = 300 };

static const char user_name[] = IDP_PROBE_USER;

static int forget(struct idp *idp, struct err *err)
{
    TRY(record_delete(idp, "credentials", user_name, err));
    TRY(factors_drop_all(idp, user_name, err));
    TRY(account_sign_out(idp, user_name, err));
    publish_touch(idp->publish, &kube_user, "", user_name);
    return 0;
}

int probe_account_drop(struct idp *idp, struct err *err)
{
    if (kube_object_delete(serve_kube(idp->serve), &kube_user, "", user_name, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    return forget(idp, err);
}

static int make(struct idp *idp, char url[IDP_URL_SIZE], struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    CLEANUP_JSON json_t *user = json_pack(
        "{s:s, s:s, s:{s:s}, s:{s:s}}", "apiVersion", "drun.io/v1", "kind", "User", "metadata",
        "name", user_name, "spec", "displayName", "What the posture role signs in as");

    TRY(probe_account_drop(idp, err));
    TRY(kube_object_put(serve_kube(idp->serve), &kube_user, user, err));
    TRY(account_load(idp, user_name, &account, err));
    publish_touch(idp->publish, &kube_user, "", user_name);
    return link_renew(idp, user_name, account.uid, PROBE_SEC, url, err);
}

int probe_account_make(struct idp *idp, struct buf *reply, struct err *err)
{
    static const char mark[] = "#token=";
    char url[IDP_URL_SIZE];
    struct audit_event event = {
        .event = span_str("drun.auth.probe"),
        .actor = {.name = span_str(AUTH_POSTURE), .source = AUDIT_SOURCE_ROLE},
        .action = {.name = span_str(user_name)},
    };

    TRY(make(idp, url, err));
    const char *token = strstr(url, mark);
    INVARIANT(token != NULL);
    token += strlen(mark);
    buf_printf(reply, "{\"username\":\"%s\",\"token\":\"%.*s\"}", user_name,
               (int)strcspn(token, "&"), token);
    serve_record(idp->serve, &event);
    return buf_check(reply, "the answer", err);
}
