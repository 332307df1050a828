/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests: a platform of kms, audit and agent with an api that has no clients' side. Its
 * objects come over a socket, one JSON line each, and are answered with one:
 *
 *     {"put": {object}}                               metadata.generation counts by itself
 *     {"delete": {"kind", "namespace", "name"}}
 *     {"status": {"kind", "namespace", "name"}}       what the agent said last, or null
 *     {"ask": TYPE, "body": {...}}                    a question to the agent, as posture
 *
 *     agent_world DATA RUN SETTING=VALUE ...
 */
#include "agent/agent.h"
#include "audit/audit_role.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "kms/kms.h"
#include "log/log.h"
#include "supervisor/listen.h"
#include "supervisor/supervisor.h"
#include "wire/orders.h"

#include <sys/epoll.h>
#include <sys/socket.h>

enum { OBJECTS_MAX = 64, LINE_MAX_BYTES = 128 * 1024 };

struct object {
    char key[256];
    char kind[32];
    char namespace[64];
    char name[64];
    json_t *object; /* NULL: deleted */
    json_t *status;
    uint64_t place;
    json_int_t generation;
};

struct world {
    struct role *role;
    struct object objects[OBJECTS_MAX];
    size_t count;
    uint64_t place;
    uint64_t epoch;
    bool waiting;
    struct ipc_ticket ticket;
    uint64_t behind;
    int listen_fd;
};

static struct object *object_at(struct world *world, const char *kind, const char *namespace,
                                const char *name)
{
    char key[256];

    snprintf(key, sizeof(key), "%s/%s/%s", kind, namespace, name);
    for (size_t i = 0; i < world->count; i++)
        if (strcmp(world->objects[i].key, key) == 0)
            return &world->objects[i];
    INVARIANT(world->count < OBJECTS_MAX);
    struct object *object = &world->objects[world->count++];
    *object = (struct object){.object = NULL};
    snprintf(object->key, sizeof(object->key), "%s", key);
    snprintf(object->kind, sizeof(object->kind), "%s", kind);
    snprintf(object->namespace, sizeof(object->namespace), "%s", namespace);
    snprintf(object->name, sizeof(object->name), "%s", name);
    return object;
}

static struct object *object_of(struct world *world, const json_t *where)
{
    return object_at(world, codec_json_text(where, "kind", ""),
                     codec_json_text(where, "namespace", ""), codec_json_text(where, "name", ""));
}

/* ------------------------------------------------------------------ the agent's side */

static bool put_next(struct world *world, uint64_t behind, struct buf *out)
{
    const struct object *next = NULL;

    for (size_t i = 0; i < world->count; i++) {
        const struct object *object = &world->objects[i];
        if (object->place > behind && (next == NULL || object->place < next->place))
            next = object;
    }
    if (next == NULL)
        return false;
    CLEANUP_JSON json_t *value = next->object != NULL ? json_deep_copy(next->object) : json_null();
    if (next->status != NULL && next->object != NULL)
        json_object_set(value, "status", next->status);
    CLEANUP_JSON json_t *order = json_pack("{s:s, s:s, s:s, s:O}", "kind", next->kind, "namespace",
                                           next->namespace, "name", next->name, "object", value);
    buf_put_u64(out, world->epoch);
    buf_put_u64(out, next->place);
    codec_json_put(order, out);
    return true;
}

static int handle_next(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct world *world = ctx;
    struct cursor cursor = cursor_of(request->body);
    uint64_t epoch = cursor_u64(&cursor);
    uint64_t place = cursor_u64(&cursor);

    TRY(cursor_done(&cursor, "the question", err));
    world->behind = epoch == world->epoch ? place : 0;
    if (put_next(world, world->behind, reply))
        return IPC_ANSWER;
    world->waiting = true;
    world->ticket = request->ticket;
    return IPC_LATER;
}

static int handle_status(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                         struct err *err)
{
    CLEANUP_JSON json_t *message = NULL;

    TRY(codec_json_parse(request->body, "a status", &message, err));
    struct object *object = object_of(ctx, message);
    json_decref(object->status);
    object->status = json_incref(json_object_get(message, "status"));
    return IPC_ANSWER;
}

static const struct ipc_message messages[] = {
    {API_NEXT, "next", IPC_FROM(ROLE_AGENT), 16, 0, handle_next},
    {API_STATUS, "status", IPC_FROM(ROLE_AGENT), IPC_BODY_MAX, 0, handle_status},
    {0},
};

static const struct ipc_table table = {.server = "api", .messages = messages};

/* ------------------------------------------------------------------ the test's side */

static void touch(struct world *world, struct object *object)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(IPC_BODY_MAX);

    object->place = ++world->place;
    if (!world->waiting || !put_next(world, world->behind, &reply))
        return;
    world->waiting = false;
    ipc_reply(&world->ticket, buf_span(&reply));
}

static void put(struct world *world, const json_t *put)
{
    const json_t *metadata = json_object_get(put, "metadata");
    struct object *object = object_at(world, codec_json_text(put, "kind", ""),
                                      codec_json_text(metadata, "namespace", ""),
                                      codec_json_text(metadata, "name", ""));

    json_decref(object->object);
    object->object = json_deep_copy(put);
    json_object_set_new(json_object_get(object->object, "metadata"), "generation",
                        json_integer(++object->generation));
    touch(world, object);
}

