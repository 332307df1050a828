/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of service accounts that are bound to an object (Kubernetes' BoundObjectReference): they
 * end with it. The objects are those of other roles, who are asked; the tokens have a session of
 * the object's uid, which is ended.
 */
#include "idp/programs/namespaces.h"

#include "base/mem.h"
#include "codec/json.h"
#include "wire/secrets.h"

enum { SLICE = 100 };

static int ask_secret(struct idp *idp, const char *namespace, const char *name, struct buf *uid,
                      struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(1024);

    buf_put_block(&body, span_str(namespace));
    buf_put_block(&body, span_str(name));
    TRY(buf_check(&body, "the question about a Secret", err));
    return ipc_call(role_peer(idp->role, ROLE_SECRETS), SECRETS_UID, buf_span(&body), uid, NULL,
                    err);
}

static int ask_service(struct idp *idp, const char *namespace, const char *name, struct buf *uid,
                       struct err *err)
{
    return serve_ask_uid(idp->role, &kube_model_service, namespace, name, uid, err);
}

static const struct bound_kind {
    const char *kind, *api_version, *claim;
    int (*ask)(struct idp *idp, const char *namespace, const char *name, struct buf *uid,
               struct err *err);
} kinds[] = {
    {"Secret", "v1", "secret", ask_secret},
    {"ModelService", "drun.io/v1", "modelservice", ask_service},
};

static const struct bound_kind *find_kind(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return &kinds[i];
    return NULL;
}

static int read_ref(const json_t *ref, const struct bound_kind **kind, const char **name,
                    struct err *err)
{
    const char *version = codec_json_text(ref, "apiVersion", "");

    *kind = find_kind(codec_json_text(ref, "kind", ""));
    *name = codec_json_text(ref, "name", "");
    if (*kind == NULL || (version[0] != '\0' && strcmp(version, (*kind)->api_version) != 0))
        return err_set(err, ERR_INVALID,
                       "spec.boundObjectRef: a token is bound to a Secret (v1) or a ModelService "
                       "(drun.io/v1), not to \"%.64s\"",
                       codec_json_text(ref, "kind", ""));
    if ((*name)[0] == '\0')
        return err_set(err, ERR_INVALID, "spec.boundObjectRef.name: name the object");
    return 0;
}

int bound_token_note(struct idp *idp, const char *namespace, const json_t *ref, int64_t until,
                     json_t *claim, char sid[BOUND_SID_SIZE], struct err *err)
{
    CLEANUP(buf_free) struct buf uid = BUF_INIT(256);
    CLEANUP_JSON json_t *before = NULL;
    const struct bound_kind *kind;
    const char *name;
    const char *wanted = codec_json_text(ref, "uid", "");

    TRY(read_ref(ref, &kind, &name, err));
    TRY(kind->ask(idp, namespace, name, &uid, err));
    if (uid.len == 0)
        return err_set(err, ERR_NOT_FOUND, "%ss \"%s\" not found", kind->claim, name);
    if (wanted[0] != '\0' && strcmp(wanted, buf_text(&uid)) != 0)
        return err_set(err, ERR_CONFLICT,
                       "spec.boundObjectRef.uid: the %s has the uid %s, not %.64s", kind->kind,
                       buf_text(&uid), wanted);
    snprintf(sid, BOUND_SID_SIZE, "o-%.48s", buf_text(&uid));
    json_object_set_new(claim, kind->claim,
                        json_pack("{s:s, s:s}", "name", name, "uid", buf_text(&uid)));
    if (record_get(idp, BOUND_TOKENS, sid, &before, err) == 0 &&
        record_number(before, "until") >= until)
        return 0;
    if (err->code != ERR_NONE && err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    CLEANUP_JSON json_t *record =
        json_pack("{s:s, s:s, s:s, s:s, s:I}", "kind", kind->kind, "namespace", namespace, "name",
                  name, "uid", buf_text(&uid), "until", (json_int_t)until);
    return record_put(idp, BOUND_TOKENS, sid, record, NULL, err);
}

/* A role that does not answer now may have it still. */
static int check_one(void *ctx, const char *sid, const json_t *record, struct err *err)
{
    CLEANUP(buf_free) struct buf uid = BUF_INIT(256);
    const struct bound_kind *kind = find_kind(codec_json_text(record, "kind", ""));
    struct err why = ERR_INIT;
    struct idp *idp = ctx;

    if (kind == NULL || kind->ask(idp, codec_json_text(record, "namespace", ""),
                                  codec_json_text(record, "name", ""), &uid, &why) < 0)
        return 0;
    if (strcmp(buf_text(&uid), codec_json_text(record, "uid", "")) == 0)
        return 0;
    TRY(publish_revoke_session(idp->publish, sid, err));
    return record_delete(idp, BOUND_TOKENS, sid, err);
}

int bound_tokens_check(struct idp *idp, struct err *err)
{
    return record_slice(idp, BOUND_TOKENS, &idp->bound_from, SLICE, check_one, idp, err);
}
