/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/signin.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "idp/federation/federation.h"

#define SIGNINS "signins"
#define COOKIE  "__Host-drun-signin"

void signin_free(struct signin *signin)
{
    json_decref(signin->record);
    account_free(&signin->account);
    *signin = (struct signin){0};
}

void signin_begin(struct signin *signin, struct account *account, const char *amr)
{
    *signin = (struct signin){.account = *account};
    *account = (struct account){0};
    signin->record = json_pack("{s:s, s:s, s:s, s:s, s:I, s:i}", "user", signin->account.name,
                               "uid", signin->account.uid, "stage", "factor", "amr", amr, "until",
                               (json_int_t)(clock_wall_sec() + SIGNIN_SEC), "tries", 0);
}

static int is_over(struct err *err)
{
    return err_set(err, ERR_GONE, "this sign-in is over; begin again");
}

int signin_find(struct idp *idp, const struct serve_request *request, struct signin *out,
                struct err *err)
{
    CLEANUP(signin_free) struct signin signin = {0};
    char secret[IDP_SECRET_SIZE];

    if (!cookie_get(request, COOKIE, secret))
        return is_over(err);
    idp_id_of(secret, signin.id);
    mem_wipe(secret, sizeof(secret));
    if (record_get(idp, SIGNINS, signin.id, &signin.record, err) < 0)
        return err->code == ERR_NOT_FOUND ? is_over(err) : -1;
    if (record_number(signin.record, "until") <= clock_wall_sec())
        return is_over(err);
    if (account_load_same(idp, codec_json_text(signin.record, "user", ""),
                          codec_json_text(signin.record, "uid", ""), &signin.account, err) < 0)
        return err->code == ERR_NOT_FOUND || err->code == ERR_DENIED ? is_over(err) : -1;
    *out = signin;
    signin = (struct signin){0};
    return 0;
}

int signin_save(struct idp *idp, struct serve_request *request, struct signin *signin,
                struct err *err)
{
    char secret[IDP_SECRET_SIZE];

    if (signin->id[0] == '\0') {
        TRY(idp_random(secret, err));
        idp_id_of(secret, signin->id);
        cookie_put(request, COOKIE, secret, SIGNIN_SEC);
        mem_wipe(secret, sizeof(secret));
    }
    return record_put(idp, SIGNINS, signin->id, signin->record, NULL, err);
}

int signin_drop(struct idp *idp, struct serve_request *request, struct signin *signin,
                struct err *err)
{
    if (signin->id[0] == '\0')
        return 0;
    cookie_drop(request, COOKIE);
    return record_delete(idp, SIGNINS, signin->id, err);
}

bool signin_is_at(const struct signin *signin, const char *stage)
{
    return strcmp(codec_json_text(signin->record, "stage", ""), stage) == 0;
}

void signin_prove(struct signin *signin, const char *more)
{
    char amr[AMR_SIZE];

    snprintf(amr, sizeof(amr), "%s", codec_json_text(signin->record, "amr", ""));
    amr_add(amr, more);
    json_object_set_new(signin->record, "amr", json_string(amr));
}

/* ------------------------------------------------------------------ what is next */

struct progress {
    struct factors factors;
    struct mfa_facts facts;
    enum mfa_step step;
};

static void progress_free(struct progress *progress)
{
    factors_free(&progress->factors);
}

static int look(struct idp *idp, const struct serve_request *request, const struct signin *signin,
                struct progress *out, struct err *err)
{
    struct device device;

    TRY(factors_load(idp, &signin->account, &out->factors, err));
    TRY(mfa_rule_of(idp, &signin->account, &out->facts.rule, err));
    device_find(idp, request, signin->account.uid, &device);
    out->facts.have = out->factors.have;
    out->facts.level = auth_level_of_amr(codec_json_text(signin->record, "amr", ""));
    out->facts.device_trusted = device.trusted;
    out->facts.recovered = json_is_true(json_object_get(signin->record, "recovered"));
    out->facts.now = clock_wall_sec();
    out->facts.grace_from = record_number(out->factors.record, "graceFrom");
    out->step = mfa_next(&out->facts);
    return 0;
}

/* The factors that would bring this sign-in on. */
static unsigned offered(const struct signin *signin, const struct progress *progress)
{
    unsigned have = progress->facts.have & progress->facts.rule.allowed;
    const char *session = codec_json_text(signin->record, "session", NULL);
    enum auth_level wanted = (enum auth_level)record_number(signin->record, "want");

    if (wanted == AUTH_LEVEL_PHISHING_RESISTANT ||
        (session == NULL && progress->facts.level >= AUTH_LEVEL_MFA))
        return have & FACTOR_PASSKEY;
    if (session != NULL)
        return have & FACTOR_SECOND ? have & FACTOR_SECOND : FACTOR_PASSWORD;
    return have;
}

