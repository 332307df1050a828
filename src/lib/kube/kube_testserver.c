/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests with real kubectls: the API over memory, on plain HTTP on the loopback. Who calls is in
 * the server's address (http://127.0.0.1:PORT/as/alice), since kubectl sends no credential without
 * TLS. `admin` may do everything, everybody may read all but secrets, nobody else may do more.
 *
 *     kube_testserver PORT     (0: any; the port is printed)
 */
#include "base/arena.h"
#include "base/mem.h"
#include "codec/json.h"
#include "kube/kube.h"

#include <arpa/inet.h>
#include <microhttpd.h>

static const struct kube_kind *const all_kinds[] = {
    &kube_namespace,
    &kube_service_account,
    &kube_secret,
    &kube_config_map,
    &kube_role,
    &kube_cluster_role,
    &kube_role_binding,
    &kube_cluster_role_binding,
    &kube_trusted_issuer,
    &kube_identity_provider,
    &kube_limit_policy,
    &kube_price_list,
    &kube_model_route,
    &kube_guard_policy,
    &kube_waf_rule_set,
    &kube_waf_policy,
    &kube_user,
    &kube_group,
    &kube_oidc_client,
    &kube_api_key,
    &kube_model,
    &kube_model_service,
    &kube_control,
    &kube_event_kind,
    NULL,
};

static struct kube_server *server;

static bool is_admin(const struct kube_principal *principal)
{
    return strcmp(principal->name, "admin") == 0;
}

static bool authorize(void *ctx UNUSED, const struct kube_attributes *a, char reason[256])
{
    static const char *const reads[] = {"get", "list", "watch"};

    if (is_admin(a->principal) || a->resource == NULL)
        return true;
    if (strncmp(a->resource, "selfsubject", 11) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(reads); i++)
        if (strcmp(a->verb, reads[i]) == 0 && strcmp(a->resource, "secrets") != 0)
            return true;
    snprintf(reason, 256, "RBAC: no rule matches");
    return false;
}

static int rules(void *ctx UNUSED, const struct kube_principal *principal,
                 const char *namespace UNUSED, json_t *resources, json_t *paths,
                 struct err *err UNUSED)
{
    const char *verb = is_admin(principal) ? "*" : "get";

    json_array_append_new(resources, json_pack("{s:[s], s:[s], s:[s]}", "verbs", verb, "apiGroups",
                                               "*", "resources", "*"));
    json_array_append_new(paths,
                          json_pack("{s:[s], s:[s]}", "verbs", "get", "nonResourceURLs", "/*"));
    return 0;
}

static void changed(void *ctx UNUSED, const struct kube_change *change)
{
    if (change->kind == &kube_api_key && strcmp(change->verb, "create") == 0)
        json_object_set_new(change->object, "status", json_pack("{s:s}", "key", "drun_shown_once"));
}

static int issue_token(void *ctx UNUSED, const struct kube_principal *principal UNUSED,
                       const json_t *account UNUSED, json_t *request, struct err *err UNUSED)
{
    json_object_set_new(request, "status",
                        json_pack("{s:s, s:s}", "token", "header.payload.signature",
                                  "expirationTimestamp", "2030-01-01T00:00:00Z"));
    return 0;
}

/* ------------------------------------------------------------------ HTTP */

struct exchange {
    struct MHD_Connection *connection;
    struct arena *arena;
    struct buf body;
    /* of a watch */
    struct kube_watch *watch;
    struct buf pending;
    bool suspended, ended;
};

static const char *query(const struct kube_request *request, const char *name)
{
    struct exchange *exchange = request->query_ctx;

    return MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

static void wake(struct exchange *exchange)
{
    if (!exchange->suspended)
        return;
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
}

static void stream_write(void *ctx, struct span bytes)
{
    struct exchange *exchange = ctx;

    buf_put_span(&exchange->pending, bytes);
    wake(exchange);
}

static void stream_end(void *ctx)
{
    struct exchange *exchange = ctx;

    exchange->ended = true;
    wake(exchange);
}

static ssize_t stream_read(void *ctx, uint64_t pos UNUSED, char *out, size_t max)
{
    struct exchange *exchange = ctx;
    size_t len = exchange->pending.len < max ? exchange->pending.len : max;

    if (len > 0) {
        memcpy(out, exchange->pending.data, len);
        memmove(exchange->pending.data, exchange->pending.data + len, exchange->pending.len - len);
        exchange->pending.len -= len;
        return (ssize_t)len;
    }
    if (exchange->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
    return 0;
}

static struct MHD_Response *response_of(struct exchange *exchange, struct kube_answer *answer)
{
    struct MHD_Response *response;

    if (answer->watch != NULL) {
        exchange->watch = answer->watch;
        kube_watch_start(answer->watch, stream_write, stream_end, exchange);
        response =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, exchange, NULL);
    } else {
        response = MHD_create_response_from_buffer(answer->body.len, answer->body.data,
                                                   MHD_RESPMEM_MUST_COPY);
    }
    MHD_add_response_header(response, "Content-Type", answer->content_type);
    for (size_t i = 0; i < answer->warning_count; i++)
        MHD_add_response_header(response, "Warning", answer->warnings[i]);
    return response;
}

static enum MHD_Result respond(struct exchange *exchange, const char *method, const char *url)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(KUBE_ANSWER_MAX);
    struct kube_answer answer = {.body = body};
    static const char *const groups[] = {"system:authenticated", NULL};
    struct kube_principal principal = {.name = "admin", .uid = "1", .groups = groups};

    if (strncmp(url, "/as/", 4) == 0) {
        size_t len = strcspn(url + 4, "/");
        principal.name = arena_copy(exchange->arena, span_of(url + 4, len));
        url += 4 + len;
    }
    struct kube_request request = {
        .method = method,
        .path = url,
        .query = query,
        .query_ctx = exchange,
        .accept = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Accept"),
        .content_type =
            MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Content-Type"),
        .body = buf_span(&exchange->body),
        .principal = &principal,
        .arena = exchange->arena,
    };
    kube_serve(server, &request, &answer);
    fprintf(stderr, "%s %s -> %u\n", method, url, answer.status);
    struct MHD_Response *response = response_of(exchange, &answer);
    enum MHD_Result result = MHD_queue_response(exchange->connection, answer.status, response);
    MHD_destroy_response(response);
    buf_free(&answer.body);
    return result;
}