static json_t *ask(struct world *world, const json_t *question)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(IPC_BODY_MAX);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(IPC_BODY_MAX);
    json_int_t type = json_integer_value(json_object_get(question, "ask"));
    json_t *answer = NULL;
    struct err err = ERR_INIT;

    if (json_object_get(question, "body") != NULL)
        codec_json_put(json_object_get(question, "body"), &body);
    if (ipc_call(role_peer(world->role, ROLE_AGENT), (uint16_t)type, buf_span(&body), &reply, NULL,
                 &err) == 0 &&
        codec_json_parse(buf_span(&reply), "the agent's answer", &answer, &err) == 0)
        return answer;
    return json_pack("{s:s, s:s}", "error", err_code_name(err.code), "message", err.msg);
}

static json_t *obey(struct world *world, const json_t *order)
{
    json_t *where;

    if ((where = json_object_get(order, "put")) != NULL) {
        put(world, where);
    } else if ((where = json_object_get(order, "delete")) != NULL) {
        struct object *object = object_of(world, where);
        json_decref(object->object);
        json_decref(object->status);
        object->object = object->status = NULL;
        touch(world, object);
    } else if ((where = json_object_get(order, "status")) != NULL) {
        json_t *status = object_of(world, where)->status;
        return status != NULL ? json_deep_copy(status) : json_null();
    } else if (json_object_get(order, "ask") != NULL) {
        return ask(world, order);
    }
    return json_true();
}

/* One connection carries one line and its answer. */
static void on_connection(void *ctx, int fd, uint32_t events UNUSED)
{
    CLEANUP_FD int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    CLEANUP(buf_free) struct buf line = BUF_INIT(LINE_MAX_BYTES);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(LINE_MAX_BYTES);
    CLEANUP_JSON json_t *order = NULL;
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;

    if (connection < 0)
        return;
    if (fd_read_all(connection, "an order", &line, &err) < 0 ||
        codec_json_parse(buf_span(&line), "an order", &order, &err) < 0) {
        log_error("world", &err);
        return;
    }
    answer = obey(ctx, order);
    codec_json_put(answer, &reply);
    if (fd_write_all(connection, buf_span(&reply), "an answer", &err) < 0)
        log_error("world", &err);
}

static int listen_for_test(struct world *world, struct role *role, struct err *err)
{
    CLEANUP_FREE char *path = mem_printf("%s/test.sock", role_own_run_dir(role));

    world->role = role;
    world->epoch = 1 + (uint64_t)getpid();
    world->listen_fd = listen_unix(path, 0600, err);
    TRY(world->listen_fd);
    return loop_add_fd(role_loop(role), world->listen_fd, EPOLLIN, on_connection, world, NULL, err);
}

static int api_main(struct role *role, struct err *err)
{
    static struct world world;

    TRY(listen_for_test(&world, role, err));
    TRY(role_serve(role, &table, &world, err));
    return role_run(role, err);
}

static int posture_main(struct role *role, struct err *err)
{
    static struct world world;

    TRY(listen_for_test(&world, role, err));
    return role_run(role, err);
}

/* Only its folders are needed. */
static int idp_main(struct role *role, struct err *err)
{
    return role_run(role, err);
}

static const struct role_entry entries[] = {
    {.id = ROLE_KMS, .main = kms_main},
    {.id = ROLE_AUDIT, .main = audit_main, .calls = IPC_FROM(ROLE_KMS), .http = true},
    {.id = ROLE_API, .main = api_main},
    {.id = ROLE_IDP, .main = idp_main},
    {.id = ROLE_AGENT,
     .main = agent_main,
     .calls = IPC_FROM(ROLE_KMS) | IPC_FROM(ROLE_AUDIT) | IPC_FROM(ROLE_API),
     .calls_late = IPC_FROM(ROLE_API),
     .keeps_root = true},
    {.id = ROLE_POSTURE, .main = posture_main, .calls = IPC_FROM(ROLE_AGENT)},
    {0},
};

static int run_role(const char *name, struct err *err)
{
    struct role *role = NULL;

    for (const struct role_entry *entry = entries; entry->main != NULL; entry++) {
        if (strcmp(role_name(entry->id), name) != 0)
            continue;
        log_init(role_name(entry->id), LOG_INFO);
        int result = role_start(&role, err);
        if (result == 0)
            result = entry->main(role, err);
        role_free(role);
        return result;
    }
    return err_set(err, ERR_INVALID, "there is no role %s here", name);
}

static int run_world(int argc, char **argv, struct err *err)
{
    struct settings *settings = NULL;
    CLEANUP_FREE char *run_dir = mem_printf("run-dir=%s", argv[2]);
    int no_passphrase = -1;

    TRY(settings_load(span_of(NULL, 0), "settings", &settings, err));
    TRY(settings_set(settings, run_dir, err));
    for (int i = 3; i < argc; i++)
        TRY(settings_set(settings, argv[i], err));
    const struct supervisor_options options = {
        .table = entries, .data_dir = argv[1], .settings = settings};
    int result = supervisor_run(&options, &no_passphrase, err);
    settings_free(settings);
    return result;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    log_init("world", LOG_INFO);
    if (argc < 3)
        return 2;
    int result =
        strcmp(argv[1], "role") == 0 ? run_role(argv[2], &err) : run_world(argc, argv, &err);
    if (result < 0)
        log_error("world", &err);
    return result < 0;
}
