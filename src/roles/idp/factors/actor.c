/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/actor.h"

#include "base/clock.h"
#include "codec/json.h"

void actor_free(struct actor *actor)
{
    session_free(&actor->session);
    account_free(&actor->own);
    signin_free(&actor->signin);
    factors_free(&actor->factors);
}

static void take_session(struct actor *actor)
{
    actor->account = &actor->session.account;
    actor->level = auth_level_of_amr(codec_json_text(actor->session.record, "amr", ""));
    actor->auth_time = actor->session.auth_time;
}

/* Applications that people sign in to must not reach for their second factors, whatever scope they
 * have. */
static int check_token(const struct auth_principal *who, struct err *err)
{
    struct span client = auth_text(who, who->client);

    if (who->source == AUTH_OPERATOR)
        return err_set(err, ERR_DENIED,
                       "the operator's socket is no person, and has nothing of its own");
    if (who->source != AUTH_SESSION || who->level == AUTH_LEVEL_NONE ||
        (!span_eq_str(client, "drun-cli") && !span_eq_str(client, "drun-console")))
        return err_set(err, ERR_DENIED, "only a person can do this, in the console or with drun");
    return 0;
}

static int find_by_token(struct idp *idp, const struct serve_request *request,
                         const char *authorization, struct actor *actor, struct err *err)
{
    struct auth_principal *who = arena_alloc(request->http->arena, sizeof(*who));
    struct auth_input input = {.authorization = span_str(authorization), .now = clock_wall_sec()};

    TRY(arena_check(request->http->arena, "the request", err));
    TRY(auth_check(idp->auth, &input, who, err));
    TRY(check_token(who, err));
    TRY(account_load_same(idp, (const char *)auth_text(who, who->name).p,
                          (const char *)auth_text(who, who->uid).p, &actor->own, err));
    actor->account = &actor->own;
    actor->level = who->level;
    actor->auth_time = who->auth_time;
    return 0;
}

static int find_on_the_way(struct idp *idp, const struct serve_request *request,
                           struct actor *actor)
{
    struct err ignored = ERR_INIT;

    if (signin_find(idp, request, &actor->signin, &ignored) < 0 ||
        !signin_is_at(&actor->signin, "enrol"))
        return -1;
    actor->account = &actor->signin.account;
    actor->enrolling = true;
    return 0;
}

int actor_find(struct idp *idp, struct serve_request *request, struct actor *actor, struct err *err)
{
    const char *authorization = http_request_header(request->http, "Authorization");

    if (authorization != NULL) {
        TRY(find_by_token(idp, request, authorization, actor, err));
    } else if (session_find(idp, request, &actor->session, err) == 0) {
        take_session(actor);
    } else {
        if (err->code != ERR_UNAUTHENTICATED || find_on_the_way(idp, request, actor) < 0)
            return -1;
        err_clear(err);
    }
    return factors_load(idp, actor->account, &actor->factors, err);
}

int actor_find_signed_in(struct idp *idp, struct serve_request *request, struct actor *actor,
                         struct err *err)
{
    TRY(actor_find(idp, request, actor, err));
    return actor->enrolling ? err_set(err, ERR_UNAUTHENTICATED, "you are not signed in") : 0;
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
    if (auth_satisfies(actor->level, actor->auth_time, &demand))
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
    TRY(factors_publish(idp, actor->account->name, actor->factors.have, err));
    if (actor->enrolling) {
        signin_prove(&actor->signin, amr);
        return signin_continue(idp, request, &actor->signin, shown, err);
    }
    if (actor->session.id[0] != '\0')
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
    TRY(factors_publish(idp, actor->account->name, actor->factors.have, err));
    return device_untrust_all(idp, actor->account->name, err);
}
