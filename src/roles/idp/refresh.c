/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refresh tokens: a family for each sign-in, of which one token at a time is good. The token is the
 * family's name and a random text; using it replaces the text. Who comes with an old one shows that
 * two hold the family: all of it is revoked (RFC 9700 section 4.14).
 */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth.h"
#include "idp/token.h"

static int put(struct idp *idp, const char *family, const json_t *record, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", codec_json_text(record, "user", ""));

    return record_put(idp, GRANT_REFRESH, family, record, term, err);
}

/* A new text for the family. */
static int turn(json_t *record, const char *family, char out[REFRESH_TEXT_SIZE], struct err *err)
{
    char secret[IDP_SECRET_SIZE];
    char id[IDP_ID_SIZE];

    TRY(idp_random(secret, err));
    snprintf(out, REFRESH_TEXT_SIZE, "%s%s", family, secret);
    mem_wipe(secret, sizeof(secret));
    idp_id_of(out, id);
    json_object_set_new(record, "current", json_string(id));
    return 0;
}

int refresh_make(struct idp *idp, const struct refresh_grant *grant,
                 const char family[CLAIMS_ID_SIZE], char out[REFRESH_TEXT_SIZE], struct err *err)
{
    CLEANUP_JSON json_t *record = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "client", grant->client, "user", grant->user,
        "uid", grant->uid, "scope", grant->scope, "sid", grant->sid, "amr", grant->amr, "authTime",
        (json_int_t)grant->auth_time, "until", (json_int_t)(clock_wall_sec() + grant->ttl_sec));

    TRY(turn(record, family, out, err));
    return put(idp, family, record, err);
}

int refresh_find(struct idp *idp, const char *text, json_t **record, char family[CLAIMS_ID_SIZE],
                 bool *is_current, struct err *err)
{
    char id[IDP_ID_SIZE];

    if (strlen(text) != REFRESH_TEXT_SIZE - 1)
        return err_set(err, ERR_NOT_FOUND, "the refresh token is not known");
    snprintf(family, CLAIMS_ID_SIZE, "%.*s", CLAIMS_ID_SIZE - 1, text);
    TRY(record_get(idp, GRANT_REFRESH, family, record, err));
    idp_id_of(text, id);
    const char *current = codec_json_text(*record, "current", "");
    *is_current = strlen(current) == strlen(id) && mem_equal_ct(current, id, strlen(id));
    return 0;
}

int refresh_end(struct idp *idp, const char *family, struct err *err)
{
    TRY(record_delete(idp, GRANT_REFRESH, family, err));
    return publish_revoke_session(idp->publish, family, err);
}

/* ------------------------------------------------------------------ exchange */

/* The same scope, or less of it (RFC 6749 section 6). */
static bool narrow_scope(const char *granted, const char *wanted, const char **out)
{
    struct span rest = span_str(wanted == NULL ? "" : wanted);
    struct span one;
    char name[OAUTH_SCOPE_MAX + 1];

    *out = wanted == NULL ? granted : wanted;
    if (!oauth_scope_is_valid(rest))
        return false;
    while (oauth_scope_next(&rest, &one)) {
        snprintf(name, sizeof(name), "%.*s", SPAN_ARG(one));
        if (!oauth_scope_has(span_str(granted), name))
            return false;
    }
    return true;
}

static void refuse_reuse(struct idp *idp, struct serve_request *request, const char *family,
                         const json_t *record)
{
    struct err err = ERR_INIT;

    reply_event(request, AUDIT_TOKEN_REVOKED, AUDIT_SOURCE_NONE,
                codec_json_text(record, "user", ""), codec_json_text(record, "uid", ""));
    if (refresh_end(idp, family, &err) < 0)
        token_unavailable(request, &err);
    else
        token_refuse(request, "the refresh token was used before; all that came of it is revoked");
}

static int exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                    const char *family, json_t *record, const char *scope, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    char next[REFRESH_TEXT_SIZE];
    struct token_issued issued = {0};
    struct token_grant grant = {
        .client = client,
        .account = &account,
        .scope = scope,
        .sid = codec_json_text(record, "sid", ""),
        .amr = codec_json_text(record, "amr", ""),
        .auth_time = record_number(record, "authTime"),
        .family = family,
        .refresh = next,
    };

    TRY(account_load_same(idp, codec_json_text(record, "user", ""),
                          codec_json_text(record, "uid", ""), &account, err));
    TRY(turn(record, family, next, err));
    int result = token_issue(idp, request, &grant, &issued, err);
    mem_wipe(next, sizeof(next));
    TRY(result);
    return put(idp, family, record, err);
}

void refresh_exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                      const struct form *form)
{
    const char *text = form->value[FORM_REFRESH_TOKEN];
    CLEANUP_JSON json_t *record = NULL;
    char family[CLAIMS_ID_SIZE];
    bool is_current = false;
    const char *scope;
    struct err err = ERR_INIT;

    if (text == NULL) {
        reply_oauth(request, 400, "invalid_request", "there is no refresh_token");
        return;
    }
    if (refresh_find(idp, text, &record, family, &is_current, &err) < 0) {
        if (err.code == ERR_NOT_FOUND)
            token_refuse(request, "the refresh token is not known");
        else
            token_unavailable(request, &err);
    } else if (!is_current) {
        refuse_reuse(idp, request, family, record);
    } else if (strcmp(codec_json_text(record, "client", ""), client->id) != 0) {
        token_refuse(request, "the refresh token is another client's");
    } else if (record_number(record, "until") <= clock_wall_sec()) {
        token_refuse(request, "the refresh token has expired");
    } else if (!narrow_scope(codec_json_text(record, "scope", ""), form->value[FORM_SCOPE],
                             &scope)) {
        reply_oauth(request, 400, "invalid_scope", "the scope is more than was granted");
    } else if (exchange(idp, request, client, family, record, scope, &err) < 0) {
        token_fail(request, &err);
    }
}
