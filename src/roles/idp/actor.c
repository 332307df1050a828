/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/actor.h"

#include "codec/json.h"

void actor_free(struct actor *actor)
{
    session_free(&actor->session);
    signin_free(&actor->signin);
    factors_free(&actor->factors);
}

int actor_find(struct idp *idp, struct serve_request *request, struct actor *actor, struct err *err)
{
    struct err later = ERR_INIT;

    if (session_find(idp, request, &actor->session, err) == 0) {
        actor->account = &actor->session.account;
    } else {
        if (err->code != ERR_UNAUTHENTICATED)
            return -1;
        if (signin_find(idp, request, &actor->signin, &later) < 0 ||
            !signin_is_at(&actor->signin, "enrol"))
            return -1;
        err_clear(err);
        actor->account = &actor->signin.account;
        actor->enrolling = true;
    }
    return factors_load(idp, actor->account, &actor->factors, err);
}

bool actor_may_change(struct idp *idp, struct serve_request *request, const char *event,
                      struct actor *actor)
{
    struct err err = ERR_INIT;

    if (!session_check_origin(idp, request))
        return false;
    if (actor_find(idp, request, actor, &err) < 0) {
        reply_err(request, &err);
        return false;
    }
    reply_event(request, event, AUDIT_SOURCE_SESSION, actor->account->name, actor->account->uid);
    if (actor->enrolling)
        return true;
    struct auth_demand demand = serve_step_up_demand(idp->serve);
    if (!(actor->factors.have & FACTOR_SECOND))
        demand.level = AUTH_LEVEL_PASSWORD;
    request->event.actor.session_id = serve_keep(request, actor->session.id);
    if (session_satisfies(&actor->session, &demand))
        return true;
    reply_step_up(request, &demand);
    return false;
}

/* ------------------------------------------------------------------ after one was added */

/* With the first factor: codes for the day on which it is lost, and an end to the sessions that
 * were opened without it. */
static int begin_second(struct idp *idp, struct actor *actor, json_t *shown, struct err *err)
{
    CLEANUP_JSON json_t *codes = NULL;

    TRY(factors_make_recovery(&actor->factors, &codes, err));
    json_object_set(shown, "recoveryCodes", codes);
    TRY(factors_save(idp, &actor->factors, err));
    return account_end_weaker(idp, actor->account->name, actor->session.id, err);
}

int actor_added(struct idp *idp, struct serve_request *request, struct actor *actor, unsigned had,
                const char *amr, json_t *shown, struct err *err)
{
    if (!(had & FACTOR_SECOND))
        TRY(begin_second(idp, actor, shown, err));
    if (actor->enrolling) {
        signin_prove(&actor->signin, amr);
        return signin_continue(idp, request, &actor->signin, shown, err);
    }
    TRY(session_raise(idp, actor->session.id, actor->account->name, amr, err));
    reply_json(request, 200, shown);
    return 0;
}

/* When the last one goes, so do the codes and the trust in devices. */
int actor_removed(struct idp *idp, struct actor *actor, struct err *err)
{
    if (!(actor->factors.have & FACTOR_SECOND)) {
        json_object_del(actor->factors.record, "recovery");
        json_object_del(actor->factors.record, "recoverySince");
    }
    TRY(factors_save(idp, &actor->factors, err));
    return device_untrust_all(idp, actor->account->name, err);
}
