/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/device.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

#include <stdio.h>
#include <unistd.h>

enum { INTERVAL_SEC = 5 };

#define GRANT "urn:ietf:params:oauth:grant-type:device_code"

static int ask(const struct login *login, const char *url, json_t **answer, struct err *err)
{
    const char *const form[] = {"client_id", LOGIN_CLIENT_ID, "scope",
                                "openid profile groups drun offline_access", NULL};

    TRY(login_post(login, url, form, answer, err));
    if (codec_json_text(*answer, "device_code", NULL) == NULL ||
        codec_json_text(*answer, "user_code", NULL) == NULL)
        return err_set(err, ERR_INVALID, "the platform's answer has no device_code");
    return 0;
}

static void tell(const json_t *asked)
{
    const char *complete = codec_json_text(asked, "verification_uri_complete", NULL);

    fprintf(stderr, "Open this in a browser anywhere:\n\n  %s\n\nand type in the code\n\n  %s\n\n",
            codec_json_text(asked, "verification_uri", ""),
            codec_json_text(asked, "user_code", ""));
    if (complete != NULL)
        fprintf(stderr, "or open %s\n\n", complete);
}

/* 1: signed in; 0: not yet. */
static int poll_once(struct login *login, const char *device_code, long long *interval_sec,
                     struct err *err)
{
    const char *const form[] = {"grant_type", GRANT,           "device_code", device_code,
                                "client_id",  LOGIN_CLIENT_ID, NULL};
    CLEANUP_JSON json_t *answer = NULL;
    unsigned status;

    TRY(login_ask(login, login->token_url, form, &status, &answer, err));
    const char *code = codec_json_text(answer, "error", "");
    if (status == 200) {
        TRY(login_take_tokens(login, answer, err));
        return 1;
    }
    if (strcmp(code, "slow_down") == 0)
        *interval_sec += INTERVAL_SEC;
    else if (strcmp(code, "authorization_pending") != 0)
        return err_set(err, ERR_DENIED, "the platform refused the sign-in: %s",
                       codec_json_text(answer, "error_description", code));
    return 0;
}

int device_sign_in(struct login *login, const char *device_url, struct err *err)
{
    CLEANUP_JSON json_t *asked = NULL;

    if (device_url[0] == '\0')
        return err_set(err, ERR_UNSUPPORTED, "%s knows no device codes", login->server);
    TRY(ask(login, device_url, &asked, err));
    tell(asked);
    long long interval = json_integer_value(json_object_get(asked, "interval"));
    long long ends = clock_wall_sec() + json_integer_value(json_object_get(asked, "expires_in"));
    interval = interval > 0 ? interval : INTERVAL_SEC;
    login->refresh_token = mem_strdup("");
    while (clock_wall_sec() < ends) {
        sleep((unsigned)interval);
        int done = poll_once(login, codec_json_text(asked, "device_code", ""), &interval, err);
        if (done != 0)
            return done < 0 ? -1 : 0;
    }
    return err_set(err, ERR_TIMEOUT, "nobody typed the code in; try again");
}