/* What is missing, in the answer's own words. */
static const char *status_of(const struct signin *signin)
{
    if (signin_is_at(signin, "password"))
        return "password_change_required";
    return signin_is_at(signin, "enrol") ? "enrolment_required" : "factor_required";
}

static json_t *state_of(const struct idp *idp, const struct signin *signin,
                        const struct progress *progress)
{
    bool enrol = signin_is_at(signin, "enrol");
    unsigned allowed = progress->facts.rule.level == AUTH_LEVEL_PHISHING_RESISTANT
                           ? FACTOR_PASSKEY
                           : progress->facts.rule.allowed & factors_there(idp);
    char until[CLOCK_TEXT_SIZE];

    clock_format_sec(record_number(signin->record, "until"), until);
    return json_pack("{s:s, s:s, s:o, s:s}", "status", status_of(signin), "username",
                     signin->account.name, enrol ? "methods" : "factors",
                     factor_names(enrol ? allowed : offered(signin, progress)), "expiresAt", until);
}

static enum audit_source source_of(const struct signin *signin)
{
    return json_object_get(signin->record, "outside") != NULL ? AUDIT_SOURCE_PROVIDER
                                                              : AUDIT_SOURCE_PASSWORD;
}

static int answer_state(struct idp *idp, struct serve_request *request, struct signin *signin,
                        const struct progress *progress, const char *stage, const json_t *shown,
                        struct err *err)
{
    json_object_set_new(signin->record, "stage", json_string(stage));
    TRY(signin_save(idp, request, signin, err));
    CLEANUP_JSON json_t *body = state_of(idp, signin, progress);
    if (shown != NULL)
        json_object_update(body, (json_t *)(uintptr_t)shown);
    reply_event(request, "drun.auth.login.begin", source_of(signin), signin->account.name,
                signin->account.uid);
    reply_json(request, 200, body);
    return 0;
}

/* ------------------------------------------------------------------ the end */

static int note_grace(struct idp *idp, struct progress *progress, struct err *err)
{
    if (progress->step != MFA_GRACE || progress->facts.grace_from != 0)
        return 0;
    json_object_set_new(progress->factors.record, "graceFrom", json_integer(clock_wall_sec()));
    return factors_save(idp, &progress->factors, err);
}

static void answer_done(struct serve_request *request, const json_t *shown)
{
    if (shown == NULL) {
        reply_empty(request, 204);
        return;
    }
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "status", "signed_in");
    json_object_update(body, (json_t *)(uintptr_t)shown);
    reply_json(request, 200, body);
}

static int finish(struct idp *idp, struct serve_request *request, struct signin *signin,
                  struct progress *progress, struct err *err)
{
    bool trust = json_is_true(json_object_get(signin->record, "trust"));

    TRY(note_grace(idp, progress, err));
    if (progress->facts.device_trusted && progress->facts.level == AUTH_LEVEL_PASSWORD &&
        (progress->facts.have & FACTOR_SECOND))
        signin_prove(signin, "rba");
    TRY(device_note(idp, request, &signin->account, trust, err));
    TRY(signin_drop(idp, request, signin, err));
    TRY(session_open(idp, request, &signin->account, codec_json_text(signin->record, "amr", "pwd"),
                     err));
    TRY(federation_note_session(idp, (const char *)request->event.actor.session_id.p,
                                signin->record, err));
    reply_event(request, AUDIT_LOGIN, source_of(signin), signin->account.name, signin->account.uid);
    return 0;
}

/* A step-up has done what it was for with its first factor. */
static int finish_step_up(struct idp *idp, struct serve_request *request, struct signin *signin,
                          const char *session, struct err *err)
{
    TRY(session_raise(idp, session, signin->account.name,
                      codec_json_text(signin->record, "amr", ""), err));
    TRY(signin_drop(idp, request, signin, err));
    reply_event(request, "drun.auth.stepup", AUDIT_SOURCE_SESSION, signin->account.name,
                signin->account.uid);
    request->event.actor.session_id = serve_keep(request, session);
    reply_empty(request, 204);
    return 0;
}

