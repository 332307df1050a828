/* SPDX-License-Identifier: Apache-2.0 */
/* The service in a child process; the roles are clients in this one, over real channels, rings and
 * HTTP. */
#include "api.h"
#include "audit/audit_test_util.h"
#include "audit/ring.h"
#include "audit/segment.h"
#include "audit/verify.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "role/role.h"
#include "service.h"
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PEERS = 4 };

struct world {
    char dir[64];
    struct sockaddr_un address;
    struct test_keys keys;
    struct audit_log_config config;
    struct ipc_client *api;
    struct ipc_client *idp;
    struct ipc_client *gateway;
    struct ipc_client *second; /* gateway */
    pid_t child;
};

static struct world world;

static const char *peer_name(unsigned peer)
{
    return role_name((enum role_id)peer);
}

/* ------------------------------------------------------------------ the child */

struct process {
    struct loop *loop;
    struct audit_service *service;
    struct audit_api *api;
    struct http_server *server;
};

static bool allow(void *ctx UNUSED, const struct http_request *request,
                  const struct audit_api_action *action, struct http_answer *answer)
{
    const char *who = http_request_header(request, "Authorization");

    if (who != NULL && strcmp(who, "Bearer tenant") == 0 &&
        strcmp(action->namespace, "tenant-a") == 0)
        return true;
    if (who != NULL && strcmp(who, "Bearer auditor") == 0)
        return true;
    answer->status = 403;
    buf_printf(&answer->body, "no %s %s", action->verb, action->resource);
    return false;
}

static void on_http(void *ctx, const struct http_request *request, struct http_answer *answer)
{
    struct process *process = ctx;

    if (!audit_api_handle(process->api, NULL, request, answer))
        answer->status = 404;
}

static void on_batch(void *ctx)
{
    struct process *process = ctx;

    while (http_server_held(process->server) > 0)
        http_server_release(process->server);
}

static void on_term(void *ctx, int signo UNUSED)
{
    struct process *process = ctx;

    loop_stop(process->loop);
}

static void on_appended(void *ctx)
{
    struct process *process = ctx;

    if (process->api != NULL)
        audit_api_appended(process->api);
}

static void run_child(int listen_fd, int fds[PEERS])
{
    static const unsigned peers[PEERS] = {ROLE_API, ROLE_IDP, ROLE_GATEWAY, ROLE_GATEWAY2};
    struct process process = {0};
    struct err err = ERR_INIT;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    INVARIANT(loop_new(&process.loop, &err) == 0);
    INVARIANT(loop_add_signals(process.loop, &set, on_term, &process, &err) == 0);
    struct audit_service_config config = {.loop = process.loop,
                                          .dir = world.dir,
                                          .log = world.config,
                                          .peer_name = peer_name,
                                          .appended = on_appended,
                                          .appended_ctx = &process};
    INVARIANT(audit_service_new(&config, &process.service, &err) == 0);
    process.api =
        audit_api_new(&(struct audit_api_config){.service = process.service, .allow = allow});
    INVARIANT(http_server_new(process.loop, &listen_fd, on_http, &process, &process.server, &err) ==
              0);
    loop_add_batch(process.loop, on_batch, &process);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        INVARIANT(ipc_server_add(process.loop, &fds[i], peers[i], &audit_table, process.service,
                                 &err) == 0);
    INVARIANT(loop_run(process.loop, &err) == 0);
    audit_api_free(process.api); /* ends the watches, which the server must not outlive */
    http_server_free(process.server);
    audit_service_free(process.service);
    loop_free(process.loop);
    _exit(0);
}

/* ------------------------------------------------------------------ the tests' side */

static int start(void **state UNUSED)
{
    int client_fds[PEERS];
    int server_fds[PEERS];
    struct err err = ERR_INIT;

    INVARIANT(secret_heap_init(&err) == 0);
    test_keys_init(&world.keys);
    test_dir_make(world.dir);
    world.config = test_config(&world.keys);
    world.config.segment_records = 50;
    world.address.sun_family = AF_UNIX;
    snprintf(world.address.sun_path, sizeof(world.address.sun_path), "%s.sock", world.dir);
    CLEANUP_FD int listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    INVARIANT(bind(listen_fd, (struct sockaddr *)&world.address, sizeof(world.address)) == 0);
    INVARIANT(listen(listen_fd, 16) == 0);
    for (size_t i = 0; i < PEERS; i++)
        INVARIANT(ipc_pair(&client_fds[i], &server_fds[i], &err) == 0);
    world.child = fork();
    if (world.child == 0) {
        for (size_t i = 0; i < PEERS; i++)
            close(client_fds[i]);
        run_child(fd_take(&listen_fd), server_fds);
    }
    for (size_t i = 0; i < PEERS; i++)
        close(server_fds[i]);
    world.api = ipc_client_new(&client_fds[0], "audit");
    world.idp = ipc_client_new(&client_fds[1], "audit");
    world.gateway = ipc_client_new(&client_fds[2], "audit");
    world.second = ipc_client_new(&client_fds[3], "audit");
    return 0;
}

