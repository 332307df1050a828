/* SPDX-License-Identifier: Apache-2.0 */
/* Users that were written before they were found by terms are written once more, as they are. */
#include "idp/idp_internal.h"

#include "codec/json.h"

#define DONE "userterms"

/* Durable page by page: one that stops half-way begins again, and does no harm. */
static int write_all(struct idp *idp, struct err *err)
{
    CLEANUP(buf_free) struct buf from = BUF_INIT(256);
    CLEANUP(buf_free) struct buf next = BUF_INIT(256);
    int more;

    do {
        more = kube_object_index(serve_kube(idp->serve), &kube_user,
                                 from.len == 0 ? NULL : buf_text(&from), &next, err);
        TRY(more);
        TRY(store_flush(idp->store, err));
        buf_reset(&from);
        buf_put_span(&from, buf_span(&next));
    } while (more > 0);
    return 0;
}

int account_index_start(struct idp *idp, struct err *err)
{
    CLEANUP_JSON json_t *done = NULL;

    if (record_get(idp, "meta", DONE, &done, err) == 0)
        return 0;
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    TRY(write_all(idp, err));
    done = json_pack("{s:b}", "done", 1);
    TRY(record_put(idp, "meta", DONE, done, NULL, err));
    return store_flush(idp->store, err);
}
