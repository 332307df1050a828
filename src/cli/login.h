/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sign-in that `drun login` keeps in $XDG_CONFIG_HOME/drun/login.json, mode 0600. The access
 * token lives for minutes; the refresh token that goes with it is used once and brings the next
 * one, so commands that run at the same time take turns.
 */
#ifndef DRUN_CLI_LOGIN_H
#define DRUN_CLI_LOGIN_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct login {
    char *server;
    char *ca_pem; /* "" for the system's own */
    char *token_url;
    char *revoke_url;
    char *access_token;
    char *refresh_token; /* "" when there is none */
    long long expires_at;
};

#define LOGIN_INIT                                                                                 \
    {                                                                                              \
        .server = NULL                                                                             \
    }

#define LOGIN_CLIENT_ID "drun-cli"

/* A token that ends sooner is refreshed: a command takes a while, and clocks differ. */
enum { LOGIN_EARLY_SEC = 60 };

/* 1: signed in; refreshed first when it was about to expire. 0: not signed in, or to another
 * platform than `server` (NULL: to any). ERR_UNAUTHENTICATED: it has ended. */
int login_load(const char *server, struct login *out, struct err *err) MUST_USE;
/* The same as it lies there, whether it has ended or not. */
int login_peek(struct login *out, struct err *err) MUST_USE;
/* Slashes at the end make no difference. */
bool login_is_of(const struct login *login, const char *server);
int login_save(const struct login *login, struct err *err) MUST_USE;
/* Forgets it, and has the platform revoke it. */
int login_forget(bool *out_was_there, struct err *err) MUST_USE;
void login_free(struct login *login);

/* application/x-www-form-urlencoded: names and values by turns, ends with NULL. */
void login_put_form(const char *const *form, struct buf *out);
/* Posts a form to the platform's OAuth endpoint;
 * `answer` may be NULL. */
int login_post(const struct login *login, const char *url, const char *const *form, json_t **answer,
               struct err *err) MUST_USE;
/* The same, whatever the status is. */
int login_ask(const struct login *login, const char *url, const char *const *form, unsigned *status,
              json_t **answer, struct err *err) MUST_USE;
/* Takes the tokens out of a token endpoint's answer. */
int login_take_tokens(struct login *login, const json_t *answer, struct err *err) MUST_USE;

#endif