static int stop(void **state UNUSED)
{
    ipc_client_free(world.api);
    ipc_client_free(world.idp);
    ipc_client_free(world.gateway);
    ipc_client_free(world.second);
    test_dir_remove(world.dir);
    unlink(world.address.sun_path);
    test_keys_free(&world.keys);
    return 0;
}

/* One request; the body of the answer. Returns the status. */
static long get_as(const char *who, const char *path, struct buf *body)
{
    CLEANUP_FREE char *text = mem_printf("GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                         "Authorization: Bearer %s\r\n\r\n",
                                         path, who);
    CLEANUP(buf_free) struct buf all = BUF_INIT(8 << 20);
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&world.address, sizeof(world.address)), 0);
    assert_int_equal(fd_write_all(fd, span_str(text), "request", &err), 0);
    assert_int_equal(fd_read_all(fd, "answer", &all, &err), 0);
    const char *begin = strstr(buf_text(&all), "\r\n\r\n");
    assert_non_null(begin);
    buf_reset(body);
    buf_put_str(body, begin + 4);
    return strtol(buf_text(&all) + strlen("HTTP/1.1 "), NULL, 10);
}

static json_t *get_json(const char *path)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(8 << 20);
    struct err err = ERR_INIT;
    json_t *value = NULL;

    long status = get_as("auditor", path, &body);
    if (status != 200 || codec_json_parse(buf_span(&body), path, &value, &err) < 0)
        fail_msg("%s: %ld %s %s", path, status, err.msg, buf_text(&body));
    return value;
}

static void send_some(struct ipc_client *client, uint64_t from, size_t count)
{
    CLEANUP_FREE struct audit_event *events = mem_new_array(count, sizeof(*events));
    CLEANUP_FREE char(*rooms)[32] = mem_new_array(count, 32);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < count; i++)
        events[i] = test_event(from + i, rooms[i]);
    if (audit_send(client, events, count, &err) < 0)
        fail_msg("%s", err.msg);
}

static void events_of_roles_are_durable_and_stamped(void **state UNUSED)
{
    send_some(world.api, 0, 1);
    send_some(world.idp, 1, 30);   /* it says role=api; the channel knows better */
    send_some(world.api, 31, 900); /* several packets */
    CLEANUP_JSON json_t *list = get_json("/apis/audit.drun.io/v1/auditevents?role=idp&limit=100");
    assert_int_equal(json_array_size(codec_json_at(list, "items", NULL)), 30);
    assert_string_equal(
        codec_json_text(codec_json_at(list, "metadata", NULL), "resourceVersion", ""), "931");
}

