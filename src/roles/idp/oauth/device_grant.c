/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in on a device that has no browser (RFC 8628): it shows a short code, which the user
 * types in elsewhere. The code has 34 bits, holds ten minutes, and wrong ones are throttled per
 * user.
 */
#include "idp/oauth/device_grant.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "idp/oauth/oauth.h"
#include "idp/oauth/token.h"
#include "idp/page.h"

enum { DEVICE_SEC = 600, INTERVAL_SEC = 5, USER_CODE_LEN = 8 };

/* Without vowels and what looks alike (RFC 8628 section 6.1). */
static const char alphabet[] = "BCDFGHJKLMNPQRSTVWXZ";

/* ------------------------------------------------------------------ user codes */

bool device_read_code(const char *text, char out[DEVICE_CODE_SIZE])
{
    size_t len = 0;

    for (const char *at = text; *at != '\0'; at++) {
        char c = *at >= 'a' && *at <= 'z' ? (char)(*at - 32) : *at;
        if (c == '-' || c == ' ')
            continue;
        if (strchr(alphabet, c) == NULL || len == USER_CODE_LEN)
            return false;
        out[len++] = c;
    }
    out[len] = '\0';
    return len == USER_CODE_LEN;
}

/* Each letter equally likely: bytes above the largest multiple of 20 are thrown away. */
static int draw_code(char out[DEVICE_CODE_SIZE], struct err *err)
{
    size_t len = 0;

    while (len < USER_CODE_LEN) {
        uint8_t random[16];
        TRY(crypto_random(random, sizeof(random), err));
        for (size_t i = 0; i < sizeof(random) && len < USER_CODE_LEN; i++)
            if (random[i] < 240)
                out[len++] = alphabet[random[i] % 20];
    }
    out[len] = '\0';
    return 0;
}

static void code_id(const char *code, char out[IDP_ID_SIZE])
{
    CLEANUP_FREE char *text = mem_printf("user code %s", code);

    idp_id_of(text, out);
}

/* ------------------------------------------------------------------ the device asks */

static json_t *resources_of(const struct form *form)
{
    json_t *list = json_array();

    for (size_t i = 0; i < form->resource_count; i++)
        json_array_append_new(list, json_string(form->resource[i]));
    return list;
}

static int begin(struct idp *idp, const struct client *client, const struct form *form,
                 const char *scope, char device[IDP_SECRET_SIZE], char code[DEVICE_CODE_SIZE],
                 struct err *err)
{
    json_int_t until = clock_wall_sec() + DEVICE_SEC;
    char id[IDP_ID_SIZE];
    char by_code[IDP_ID_SIZE];

    TRY(idp_random(device, err));
    TRY(draw_code(code, err));
    idp_id_of(device, id);
    code_id(code, by_code);
    CLEANUP_JSON json_t *record =
        json_pack("{s:s, s:s, s:o, s:I, s:s, s:i, s:i}", "client", client->id, "scope", scope,
                  "resources", resources_of(form), "until", until, "state", "pending", "interval",
                  INTERVAL_SEC, "polled", 0);
    CLEANUP_JSON json_t *pointer = json_pack("{s:s, s:I}", "device", id, "until", until);
    TRY(record_put_new(idp, GRANT_USERCODES, by_code, pointer, err));
    return record_put(idp, GRANT_DEVICES, id, record, NULL, err);
}

static void put_code(struct buf *out, const char *code)
{
    buf_printf(out, "%.4s-%s", code, code + 4);
}

void oidc_device_authorization(struct idp *idp, struct serve_request *request)
{
    CLEANUP(buf_free) struct buf scope = BUF_INIT(OAUTH_SCOPE_MAX);
    CLEANUP_JSON json_t *targets = NULL;
    struct buf *body = &request->answer->body;
    char device[IDP_SECRET_SIZE];
    char code[DEVICE_CODE_SIZE];
    struct form form;
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (form_read(request, &form) < 0)
        return;
    const struct client *client = client_of(idp, request, &form);
    if (client == NULL)
        return;
    request->event.event = span_str("");
    const char *wanted = form.value[FORM_SCOPE] == NULL ? "" : form.value[FORM_SCOPE];
    if (!client_may(client, DEVICE_GRANT)) {
        reply_oauth(request, 400, "unauthorized_client", "the client may not use device codes");
    } else if (!oauth_scope_is_valid(span_str(wanted))) {
        reply_oauth(request, 400, "invalid_scope", "the scope is malformed");
    } else if (targets_read(idp, client, &form, NULL, &targets, &err) < 0) {
        reply_oauth(request, 400, "invalid_target", err.msg);
    } else {
        client_put_scope(client, span_str(wanted), &scope);
        if (begin(idp, client, &form, buf_text(&scope), device, code, &err) < 0) {
            token_unavailable(request, &err);
            return;
        }
        buf_printf(body, "{\"device_code\":\"%s\",\"user_code\":\"", device);
        put_code(body, code);
        buf_printf(body,
                   "\",\"verification_uri\":\"%s/device\","
                   "\"verification_uri_complete\":\"%s/device?user_code=",
                   idp->url, idp->url);
        put_code(body, code);
        buf_printf(body, "\",\"expires_in\":%d,\"interval\":%d}", DEVICE_SEC, INTERVAL_SEC);
        reply_body(request, 200);
    }
}

