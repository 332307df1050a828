/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /apis/drun.io/v1/namespaces/NS/apikeys/NAME/rotate: a new secret for the same key, which
 * keeps its scopes, limits and what was used of its budgets. The secret before stays good for
 * spec.overlapSeconds, or ends at once. For RBAC it is `create` on apikeys/rotate, or on
 * apikeys/self for one's own.
 */
#include "idp/idp_internal.h"
#include "idp/oauth/exchange.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"

enum { OVERLAP_MAX_SEC = 30 * 86400 };

struct rotation {
    struct idp *idp;
    struct serve_request *request;
    const struct serve_action *action;
    struct idp_caller caller;
    json_t *object;
    json_t *secret;
    int64_t overlap_sec;
    int64_t now;
};

static void rotation_free(struct rotation *rotation)
{
    json_decref(rotation->object);
    json_decref(rotation->secret);
}

/* {"spec": {"overlapSeconds": 86400}}; nothing is as good as 0. */
static int read_body(struct rotation *rotation, struct err *err)
{
    CLEANUP_JSON json_t *body = NULL;
    struct span bytes = rotation->request->http->body;
    const char *name;
    json_t *value;

    if (bytes.len == 0)
        return 0;
    TRY(codec_json_parse(bytes, "the body", &body, err));
    json_t *spec = json_object_get(body, "spec");
    if (!json_is_object(body) || (spec != NULL && !json_is_object(spec)))
        return err_set(err, ERR_INVALID, "the body must be {\"spec\": {\"overlapSeconds\": N}}");
    json_object_foreach (spec, name, value) {
        if (strcmp(name, "overlapSeconds") != 0)
            return err_set(err, ERR_INVALID, "spec.%.64s: there is no such field", name);
        rotation->overlap_sec = json_integer_value(value);
        if (!json_is_integer(value) || rotation->overlap_sec < 0 ||
            rotation->overlap_sec > OVERLAP_MAX_SEC)
            return err_set(err, ERR_INVALID, "spec.overlapSeconds must be 0 to %d",
                           OVERLAP_MAX_SEC);
    }
    return 0;
}

/* ------------------------------------------------------------------ may he? */

static bool is_own(const struct rotation *rotation)
{
    const json_t *spec = json_object_get(rotation->object, "spec");
    const struct kube_principal *who = &rotation->caller.who;

    return strcmp(codec_json_text(spec, "user", ""), who->name) == 0 &&
           idp_may_self(rotation->idp, who, "create", "drun.io", "apikeys",
                        rotation->action->namespace);
}

/* False when it was answered. */
static bool is_allowed(struct rotation *rotation)
{
    struct kube_server *kube = serve_kube(rotation->idp->serve);
    const struct serve_action *action = rotation->action;
    struct err err = ERR_INIT;

    idp_caller_of(rotation->request->principal, &rotation->caller);
    int found = kube_object_get(kube, &kube_api_key, action->namespace, action->name,
                                &rotation->object, &err);
    if (found < 0 && err.code != ERR_NOT_FOUND) {
        serve_answer_error(rotation->request, &err);
        return false;
    }
    /* Who may not rotate it does not learn whether it is there. */
    if (!(found == 0 && is_own(rotation)) && !serve_authorize(rotation->request, action))
        return false;
    if (found == 0 && apikey_check_credential(rotation->request, &err) == 0 &&
        apikey_check_owner(rotation->idp, &rotation->caller.who, action->namespace,
                           rotation->object, &err) == 0)
        return true;
    serve_answer_error(rotation->request, &err);
    return false;
}

static int check_state(const struct rotation *rotation, struct err *err)
{
    const json_t *spec = json_object_get(rotation->object, "spec");
    const char *expires = codec_json_text(spec, "expiresAt", NULL);
    int64_t old_until = record_number(json_object_get(rotation->secret, "previous"), "until");
    char text[CLOCK_TEXT_SIZE];
    int64_t end;

    if (codec_json_at(rotation->object, "metadata", "deletionTimestamp", NULL) != NULL)
        return err_set(err, ERR_CONFLICT, "the key is being deleted");
    if (json_is_true(json_object_get(spec, "disabled")))
        return err_set(err, ERR_CONFLICT, "the key is disabled; enable it first");
    if (expires != NULL && clock_parse(span_str(expires), &end, err) == 0 && end <= rotation->now)
        return err_set(err, ERR_CONFLICT, "the key has expired; set spec.expiresAt anew first");
    clock_format_sec(old_until, text);
    if (old_until > rotation->now && rotation->overlap_sec > 0)
        return err_set(err, ERR_CONFLICT,
                       "the key is being rotated: its secret before the present one is good until "
                       "%s. Wait for that, or rotate without overlap, which ends both",
                       text);
    return 0;
}