static void anchors_are_the_askers_own(void **state UNUSED)
{
    struct audit_event event = {
        .event = span_str(AUDIT_STORE_ANCHOR), .role = span_str("api"), .anchor_revision = 77};
    uint64_t revision;
    struct err err = ERR_INIT;

    assert_int_equal(audit_send(world.idp, &event, 1, &err), 0);
    assert_int_equal(audit_ask_anchor(world.idp, &revision, &err), 0);
    assert_int_equal(revision, 77);
    assert_int_equal(audit_ask_anchor(world.api, &revision, &err), 0);
    assert_int_equal(revision, 0);
    assert_int_equal(audit_ask_anchor(world.gateway, &revision, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
}

static void malformed_messages_are_refused(void **state UNUSED)
{
    static const uint8_t bad[][8] = {{0}, {1, 0}, {0, 0, 1}, {1, 0, 255, 255, 255, 255, 1}};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        for (size_t len = 0; len <= sizeof(bad[i]); len++)
            assert_int_equal(
                ipc_call(world.api, AUDIT_MSG_APPEND, span_of(bad[i], len), NULL, NULL, &err), -1);
    send_some(world.api, 0, 1); /* and the channel still works */
}

static void two_sends_may_be_under_way(void **state UNUSED)
{
    struct audit_event event = {.event = span_str("drun.test.two"), .role = span_str("api")};
    struct audit_pending first;
    struct audit_pending second;
    struct err err = ERR_INIT;

    assert_int_equal(audit_send_begin(world.api, &event, 1, &first, &err), 0);
    assert_int_equal(audit_send_begin(world.api, &event, 1, &second, &err), 0);
    assert_int_equal(audit_send_wait(world.api, &first, &err), 0);
    assert_int_equal(audit_send_wait(world.api, &second, &err), 0);
}

static void rings_are_read_and_are_the_gateways(void **state UNUSED)
{
    struct audit_ring_writer writer;
    struct err err = ERR_INIT;
    CLEANUP_FD int ring_fd = audit_ring_create(AUDIT_RING_SIZE_MIN, &err);
    CLEANUP_FD int bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct audit_event event = {.event = span_str(AUDIT_MODEL_CALL),
                                .role = span_str("kms"),
                                .anchor_revision = 5,
                                .model = {.model = span_str("a/m"), .output_tokens = 3}};

    assert_int_equal(audit_give_ring(world.api, ring_fd, bell_fd, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(audit_give_ring(world.gateway, ring_fd, bell_fd, &err), 0);
    assert_int_equal(audit_ring_writer_open(&writer, ring_fd, bell_fd, &err), 0);
    for (size_t i = 0; i < 1000; i++)
        while (!audit_ring_put(&writer, &event)) {
            audit_ring_bell(&writer);
            usleep(200);
        }
    audit_ring_bell(&writer);
    size_t seen = 0;
    for (int tries = 0; tries < 100 && seen < 1000; tries++) {
        CLEANUP_JSON json_t *list =
            get_json("/apis/audit.drun.io/v1/auditevents?event=drun.model.*&limit=1000");
        const json_t *items = codec_json_at(list, "items", NULL);
        seen = json_array_size(items);
        const json_t *one = codec_json_at(json_array_get(items, 0), "event", NULL);
        assert_true(seen == 0 || strcmp(codec_json_text(one, "drun.role", ""), "gateway") == 0);
        assert_null(json_object_get(one, "drun.anchor.revision"));
        usleep(10000);
    }
    assert_int_equal(seen, 1000);
    audit_ring_writer_close(&writer);
    /* A keeper that sends the same ring again and again fills no table. */
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(audit_give_ring(world.gateway, ring_fd, bell_fd, &err), 0);
}

static size_t count_of(const char *role)
{
    char path[128];

    snprintf(path, sizeof(path), "/apis/audit.drun.io/v1/auditevents?event=drun.test.ring&role=%s",
             role);
    CLEANUP_JSON json_t *list = get_json(path);
    return json_array_size(codec_json_at(list, "items", NULL));
}

/* However many rings the other one gives, and whoever its workers say that they are. */
static void each_gateway_has_rings_of_its_own(void **state UNUSED)
{
    enum { MORE_THAN_THERE_MAY_BE = 140 };
    struct ipc_client *const gateways[] = {world.gateway, world.second};
    struct audit_event event = {.event = span_str("drun.test.ring"), .role = span_str("gateway")};
    struct audit_ring_writer writers[2];
    CLEANUP_FD int bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct err err = ERR_INIT;
    size_t given = 1;

    for (size_t i = 0; i < 2; i++) {
        CLEANUP_FD int ring_fd = audit_ring_create(AUDIT_RING_SIZE_MIN, &err);
        assert_int_equal(audit_give_ring(gateways[i], ring_fd, bell_fd, &err), 0);
        assert_int_equal(audit_ring_writer_open(&writers[i], ring_fd, bell_fd, &err), 0);
    }
    for (; given < MORE_THAN_THERE_MAY_BE; given++) {
        CLEANUP_FD int ring_fd = audit_ring_create(AUDIT_RING_SIZE_MIN, &err);
        if (audit_give_ring(world.second, ring_fd, bell_fd, &err) < 0)
            break;
    }
    assert_int_equal(given, 128);
    assert_int_equal(err.code, ERR_LIMITED);
    for (size_t i = 0; i < 2; i++) {
        assert_true(audit_ring_put(&writers[i], &event));
        audit_ring_bell(&writers[i]);
    }
    for (int tries = 0; tries < 100 && count_of("gateway2") == 0; tries++)
        usleep(10000);
    assert_int_equal(count_of("gateway2"), 1);
    for (int tries = 0; tries < 100 && count_of("gateway") == 0; tries++)
        usleep(10000);
    assert_int_equal(count_of("gateway"), 1);
    for (size_t i = 0; i < 2; i++)
        audit_ring_writer_close(&writers[i]);
}

static size_t count_in_one(void)
{
    CLEANUP_JSON json_t *all = get_json("/apis/audit.drun.io/v1/auditevents?role=idp&limit=1000");

    return json_array_size(codec_json_at(all, "items", NULL));
}

static size_t count_in_pages(void)
{
    static const char first[] = "/apis/audit.drun.io/v1/auditevents?role=idp&limit=7";
    char path[160];
    size_t total = 0;

    snprintf(path, sizeof(path), "%s", first);
    for (;;) {
        CLEANUP_JSON json_t *list = get_json(path);
        total += json_array_size(codec_json_at(list, "items", NULL));
        const char *next = codec_json_text(codec_json_at(list, "metadata", NULL), "continue", NULL);
        if (next == NULL)
            return total;
        snprintf(path, sizeof(path), "%s&continue=%s", first, next);
    }
}

static void pages_cover_the_list(void **state UNUSED)
{
    size_t before = count_in_one();
    size_t pages = count_in_pages();

    /* A new segment says the anchor again, also meanwhile. */
    assert_true(before > 31);
    assert_true(pages >= before && pages <= count_in_one());
}

static void take_hash_of(const json_t *value, struct tree_hash *out)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(TREE_HASH_LEN);
    struct err err = ERR_INIT;

    assert_int_equal(enc_unbase64(ENC_BASE64, span_str(json_string_value(value)), &bytes, &err), 0);
    memcpy(out->bytes, bytes.data, TREE_HASH_LEN);
}

static void one_event_comes_with_a_proof_that_holds(void **state UNUSED)
{
    CLEANUP_JSON json_t *object = get_json("/apis/audit.drun.io/v1/auditevents/17");
    CLEANUP(buf_free) struct buf json = BUF_INIT(AUDIT_JSON_MAX);
    CLEANUP(buf_free) struct buf salt = BUF_INIT(64);
    CLEANUP(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    const json_t *proof_json = codec_json_at(object, "proof", NULL);
    struct checkpoint checkpoint;
    struct tree_proof proof = {0};
    struct tree_hash commitment;
    struct tree_hash seal;
    struct tree_hash leaf;
    const json_t *hash;
    size_t i;
    struct err err = ERR_INIT;

    codec_json_put_canonical(codec_json_at(object, "event", NULL), &json);
    assert_int_equal(
        enc_unbase64(ENC_BASE64, span_str(codec_json_text(proof_json, "salt", "")), &salt, &err),
        0);
    assert_int_equal(enc_unbase64(ENC_BASE64,
                                  span_str(codec_json_text(proof_json, "checkpoint", "")), &note,
                                  &err),
                     0);
    take_hash_of(json_object_get(proof_json, "seal"), &seal);
    json_array_foreach (json_object_get(proof_json, "hashes"), i, hash)
        take_hash_of(hash, &proof.node[proof.count++]);
    assert_int_equal(
        checkpoint_open(buf_span(&note), &world.keys.signers, TEST_ORIGIN, &checkpoint, &err), 0);
    segment_commit(buf_span(&salt), buf_span(&json), &commitment);
    segment_leaf_of(&commitment, &seal, &leaf);
    assert_int_equal(
        tree_verify_inclusion(&leaf, 17, checkpoint.size, &proof, &checkpoint.root, &err), 0);
}

static void access_is_asked_for(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(8 << 20);

    assert_int_equal(get_as("nobody", "/apis/audit.drun.io/v1/auditevents", &body), 403);
    assert_string_equal(buf_text(&body), "no list auditevents");
    assert_int_equal(get_as("nobody", "/apis/audit.drun.io/v1/auditevents/3", &body), 403);
    assert_int_equal(get_as("nobody", "/apis/audit.drun.io/v1/checkpoints/latest", &body), 403);
    assert_int_equal(get_as("nobody", "/apis/audit.drun.io/v1/publickey", &body), 403);
    assert_int_equal(get_as("tenant", "/apis/audit.drun.io/v1/auditevents", &body), 403);
    assert_int_equal(
        get_as("tenant", "/apis/audit.drun.io/v1/namespaces/tenant-a/auditevents", &body), 200);
    assert_null(strstr(buf_text(&body), AUDIT_MODEL_CALL)); /* those have no namespace here */
    assert_int_equal(
        get_as("tenant", "/apis/audit.drun.io/v1/namespaces/tenant-b/auditevents", &body), 403);
}

static void the_public_key_opens_the_checkpoint(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(NOTE_MAX);
    CLEANUP(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    struct note_keys keys;
    struct checkpoint checkpoint;
    struct err err = ERR_INIT;

    assert_int_equal(get_as("auditor", "/apis/audit.drun.io/v1/publickey", &text), 200);
    assert_int_equal(note_keys_parse(buf_span(&text), TEST_ORIGIN, &keys, &err), 0);
    assert_int_equal(keys.count, world.keys.signers.count);
    assert_int_equal(get_as("auditor", "/apis/audit.drun.io/v1/checkpoints/latest", &note), 200);
    assert_int_equal(checkpoint_open(buf_span(&note), &keys, TEST_ORIGIN, &checkpoint, &err), 0);
}

static void bad_requests_are_told_why(void **state UNUSED)
{
    static const struct {
        const char *path;
        long status;
    } bad[] = {{"/apis/audit.drun.io/v1/auditevents?limit=x", 400},
               {"/apis/audit.drun.io/v1/auditevents?outcome=maybe", 400},
               {"/apis/audit.drun.io/v1/auditevents?since=yesterday", 400},
               {"/apis/audit.drun.io/v1/auditevents?order=up", 400},
               {"/apis/audit.drun.io/v1/auditevents?continue=-1", 400},
               {"/apis/audit.drun.io/v1/auditevents/999999", 404},
               {"/apis/audit.drun.io/v1/auditevents/x", 400},
               {"/apis/audit.drun.io/v1/auditevents/1/2", 404},
               {"/apis/audit.drun.io/v1/checkpoints/oldest", 404},
               {"/apis/audit.drun.io/v1/checkpoints/consistency?from=0", 400},
               {"/apis/audit.drun.io/v1/pods", 404},
               {"/apis/audit.drun.io/v2", 404}};
    CLEANUP(buf_free) struct buf body = BUF_INIT(1 << 20);

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(get_as("auditor", bad[i].path, &body), bad[i].status);
    CLEANUP_JSON json_t *resources = get_json("/apis/audit.drun.io/v1");
    assert_int_equal(json_array_size(codec_json_at(resources, "resources", NULL)), 3);
}

static void a_watch_goes_on(void **state UNUSED)
{
    static const char request[] =
        "GET /apis/audit.drun.io/v1/auditevents?watch=true&event=drun.test.watch HTTP/1.1\r\n"
        "Host: a\r\nAuthorization: Bearer auditor\r\n\r\n";
    struct audit_event event = {.event = span_str("drun.test.watch")};
    CLEANUP(buf_free) struct buf all = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&world.address, sizeof(world.address)), 0);
    assert_int_equal(fd_write_all(fd, span_str(request), "request", &err), 0);
    usleep(100000);
    send_some(world.api, 0, 3);
    assert_int_equal(audit_send(world.api, &event, 1, &err), 0);
    while (strstr(buf_text(&all), "\"ADDED\"") == NULL) {
        char room[4096];
        ssize_t got = read(fd, room, sizeof(room));
        assert_true(got > 0);
        buf_put(&all, room, (size_t)got);
    }
    assert_non_null(strstr(buf_text(&all), "drun.test.watch"));
    assert_null(strstr(buf_text(&all), "drun.api.request"));
}

static void afterwards_the_log_verifies(void **state UNUSED)
{
    struct audit_verify_options options = {
        .keys = &world.keys.signers, .origin = TEST_ORIGIN, .decrypt = &world.config.keys};
    struct audit_verdict verdict;
    struct err err = ERR_INIT;
    int status;

    assert_int_equal(kill(world.child, SIGTERM), 0);
    assert_int_equal(waitpid(world.child, &status, 0), world.child);
    assert_int_equal(status, 0);
    CLEANUP_FD int fd = test_dir_fd(world.dir);
    assert_int_equal(audit_verify(fd, &options, &verdict, &err), 0);
    if (!verdict.good)
        fail_msg("%s: %s", verdict.file, verdict.what);
    assert_int_equal(verdict.signed_size, verdict.size);
    assert_true(verdict.records > 1900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_roles_are_durable_and_stamped),
        cmocka_unit_test(anchors_are_the_askers_own),
        cmocka_unit_test(malformed_messages_are_refused),
        cmocka_unit_test(two_sends_may_be_under_way),
        cmocka_unit_test(rings_are_read_and_are_the_gateways),
        cmocka_unit_test(each_gateway_has_rings_of_its_own),
        cmocka_unit_test(pages_cover_the_list),
        cmocka_unit_test(one_event_comes_with_a_proof_that_holds),
        cmocka_unit_test(access_is_asked_for),
        cmocka_unit_test(the_public_key_opens_the_checkpoint),
        cmocka_unit_test(bad_requests_are_told_why),
        cmocka_unit_test(a_watch_goes_on),
        cmocka_unit_test(afterwards_the_log_verifies),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit service", tests, start, stop);
}
