/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a namespace. Each owner of kinds empties its own part and says so, again and again
 * until the namespace is gone; nothing of that needs to survive a crash. When all have said it
 * since this process began, the namespace goes. docs/PROTOCOL.owners.
 */
#include "api/api_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"
#include "wire/orders.h"

#include <stdlib.h>
#include <sys/queue.h>

/* Who has something in namespaces. */
static const unsigned owners = IPC_FROM(ROLE_API) | IPC_FROM(ROLE_IDP) | IPC_FROM(ROLE_SECRETS);

struct ending {
    char *uid;
    unsigned emptied; /* a bit for each role */
    LIST_ENTRY(ending) entry;
};

struct ends {
    LIST_HEAD(, ending) list;
};

struct ends *ends_new(void)
{
    struct ends *ends = mem_new(sizeof(*ends));

    LIST_INIT(&ends->list);
    return ends;
}

static void forget(struct ending *ending)
{
    LIST_REMOVE(ending, entry);
    free(ending->uid);
    free(ending);
}

void ends_free(struct ends *ends)
{
    if (ends == NULL)
        return;
    while (!LIST_EMPTY(&ends->list))
        forget(LIST_FIRST(&ends->list));
    free(ends);
}

static struct ending *ending_of(struct ends *ends, const char *uid)
{
    struct ending *ending;

    LIST_FOREACH (ending, &ends->list, entry)
        if (strcmp(ending->uid, uid) == 0)
            return ending;
    ending = mem_new(sizeof(*ending));
    ending->uid = mem_strdup(uid);
    LIST_INSERT_HEAD(&ends->list, ending, entry);
    return ending;
}

/* What keeps the namespace, for whoever waits for its end. */
static int explain(struct api *api, const char *name, const char *example, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;
    struct kube_server *kube = serve_kube(api->serve);
    char now[CLOCK_TEXT_SIZE];

    TRY(kube_object_get(kube, &kube_namespace, "", name, &object, err));
    const json_t *before = json_array_get(codec_json_at(object, "status", "conditions", NULL), 0);
    clock_format_sec(clock_wall_sec(), now);
    CLEANUP_JSON json_t *status = json_pack(
        "{s:s, s:[{s:s, s:s, s:s, s:s+, s:s}]}", "phase", "Terminating", "conditions", "type",
        "NamespaceFinalizersRemaining", "status", "True", "reason", "SomeFinalizersRemain",
        "message", "it is emptied when their finalizers are gone: ", example, "lastTransitionTime",
        before == NULL ? now : codec_json_text(before, "lastTransitionTime", now));
    return kube_object_put_status(kube, &kube_namespace, "", name, status, err);
}

static int is_going(struct api *api, const char *name, const char *uid, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    TRY(kube_object_get(serve_kube(api->serve), &kube_namespace, "", name, &object, err));
    const json_t *meta = json_object_get(object, "metadata");
    if (strcmp(codec_json_text(meta, "uid", ""), uid) != 0 ||
        json_object_get(meta, "deletionTimestamp") == NULL)
        return err_set(err, ERR_CONFLICT, "the namespace %s of this uid is not being deleted",
                       name);
    return 0;
}

static int take_report(struct api *api, unsigned role, const char *name, const char *uid,
                       size_t held, const char *example, struct err *err)
{
    TRY(is_going(api, name, uid, err));
    struct ending *ending = ending_of(api->ends, uid);
    if (held > 0) {
        ending->emptied &= ~IPC_FROM(role);
        return explain(api, name, example, err);
    }
    ending->emptied |= IPC_FROM(role);
    if (ending->emptied != owners)
        return 0;
    TRY(kube_namespace_finish(serve_kube(api->serve), name, uid, err));
    forget(ending);
    return 0;
}

void ends_emptied(void *ctx, const char *namespace, const char *uid, const struct kube_left *left)
{
    struct err err = ERR_INIT;

    if (take_report(ctx, ROLE_API, namespace, uid, left->held, left->example, &err) < 0 &&
        err.code != ERR_NOT_FOUND && err.code != ERR_CONFLICT)
        log_error("api.namespace", &err);
}

int ends_handle_emptied(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                        struct err *err)
{
    CLEANUP_JSON json_t *message = NULL;

    TRY(codec_json_parse(request->body, "a report of a namespace", &message, err));
    json_int_t held = json_integer_value(json_object_get(message, "held"));
    TRY(take_report(ctx, request->peer, codec_json_text(message, "namespace", ""),
                    codec_json_text(message, "uid", ""), held > 0 ? (size_t)held : 0,
                    codec_json_text(message, "example", ""), err));
    return IPC_ANSWER;
}

/* ------------------------------------------------------------------ owners of others' objects */

int ends_handle_owner(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    CLEANUP_JSON json_t *message = NULL;
    CLEANUP_JSON json_t *object = NULL;
    struct api *api = ctx;

    TRY(codec_json_parse(request->body, "a question about an owner", &message, err));
    const struct kube_kind *kind = kube_kind_by_name(codec_json_text(message, "group", ""),
                                                     codec_json_text(message, "kind", ""));
    if (kind == NULL || !api_serves(kind))
        return err_set(err, ERR_INVALID, "the kind \"%s\" is not api's",
                       codec_json_text(message, "kind", ""));
    if (kube_object_get(serve_kube(api->serve), kind, codec_json_text(message, "namespace", ""),
                        codec_json_text(message, "name", ""), &object, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
    }
    buf_put_str(reply, codec_json_text(json_object_get(object, "metadata"), "uid", ""));
    return IPC_ANSWER;
}