/* ------------------------------------------------------------------ the new secret */

static int put_secret(const struct rotation *rotation, const char *key, struct err *err)
{
    CLEANUP_JSON json_t *record = json_object();
    const char *old = codec_json_text(rotation->secret, "digest", "");
    uint8_t digest[IDENTITY_DIGEST_LEN];
    char hex[2 * IDENTITY_DIGEST_LEN + 1];

    identity_key_digest(rotation->idp->pepper, span_str(key), digest);
    enc_hex(span_of(digest, sizeof(digest)), hex);
    json_object_update(record, rotation->secret);
    json_object_set_new(record, "digest", json_string(hex));
    json_object_del(record, "previous");
    if (rotation->overlap_sec > 0)
        json_object_set_new(record, "previous",
                            json_pack("{s:s, s:I}", "digest", old, "until",
                                      (json_int_t)(rotation->now + rotation->overlap_sec)));
    return apikey_put_secret(rotation->idp, rotation->action->namespace, rotation->action->name,
                             record, err);
}

static json_t *time_json(int64_t sec)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_sec(sec, text);
    return json_string(text);
}

static int put_status(struct rotation *rotation, const char *key, struct err *err)
{
    CLEANUP_JSON json_t *status = json_object();
    struct kube_server *kube = serve_kube(rotation->idp->serve);
    const struct serve_action *action = rotation->action;

    json_object_update(status, json_object_get(rotation->object, "status"));
    json_object_del(status, "previous");
    if (rotation->overlap_sec > 0)
        json_object_set_new(status, "previous",
                            json_pack("{s:s, s:o}", "last4", codec_json_text(status, "last4", ""),
                                      "endsAt", time_json(rotation->now + rotation->overlap_sec)));
    apikey_describe(status, key);
    json_object_set_new(status, "rotatedAt", time_json(rotation->now));
    TRY(kube_object_put_status(kube, &kube_api_key, action->namespace, action->name, status, err));
    json_decref(rotation->object);
    rotation->object = NULL;
    return kube_object_get(kube, &kube_api_key, action->namespace, action->name, &rotation->object,
                           err);
}

static int rotate(struct rotation *rotation, struct err *err)
{
    const struct serve_action *action = rotation->action;
    CLEANUP_FREE char *uid =
        mem_strdup(codec_json_text(json_object_get(rotation->object, "metadata"), "uid", ""));
    char key[AUTH_KEY_SIZE];

    rotation->now = clock_wall_sec();
    TRY(apikey_secret(rotation->idp, action->namespace, action->name, &rotation->secret, err));
    TRY(check_state(rotation, err));
    TRY(auth_key_generate(key, err));
    int result = put_secret(rotation, key, err);
    if (result == 0)
        result = put_status(rotation, key, err);
    /* What was exchanged for the secret before ends with it. */
    if (result == 0 && rotation->overlap_sec == 0)
        result = exchange_end_key(rotation->idp, uid, err);
    if (result == 0)
        json_object_set_new(json_object_get(rotation->object, "status"), "key", json_string(key));
    mem_wipe(key, sizeof(key));
    publish_touch(rotation->idp->publish, &kube_api_key, action->namespace, action->name);
    return result;
}

bool apikey_rotate_route(struct idp *idp, struct serve_request *request)
{
    struct serve_action action = {
        .verb = "create", .group = "drun.io", .resource = "apikeys", .subresource = "rotate"};
    CLEANUP(rotation_free)
    struct rotation rotation = {.idp = idp, .request = request, .action = &action};
    struct err err = ERR_INIT;

    if (strcmp(request->http->method, "POST") != 0 ||
        !route_subresource(request, "/apis/drun.io/v1/namespaces/", "/apikeys/", "/rotate",
                           &action))
        return false;
    if (serve_authenticate(request) < 0 || !is_allowed(&rotation))
        return true;
    request->event.action.name = span_str(action.name);
    request->event.event = span_str(AUDIT_KEY_ROTATED);
    if (read_body(&rotation, &err) < 0 || rotate(&rotation, &err) < 0)
        serve_answer_error(request, &err);
    else
        reply_json(request, 201, rotation.object);
    return true;
}