static enum MHD_Result on_request(void *ctx UNUSED, struct MHD_Connection *connection,
                                  const char *url, const char *method, const char *version UNUSED,
                                  const char *data, size_t *len, void **state)
{
    struct exchange *exchange = *state;

    if (exchange == NULL) {
        exchange = mem_new(sizeof(*exchange));
        exchange->connection = connection;
        exchange->arena = arena_new(64 << 20);
        exchange->body = (struct buf)BUF_INIT(KUBE_BODY_MAX + 1);
        exchange->pending = (struct buf)BUF_INIT(64 << 20);
        *state = exchange;
        return MHD_YES;
    }
    if (*len > 0) {
        buf_put(&exchange->body, data, *len);
        *len = 0;
        return MHD_YES;
    }
    return respond(exchange, method, url);
}

static void on_done(void *ctx UNUSED, struct MHD_Connection *connection UNUSED, void **state,
                    enum MHD_RequestTerminationCode why UNUSED)
{
    struct exchange *exchange = *state;

    if (exchange == NULL)
        return;
    kube_watch_free(exchange->watch);
    buf_free(&exchange->pending);
    buf_free(&exchange->body);
    arena_free(exchange->arena);
    free(exchange);
}

/* This server owns every kind, so that a namespace is empty when it says so. */
static int empty_namespace(void *ctx UNUSED, const json_t *object, struct err *err)
{
    const json_t *meta = json_object_get(object, "metadata");
    const char *name = codec_json_text(meta, "name", "");
    struct kube_left left;

    if (json_object_get(meta, "deletionTimestamp") == NULL)
        return 0;
    TRY(kube_namespace_empty(server, name, SIZE_MAX, &left, err));
    return left.held > 0
               ? 0
               : kube_namespace_finish(server, name, codec_json_text(meta, "uid", ""), err);
}

static void keep_house(void)
{
    struct err err = ERR_INIT;

    kube_server_tick(server);
    while (kube_server_collect(server, &err) == 1)
        ;
    if (err.code != ERR_NONE ||
        kube_object_each(server, &kube_namespace, NULL, empty_namespace, NULL, &err) < 0)
        fprintf(stderr, "%s\n", err.msg);
}

static int seed(struct err *err)
{
    CLEANUP_JSON json_t *space = json_pack("{s:{s:s}}", "metadata", "name", "default");
    CLEANUP_JSON json_t *control = json_pack(
        "{s:{s:s}, s:{s:s, s:s}, s:{s:s, s:s}}", "metadata", "name", "c-1-1", "spec", "id", "1.1",
        "title", "Isolation", "status", "verdict", "proven", "checkedAt", "2026-01-01T00:00:00Z");

    TRY(kube_object_put(server, &kube_namespace, space, err));
    return kube_object_put(server, &kube_control, control, err);
}

int main(int argc, char **argv)
{
    struct kube_memory *memory = kube_memory_new();
    struct kube_config config = {
        .kinds = all_kinds,
        .storage = kube_memory_storage(memory),
        .authorize = authorize,
        .rules = rules,
        .changed = changed,
        .issue_token = issue_token,
    };
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(argc > 1 ? argv[1] : "0", NULL, 10)),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
    struct err err = ERR_INIT;

    if (kube_server_new(&config, &server, &err) < 0 || seed(&err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_NOTIFY_COMPLETED, on_done, NULL, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    for (;;) {
        if (MHD_run_wait(daemon, 500) != MHD_YES)
            return 1;
        keep_house();
    }
}
