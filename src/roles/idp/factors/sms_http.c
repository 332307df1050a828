/* SPDX-License-Identifier: Apache-2.0 */
/* A number as second factor: setting it up, and its codes while signing in. */
#include "idp/factors/actor.h"
#include "idp/factors/sms.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

enum { TRIES_MAX = 5 };

static bool check_there(const struct idp *idp, struct serve_request *request)
{
    if (sms_is_there(idp))
        return true;
    reply_problem(request, 409, "this platform sends no text messages");
    return false;
}

/* 429 says when; the header is in the answer. */
static void refuse(struct serve_request *request, const struct err *err)
{
    if (err->code == ERR_LIMITED)
        reply_problem(request, 429, "%s", err->msg);
    else
        reply_err(request, err);
}

static int begin(struct idp *idp, struct serve_request *request, struct actor *actor,
                 const char *number, char code[SMS_CODE_DIGITS + 1], struct err *err)
{
    CLEANUP_JSON json_t *pending = NULL;

    TRY(sms_allow(idp, request, actor->account->name, number, err));
    TRY(sms_code(idp, number, code, &pending, err));
    json_object_set(actor->factors.record, "smsPending", pending);
    return factors_save(idp, &actor->factors, err);
}

/* POST /session/factors/sms {number} */
void factors_sms_begin(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *body = session_body(idp, request);
    char number[SMS_NUMBER_SIZE];
    char code[SMS_CODE_DIGITS + 1];
    struct err err = ERR_INIT;

    if (body == NULL || !check_there(idp, request) ||
        !actor_may_change(idp, request, "drun.auth.factor.begin", &actor))
        return;
    if (!sms_number(codec_json_text(body, "number", ""), number)) {
        reply_problem(request, 422, "a number begins with + and the country's code");
        return;
    }
    if (begin(idp, request, &actor, number, code, &err) < 0) {
        refuse(request, &err);
        return;
    }
    sms_send(idp, request, number, code);
    mem_wipe(code, sizeof(code));
}

/* Wrong ones are counted; after some a new code is needed. */
static int confirm(struct idp *idp, struct actor *actor, const char *code, struct err *err)
{
    json_t *pending = json_object_get(actor->factors.record, "smsPending");
    const char *number = codec_json_text(pending, "number", "");

    if (pending == NULL || record_number(pending, "tries") >= TRIES_MAX)
        return err_set(err, ERR_GONE, "there is no number to be confirmed; begin again");
    if (sms_check(idp, pending, number, code, err) < 0) {
        struct err ignored = ERR_INIT;
        json_object_set_new(pending, "tries", json_integer(record_number(pending, "tries") + 1));
        return factors_save(idp, &actor->factors, &ignored) < 0 ? (*err = ignored, -1) : -1;
    }
    json_object_set_new(
        actor->factors.record, "sms",
        json_pack("{s:s, s:I}", "number", number, "since", (json_int_t)clock_wall_sec()));
    json_object_del(actor->factors.record, "smsPending");
    return factors_save(idp, &actor->factors, err);
}

/* POST /session/factors/sms/confirm {code} */
void factors_sms_confirm(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP_JSON json_t *shown = json_object();
    struct err err = ERR_INIT;

    if (body == NULL || !check_there(idp, request) ||
        !actor_may_change(idp, request, "drun.auth.factor.add", &actor))
        return;
    request->event.action.name = span_str("sms");
    unsigned had = actor.factors.have;
    if (confirm(idp, &actor, codec_json_text(body, "code", ""), &err) < 0 ||
        actor_added(idp, request, &actor, had, "sms", shown, &err) < 0) {
        if (err.code == ERR_UNAUTHENTICATED)
            err.code = ERR_INVALID; /* the session is good, the code is not */
        reply_err(request, &err);
    }
}

/* DELETE /session/factors/sms */
void factors_sms_remove(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    struct err err = ERR_INIT;

    if (!actor_may_change(idp, request, "drun.auth.factor.remove", &actor))
        return;
    request->event.action.name = span_str("sms");
    if (!(actor.factors.have & FACTOR_SMS)) {
        reply_problem(request, 404, "there is no number to be removed");
        return;
    }
    json_object_del(actor.factors.record, "sms");
    if (actor_removed(idp, &actor, &err) < 0)
        reply_err(request, &err);
    else
        reply_empty(request, 204);
}

/* ------------------------------------------------------------------ while signing in */

static int offer(struct idp *idp, struct serve_request *request, struct signin *signin,
                 char number[SMS_NUMBER_SIZE], char code[SMS_CODE_DIGITS + 1], struct err *err)
{
    CLEANUP(factors_free) struct factors factors = {0};
    CLEANUP_JSON json_t *record = NULL;

    TRY(factors_load(idp, &signin->account, &factors, err));
    snprintf(number, SMS_NUMBER_SIZE, "%s",
             codec_json_text(json_object_get(factors.record, "sms"), "number", ""));
    TRY(sms_allow(idp, request, signin->account.name, number, err));
    TRY(sms_code(idp, number, code, &record, err));
    json_object_set(signin->record, "sms", record);
    return signin_save(idp, request, signin, err);
}

void signin_send_code(struct idp *idp, struct serve_request *request, struct signin *signin)
{
    char number[SMS_NUMBER_SIZE];
    char code[SMS_CODE_DIGITS + 1];
    struct err err = ERR_INIT;

    if (!check_there(idp, request))
        return;
    if (offer(idp, request, signin, number, code, &err) < 0) {
        refuse(request, &err);
        return;
    }
    sms_send(idp, request, number, code);
    mem_wipe(code, sizeof(code));
}

int signin_take_code(struct idp *idp, struct signin *signin, const char *code, struct err *err)
{
    const json_t *record = json_object_get(signin->record, "sms");

    TRY(sms_check(idp, record, codec_json_text(record, "number", ""), code, err));
    json_object_del(signin->record, "sms");
    return 0;
}