/* Where it goes on; NULL when nothing is missing. */
static const char *stage_of(const struct signin *signin, const struct progress *progress)
{
    bool renew =
        json_is_true(codec_json_at(signin->account.object, "spec", "passwordChangeRequired", NULL));

    if (progress->step == MFA_FACTOR)
        return "factor";
    if (progress->step == MFA_ENROL)
        return "enrol";
    return renew && !json_is_true(json_object_get(signin->record, "renewed")) ? "password" : NULL;
}

int signin_continue(struct idp *idp, struct serve_request *request, struct signin *signin,
                    const json_t *shown, struct err *err)
{
    CLEANUP(progress_free) struct progress progress = {.step = MFA_FACTOR};
    const char *session = codec_json_text(signin->record, "session", NULL);

    if (session != NULL && codec_json_text(signin->record, "amr", "")[0] != '\0')
        return finish_step_up(idp, request, signin, session, err);
    TRY(look(idp, request, signin, &progress, err));
    if (session != NULL)
        progress.step = MFA_FACTOR;
    const char *stage = stage_of(signin, &progress);
    if (stage != NULL)
        return answer_state(idp, request, signin, &progress, stage, shown, err);
    TRY(finish(idp, request, signin, &progress, err));
    answer_done(request, shown);
    return 0;
}

/* ------------------------------------------------------------------ asking and leaving */

int signin_offers(struct idp *idp, const struct serve_request *request, const struct signin *signin,
                  unsigned *out, struct err *err)
{
    CLEANUP(progress_free) struct progress progress = {.step = MFA_DONE};

    TRY(look(idp, request, signin, &progress, err));
    *out = signin_is_at(signin, "factor") ? offered(signin, &progress) : 0;
    return 0;
}

/* GET /session/sign-in */
void signin_show(struct idp *idp, struct serve_request *request)
{
    CLEANUP(signin_free) struct signin signin = {0};
    CLEANUP(progress_free) struct progress progress = {.step = MFA_DONE};
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (signin_find(idp, request, &signin, &err) < 0 ||
        look(idp, request, &signin, &progress, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *body = state_of(idp, &signin, &progress);
    reply_json(request, 200, body);
}

/* DELETE /session/sign-in */
void signin_abandon(struct idp *idp, struct serve_request *request)
{
    CLEANUP(signin_free) struct signin signin = {0};
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (!session_check_origin(idp, request))
        return;
    if (signin_find(idp, request, &signin, &err) < 0 ||
        signin_drop(idp, request, &signin, &err) < 0)
        reply_err(request, &err);
    else
        reply_empty(request, 204);
}

/* Whoever came from an outside provider may have none. */
static int check_password(struct idp *idp, const struct account *account, struct err *err)
{
    CLEANUP_FREE char *phc = NULL;

    TRY(account_password(idp, account->name, account->uid, &phc, err));
    return phc != NULL ? 0
                       : err_set(err, ERR_CONFLICT,
                                 "you have no password here; sign out and sign in again where you "
                                 "came from");
}

/* Nobody is asked for what he does not have: he would be asked again and again. */
static int check_reach(struct idp *idp, const struct account *account, enum auth_level want,
                       struct err *err)
{
    CLEANUP(factors_free) struct factors factors = {0};

    TRY(factors_load(idp, account, &factors, err));
    if (want < AUTH_LEVEL_MFA)
        return factors.have & FACTOR_SECOND ? 0 : check_password(idp, account, err);
    unsigned needed = want == AUTH_LEVEL_MFA ? FACTOR_SECOND : FACTOR_PASSKEY;
    if (factors.have & needed)
        return 0;
    return err_set(err, ERR_CONFLICT, "this needs a %s, and you have none; set one up first",
                   want == AUTH_LEVEL_MFA ? "second factor" : "passkey");
}

/* POST /session/step-up {acr}: the same person, again or better. */
void signin_step_up(struct idp *idp, struct serve_request *request)
{
    CLEANUP_JSON json_t *body = session_body(idp, request);
    CLEANUP(session_free) struct session session = {0};
    CLEANUP(signin_free) struct signin signin = {0};
    struct err err = ERR_INIT;

    if (body == NULL)
        return;
    if (session_find(idp, request, &session, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    enum auth_level want = auth_level_by_acr(span_str(codec_json_text(body, "acr", "")));
    if (check_reach(idp, &session.account, want, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    signin_begin(&signin, &session.account, "");
    json_object_set_new(signin.record, "session", json_string(session.id));
    json_object_set_new(signin.record, "want", json_integer(want));
    if (signin_continue(idp, request, &signin, NULL, &err) < 0)
        reply_err(request, &err);
}
