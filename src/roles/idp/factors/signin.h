/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sign-in on its way: what was proved so far, and what is missing. It is a record under the hash
 * of a cookie, so that it can be neither guessed nor continued in another browser; it is over after
 * ten minutes or five wrong codes.
 *
 *     POST /session {username, password}
 *         -> done: 204, the session's cookie
 *         -> factor: 200 {"status": "factor_required", "factors": [...]}
 *         -> enrol:  200 {"status": "enrolment_required", "methods": [...]}
 *         -> password: 200 {"status": "password_change_required"}
 *     POST /session/factor {type, ...}    (factor)
 *     POST /session/factors/...           (enrol)
 *     POST /session/sign-in/password      (password)
 */
#ifndef DRUN_IDP_SIGNIN_H
#define DRUN_IDP_SIGNIN_H

#include "idp/factors/factors.h"

enum { SIGNIN_SEC = 600, SIGNIN_TRIES = 5 };

struct signin {
    char id[IDP_ID_SIZE]; /* "" while it is not stored */
    json_t *record;
    struct account account;
};

void signin_free(struct signin *signin);
/* Who proved himself by `amr`. Takes *account. */
void signin_begin(struct signin *signin, struct account *account, const char *amr);
/* By the request's cookie; ERR_GONE when there is none, or it is over. */
int signin_find(struct idp *idp, const struct serve_request *request, struct signin *out,
                struct err *err) MUST_USE;
/* Stores it; a new one gets its cookie. */
int signin_save(struct idp *idp, struct serve_request *request, struct signin *signin,
                struct err *err) MUST_USE;
int signin_drop(struct idp *idp, struct serve_request *request, struct signin *signin,
                struct err *err) MUST_USE;
/* The factors that it takes now (enum factor). */
int signin_offers(struct idp *idp, const struct serve_request *request, const struct signin *signin,
                  unsigned *out, struct err *err) MUST_USE;
bool signin_is_at(const struct signin *signin, const char *stage);
/* More was proved. */
void signin_prove(struct signin *signin, const char *amr);

/* Goes on to the next step and answers the request: opens the session, or says what is missing.
 * `shown` (may be NULL) is merged into the answer. */
int signin_continue(struct idp *idp, struct serve_request *request, struct signin *signin,
                    const json_t *shown, struct err *err) MUST_USE;

idp_handler_fn signin_show, signin_abandon, signin_password, signin_step_up, signin_factor,
    signin_factor_options, signin_passkey_options;

/* login.c: the password again, for a step-up; answers the request. */
void login_again(struct idp *idp, struct serve_request *request, const struct signin *signin,
                 const char *password);

/* sms_http.c: sends a code and answers; checks one. */
void signin_send_code(struct idp *idp, struct serve_request *request, struct signin *signin);
int signin_take_code(struct idp *idp, struct signin *signin, const char *code,
                     struct err *err) MUST_USE;

/* ------------------------------------------------------------------ factors_http.c, sms_http.c */

idp_handler_fn factors_show, factors_totp_begin, factors_totp_confirm, factors_totp_remove,
    factors_passkey_options, factors_passkey_add, factors_passkey_rename, factors_passkey_remove,
    factors_recovery_new, factors_sms_begin, factors_sms_confirm, factors_sms_remove;

/* ------------------------------------------------------------------ users_http.c: for
 * administrators */

/* /apis/drun.io/v1/users/NAME/{factors,sessions,passwordlink} */
bool users_route(struct idp *idp, struct serve_request *request);

/* ------------------------------------------------------------------ probe_account.c: for proofs */

/* A user without any right, whom the posture role attacks; see wire/proofs.h. */
int probe_account_make(struct idp *idp, struct buf *reply, struct err *err) MUST_USE;
int probe_account_drop(struct idp *idp, struct err *err) MUST_USE;

#endif