/* ------------------------------------------------------------------ the user decides */

int device_grant_find(struct idp *idp, const char *user_code, char id[IDP_ID_SIZE], json_t **out,
                      struct err *err)
{
    CLEANUP_JSON json_t *pointer = NULL;
    char code[DEVICE_CODE_SIZE];
    char by_code[IDP_ID_SIZE];

    if (!device_read_code(user_code, code))
        return err_set(err, ERR_NOT_FOUND, "this is no code that a device shows");
    code_id(code, by_code);
    if (record_get(idp, GRANT_USERCODES, by_code, &pointer, err) == 0) {
        snprintf(id, IDP_ID_SIZE, "%s", codec_json_text(pointer, "device", ""));
        if (record_get(idp, GRANT_DEVICES, id, out, err) == 0 &&
            record_number(*out, "until") > clock_wall_sec() &&
            strcmp(codec_json_text(*out, "state", ""), "pending") == 0)
            return 0;
    }
    if (err->code != ERR_NONE && err->code != ERR_NOT_FOUND)
        return -1;
    return err_set(err, ERR_NOT_FOUND, "no device waits for this code; it may have expired");
}

int device_decide(struct idp *idp, const struct session *session, const char *id, json_t *record,
                  bool allow, struct err *err)
{
    struct form form = {0};
    const json_t *resource;
    size_t i;

    json_array_foreach (json_object_get(record, "resources"), i, resource)
        form_put(&form, "resource", json_string_value(resource));
    json_object_set_new(record, "state", json_string(allow ? "allowed" : "denied"));
    if (allow) {
        CLEANUP_JSON json_t *grant =
            grant_new(session, &form, codec_json_text(record, "client", ""),
                      codec_json_text(record, "scope", ""));
        json_object_update(record, grant);
    }
    return record_put(idp, GRANT_DEVICES, id, record, NULL, err);
}

/* ------------------------------------------------------------------ the device polls */

static void refuse(struct serve_request *request, const char *code, const char *why)
{
    request->event.outcome = AUDIT_DENIED;
    if (strcmp(code, "authorization_pending") == 0 || strcmp(code, "slow_down") == 0)
        request->event.event = span_str("");
    reply_oauth(request, 400, code, why);
}

/* Who polls too fast waits longer from then on (RFC 8628 section 3.5). */
static int wait_more(struct idp *idp, struct serve_request *request, const char *id, json_t *record,
                     struct err *err)
{
    int64_t now = clock_wall_sec();
    int64_t interval = record_number(record, "interval");
    bool too_fast = now < record_number(record, "polled") + interval;

    json_object_set_new(record, "polled", json_integer(now));
    if (too_fast)
        json_object_set_new(record, "interval", json_integer(interval + INTERVAL_SEC));
    TRY(record_put(idp, GRANT_DEVICES, id, record, NULL, err));
    if (too_fast)
        refuse(request, "slow_down", "the device asks too often");
    else
        refuse(request, "authorization_pending", "the user has not decided yet");
    return 0;
}

static int give(struct idp *idp, struct serve_request *request, const struct client *client,
                const struct binding *binding, const char *id, const json_t *record,
                struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    struct token_issued issued = {0};
    struct token_grant grant = {.client = client,
                                .account = &account,
                                .record = record,
                                .scope = codec_json_text(record, "scope", ""),
                                .binding = binding};
    const char *user = codec_json_text(record, "user", "");

    TRY(account_load_same(idp, user, codec_json_text(record, "uid", ""), &account, err));
    if (!session_is_open(idp, codec_json_text(record, "sid", ""), user))
        return err_set(err, ERR_DENIED, "the session has ended");
    TRY(token_issue(idp, request, &grant, &issued, err));
    return record_delete(idp, GRANT_DEVICES, id, err);
}

void device_exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                     const struct form *form, const struct binding *binding)
{
    const char *device = form->value[FORM_DEVICE_CODE];
    CLEANUP_JSON json_t *record = NULL;
    char id[IDP_ID_SIZE];
    struct err err = ERR_INIT;

    if (device == NULL) {
        reply_oauth(request, 400, "invalid_request", "there is no device_code");
        return;
    }
    idp_id_of(device, id);
    if (record_get(idp, GRANT_DEVICES, id, &record, &err) < 0) {
        if (err.code == ERR_NOT_FOUND)
            refuse(request, "invalid_grant", "the device_code is not known, or was used");
        else
            token_unavailable(request, &err);
        return;
    }
    const char *state = codec_json_text(record, "state", "");
    int result = 0;
    if (strcmp(codec_json_text(record, "client", ""), client->id) != 0)
        refuse(request, "invalid_grant", "the device_code is another client's");
    else if (record_number(record, "until") <= clock_wall_sec())
        refuse(request, "expired_token", "the device_code has expired");
    else if (strcmp(state, "denied") == 0)
        refuse(request, "access_denied", "the user does not allow it");
    else if (strcmp(state, "allowed") == 0)
        result = give(idp, request, client, binding, id, record, &err);
    else
        result = wait_more(idp, request, id, record, &err);
    if (result < 0)
        token_fail(request, &err);
}
