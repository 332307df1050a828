/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the gateway: what idp, api and the supervisor would do. Reads one JSON object:
 *
 *     {"conf": {...}, "keys": [...], "namespaces": [...], "routes": [...], "model_routes": [...],
 *      "rbac": [...]}
 *
 *     fixture publish < spec          publishes both snapshots in conf.snapshot_dir; prints
 *                                     {"NAME": "sk-drun-..."}
 *     fixture conf < spec             prints nginx.conf
 *     fixture run NGINX CONF < spec   makes an audit ring for each worker, starts nginx with them,
 *                                     prints each audit event as a line of JSON (reads it only
 *                                     when conf.mute is set), ends with it
 *     fixture flood RATE < spec       counts so many pages a second, for six seconds
 */
#include "audit/ring.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "gateway/conf.h"
#include "guard/guard.h"
#include "limit/budget.h"
#include "limit/floods.h"
#include "rbac/rbac.h"
#include "snapshot/identity.h"
#include "snapshot/policy_routing.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

static const char *text(const json_t *object, const char *name, const char *otherwise)
{
    return codec_json_text(object, name, otherwise);
}

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* ------------------------------------------------------------------ snapshots */

static struct identity_list list(const json_t *object, const char *name, const char **room)
{
    const json_t *array = json_object_get(object, name);

    for (size_t i = 0; i < json_array_size(array); i++)
        room[i] = json_string_value(json_array_get(array, i));
    return (struct identity_list){.items = room, .count = json_array_size(array)};
}

static int add_key(struct identity_builder *builder, const uint8_t *pepper, const json_t *key,
                   json_t *out, struct err *err)
{
    const char *room[4][IDENTITY_LIST_MAX];
    char secret[AUTH_KEY_SIZE];
    struct identity_api_key in = {
        .id = text(key, "id", text(key, "name", "")),
        .name = text(key, "name", ""),
        .namespace = text(key, "namespace", ""),
        .user = text(key, "user", "nobody"),
        .uid = text(key, "uid", ""),
        .groups = list(key, "groups", room[0]),
        .models = list(key, "models", room[1]),
        .verbs = list(key, "verbs", room[2]),
        .cidrs = list(key, "cidrs", room[3]),
        .expires_at = number(key, "expires_at"),
        .disabled = json_is_true(json_object_get(key, "disabled")),
        .concurrent = (uint32_t)number(key, "concurrent"),
        .requests_per_min = (uint32_t)number(key, "requests_per_min"),
        .tokens_per_min = (uint64_t)number(key, "tokens_per_min"),
    };
    const char *given = text(key, "secret", NULL);

    if (given == NULL)
        TRY(auth_key_generate(secret, err));
    else
        snprintf(secret, sizeof(secret), "%s", given);
    identity_key_digest(pepper, span_str(secret), in.digest);
    json_object_set_new(out, in.name, json_string(secret));
    return identity_builder_add_api_key(builder, &in, err);
}

static int publish(const struct snapshot_type *type, const char *dir, struct buf *file,
                   struct err *err)
{
    const char *owner = type == &identity_snapshot ? "idp" : "api";
    CLEANUP_FREE char *path = mem_printf("%s/%s", dir, owner);
    int made = fd_make_dirs(path, 0755, err);
    CLEANUP_FD int dir_fd = made < 0 ? -1 : fd_open_dir(AT_FDCWD, path, err);
    struct snapshot_publisher *publisher = NULL;
    uint64_t generation;

    if (dir_fd < 0 || snapshot_publisher_open(type, &dir_fd, &publisher, err) < 0)
        return -1;
    int result = snapshot_publish(publisher, file, &generation, err);
    snapshot_publisher_free(publisher);
    return result;
}

static int publish_identity(const json_t *spec, const char *dir, json_t *out, struct err *err)
{
    static const uint8_t pepper[IDENTITY_PEPPER_LEN] = {1, 2, 3};
    CLEANUP(identity_builder_free_ptr)
    struct identity_builder *builder = identity_builder_new(pepper);
    CLEANUP(buf_free) struct buf file = BUF_INIT(1 << 26);
    const json_t *keys = json_object_get(spec, "keys");

    for (size_t i = 0; i < json_array_size(keys); i++)
        TRY(add_key(builder, pepper, json_array_get(keys, i), out, err));
    TRY(identity_builder_finish(builder, &file, err));
    return publish(&identity_snapshot, dir, &file, err);
}

static struct policy_limits limits_of(const json_t *object)
{
    return (struct policy_limits){.tokens_per_min = (uint64_t)number(object, "tokens_per_min"),
                                  .concurrent = (uint32_t)number(object, "concurrent"),
                                  .requests_per_min = (uint32_t)number(object, "requests_per_min")};
}

static unsigned place(const char *name, const char *const *names)
{
    unsigned i = 0;

    while (names[i + 1] != NULL && strcmp(names[i], name) != 0)
        i++;
    return i;
}

static int add_namespace(struct policy_builder *builder, const json_t *ns, struct err *err)
{
    static const char *const measures[] = {"requests", "tokens", "cost", NULL};
    static const char *const windows[] = {"minute", "hour", "day", "month", NULL};
    static const char *const shares[] = {"namespace", "user", "key", NULL};
    static const char *const algorithms[] = {"", "TokenBucket", "SlidingWindow", NULL};
    static const char *const priorities[] = {"low", "normal", "high", NULL};
    const json_t *from = json_object_get(ns, "budgets");
    struct policy_budget_in budgets[32] = {0};
    size_t count = json_array_size(from);

    INVARIANT(count <= ARRAY_LEN(budgets));
    for (size_t i = 0; i < count; i++) {
        const json_t *budget = json_array_get(from, i);
        budgets[i] = (struct policy_budget_in){
            .policy = text(budget, "policy", ""),
            .rule = text(budget, "rule", ""),
            .service = text(budget, "service", ""),
            .measure = (enum policy_measure)place(text(budget, "measure", ""), measures),
            .window = (enum policy_window)place(text(budget, "window", ""), windows),
            .share = (enum policy_share)place(text(budget, "per", "namespace"), shares),
            .limit = (uint64_t)number(budget, "limit"),
            .alerts = (uint32_t)number(budget, "alerts"),
            .algorithm = (enum policy_algorithm)place(text(budget, "algorithm", ""), algorithms),
        };
    }
    struct policy_namespace_in in = {
        .name = text(ns, "name", ""),
        .uid = text(ns, "name", ""),
        .limits = limits_of(ns),
        .priority = (enum policy_priority)place(text(ns, "priority", "normal"), priorities),
        .budgets = budgets,
        .budget_count = count};
    return policy_builder_add_namespace(builder, &in, err);
}

/* {"request": {"secret": "block"}, "answer": {...}} over what is usual. */
static int guard_of(const json_t *spec, const char *direction, uint8_t *out, struct err *err)
{
    struct guard_policy policy;
    const char *what;
    json_t *action;

    guard_policy_usual(&policy);
    json_object_foreach (json_object_get(spec, direction), what, action)
        TRY(guard_policy_set(&policy, what, json_string_value(action), err));
    memcpy(out, policy.action, sizeof(policy.action));
    return 0;
}

/* {"replicas": [SOCKET, ...]} */
static void add_replicas(const json_t *route, const char *room[POLICY_REPLICAS_MAX],
                         struct policy_route_in *in)
{
    const json_t *replicas = json_object_get(route, "replicas");

    in->replicas = room;
    in->replica_count = json_array_size(replicas);
    for (size_t i = 0; i < in->replica_count; i++)
        room[i] = json_string_value(json_array_get(replicas, i));
}

static int add_places(struct policy_builder *builder, const json_t *spec, struct err *err)
{
    const json_t *namespaces = json_object_get(spec, "namespaces");
    const json_t *routes = json_object_get(spec, "routes");

    for (size_t i = 0; i < json_array_size(namespaces); i++)
        TRY(add_namespace(builder, json_array_get(namespaces, i), err));
    for (size_t i = 0; i < json_array_size(routes); i++) {
        const json_t *route = json_array_get(routes, i);
        struct policy_route_in in = {
            .namespace = text(route, "namespace", ""),
            .name = text(route, "name", ""),
            .engine_model = text(route, "engine_model", "engine"),
            .socket = text(route, "socket", ""),
            .upstream = "",
            .ready = !json_is_false(json_object_get(route, "ready")),
            .max_body = (uint32_t)number(route, "max_body"),
            .max_tokens = (uint32_t)number(route, "max_tokens"),
            .context_tokens = (uint32_t)number(route, "context_tokens"),
            .created_at = 1700000000,
            .limits = limits_of(route),
            .remote_media = json_is_true(json_object_get(route, "remote_media")),
            .cache = {.version = text(route, "cache_version", NULL),
                      .ttl_sec = (uint32_t)number(route, "cache_ttl_sec"),
                      .max_bytes = (uint32_t)number(route, "cache_max_bytes")},
            .line = {.places = (uint32_t)number(route, "places"),
                     .length = (uint32_t)number(route, "line_length"),
                     .timeout_ms = (uint32_t)number(route, "line_timeout_ms")},
            .price = {.currency = text(route, "currency", NULL),
                      .rates = {.input = (uint64_t)number(route, "input_price"),
                                .cached_input = (uint64_t)number(route, "cached_price"),
                                .output = (uint64_t)number(route, "output_price")}},
        };
        const char *room[POLICY_REPLICAS_MAX];
        add_replicas(route, room, &in);
        struct policy_guard guard;
        const json_t *guards = json_object_get(route, "guard");
        TRY(guard_of(guards, "request", guard.request, err));
        TRY(guard_of(guards, "answer", guard.answer, err));
        in.guard = guards == NULL ? NULL : &guard;
        TRY(policy_builder_add_route(builder, &in, err));
    }
    return 0;
}

static int add_model_route(struct policy_builder *builder, const json_t *route, struct err *err)
{
    const json_t *list = json_object_get(route, "backends");
    const json_t *named = json_object_get(route, "names");
    struct policy_backend_in backends[POLICY_BACKENDS_MAX] = {0};
    const char *names[16];
    struct policy_model_route_in in = {
        .namespace = text(route, "namespace", ""),
        .name = text(route, "name", ""),
        .names = names,
        .name_count = json_array_size(named),
        .backends = backends,
        .backend_count = json_array_size(list),
        .rules = {.retries = (uint32_t)number(route, "retries"),
                  .retry_on = (uint32_t)number(route, "retry_on"),
                  .try_timeout_ms = (uint32_t)number(route, "try_timeout_ms"),
                  .retry_percent = (uint32_t)number(route, "retry_percent"),
                  .retry_min_per_min = (uint32_t)number(route, "retry_min_per_min"),
                  .breaker_failures = (uint32_t)number(route, "breaker_failures"),
                  .breaker_ms = (uint32_t)number(route, "breaker_ms"),
                  .sticky = (uint32_t)number(route, "sticky")},
        .sticky_header = text(route, "sticky_header", ""),
        .created_at = 1700000000,
    };

    for (size_t i = 0; i < in.name_count; i++)
        names[i] = json_string_value(json_array_get(named, i));
    for (size_t i = 0; i < in.backend_count; i++) {
        const json_t *backend = json_array_get(list, i);
        backends[i] = (struct policy_backend_in){.service = text(backend, "service", ""),
                                                 .weight = (uint32_t)number(backend, "weight"),
                                                 .priority = (uint32_t)number(backend, "priority"),
                                                 .edit_set = text(backend, "set", ""),
                                                 .edit_drop = text(backend, "drop", "")};
    }
    return policy_builder_add_model_route(builder, &in, err);
}

static int add_model_routes(struct policy_builder *builder, const json_t *spec, struct err *err)
{
    const json_t *routes = json_object_get(spec, "model_routes");

    for (size_t i = 0; i < json_array_size(routes); i++)
        TRY(add_model_route(builder, json_array_get(routes, i), err));
    return 0;
}

static int publish_policy(const json_t *spec, const char *dir, struct err *err)
{
    CLEANUP(policy_builder_free_ptr) struct policy_builder *builder = policy_builder_new();
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = rbac_model_new();
    CLEANUP(buf_free) struct buf file = BUF_INIT(1 << 26);
    const json_t *objects = json_object_get(spec, "rbac");

    for (size_t i = 0; i < json_array_size(objects); i++)
        TRY(rbac_model_put(model, json_array_get(objects, i), err));
    TRY(add_places(builder, spec, err));
    TRY(add_model_routes(builder, spec, err));
    TRY(rbac_model_compile(model, builder, err));
    TRY(policy_builder_finish(builder, &file, err));
    return publish(&policy_snapshot, dir, &file, err);
}

static int do_publish(const json_t *spec, struct err *err)
{
    const char *dir = text(json_object_get(spec, "conf"), "snapshot_dir", "");
    CLEANUP_JSON json_t *keys = json_object();
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 20);

    TRY(publish_identity(spec, dir, keys, err));
    TRY(publish_policy(spec, dir, err));
    codec_json_put(keys, &out);
    puts(buf_text(&out));
    return 0;
}

/* ------------------------------------------------------------------ nginx */

static struct gateway_list texts(const json_t *object, const char *name, char **room)
{
    const json_t *array = json_object_get(object, name);
    size_t count = json_array_size(array);

    for (size_t i = 0; i < count && i < 16; i++)
        room[i] = (char *)(uintptr_t)json_string_value(json_array_get(array, i));
    return (struct gateway_list){.items = room, .count = count};
}

static void read_edge(const json_t *in, struct gateway_edge *edge)
{
    static char *room[3][16];

    edge->trusted_proxies = texts(in, "trusted_proxies", room[0]);
    edge->unlimited = texts(in, "unlimited", room[1]);
    edge->cors_origins = texts(in, "cors_origins", room[2]);
    edge->forwarded_header = text(in, "forwarded_header", NULL);
    edge->listen_proxy = text(in, "listen_proxy", NULL);
    edge->requests_per_min = (uint64_t)number(in, "requests_per_min");
    edge->sign_ins_per_min = (uint64_t)number(in, "sign_ins_per_min");
    edge->handshakes_per_min = (uint64_t)number(in, "handshakes_per_min");
    edge->bytes_per_min = (uint64_t)number(in, "bytes_per_min");
    edge->connections = (unsigned)number(in, "connections");
    edge->network_times = (unsigned)number(in, "network_times");
    edge->ban_sec = (unsigned)number(in, "ban_sec");
    if (number(in, "answer_max_sec") > 0)
        edge->answer_max_sec = (unsigned)number(in, "answer_max_sec");
}

/* Where do_run() puts the lease bell, and behind it the rings of each set. */
enum { FIRST_FD = 19, RING_SETS = 2 };

static void place_rings(struct gateway_conf *conf, unsigned set)
{
    int at = FIRST_FD + 1 + (int)(2 * set * conf->ring_count);

    for (unsigned i = 0; i < conf->ring_count; i++, at += 2)
        conf->rings[i] = (struct gateway_ring){.ring_fd = at, .bell_fd = at + 1};
}

static void read_conf(const json_t *spec, struct gateway_conf *conf)
{
    static const char *const owners[] = {"api", "idp", "secrets", "audit", "posture"};
    const json_t *in = json_object_get(spec, "conf");
    const json_t *sockets = json_object_get(in, "sockets");

    conf->listen[0] = text(in, "listen", NULL);
    conf->module = text(in, "module", NULL);
    conf->run_dir = text(in, "run_dir", NULL);
    conf->data_dir = text(in, "data_dir", NULL);
    conf->snapshot_dir = text(in, "snapshot_dir", NULL);
    conf->certificate = text(in, "certificate", NULL);
    conf->certificate_key = text(in, "certificate_key", NULL);
    conf->console_root = text(in, "console_root", NULL);
    for (size_t i = 0; i < ARRAY_LEN(owners); i++)
        conf->socket[i] = text(sockets, owners[i], NULL);
    if (number(in, "workers") > 0)
        conf->workers = (unsigned)number(in, "workers");
    if (number(in, "model_body_max_kib") > 0)
        conf->model_body_max_kib = (unsigned)number(in, "model_body_max_kib");
    if (number(in, "engine_timeout_sec") > 0)
        conf->engine_timeout_sec = (unsigned)number(in, "engine_timeout_sec");
    conf->waf = strcmp(text(in, "waf", "off"), "open") == 0 ? GATEWAY_WAF_OPEN : GATEWAY_WAF_OFF;
    if (json_object_get(in, "answer_cache") != NULL)
        conf->answer_cache = (uint64_t)number(in, "answer_cache");
    conf->audit_drop = json_is_true(json_object_get(in, "audit_drop"));
    read_edge(json_object_get(in, "edge"), &conf->edge);
    if (number(in, "gateways") > 0)
        conf->gateways = (unsigned)number(in, "gateways");
    conf->lease_bell = FIRST_FD;
    conf->ring_count = json_is_true(json_object_get(in, "rings")) ? conf->workers : 0;
    place_rings(conf, (unsigned)number(in, "ring_set"));
}

static int do_conf(const json_t *spec, struct err *err)
{
    struct gateway_conf conf = GATEWAY_CONF_DEFAULTS;
    CLEANUP(buf_free) struct buf out = BUF_INIT(GATEWAY_CONF_MAX);

    read_conf(spec, &conf);
    TRY(gateway_conf_put(&conf, &out, err));
    TRY(gateway_conf_dirs(&conf, err));
    return fd_write_all(STDOUT_FILENO, buf_span(&out), "standard output", err);
}

static int print_event(void *ctx, const struct audit_event *event, struct err *err UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(AUDIT_JSON_MAX);
    const bool *mute = ctx;

    if (*mute)
        return 0;
    audit_event_put_json(event, &out);
    puts(buf_text(&out));
    fflush(stdout);
    return 0;
}

/* Nobody listens: do_lease() comes by itself. */
static int open_lease_bell(const struct gateway_conf *conf, struct err *err)
{
    CLEANUP_FD int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    return bell < 0 || dup2(bell, conf->lease_bell) < 0 ? err_sys(err, "cannot place a bell") : 0;
}

static int open_rings(const struct gateway_conf *conf, size_t ring_bytes,
                      struct audit_ring_reader **readers, struct err *err)
{
    for (unsigned i = 0; i < conf->ring_count; i++) {
        CLEANUP_FD int ring = audit_ring_create(ring_bytes, err);
        CLEANUP_FD int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (ring < 0 || bell < 0 || audit_ring_reader_open(ring, &readers[i], err) < 0)
            return -1;
        /* dup2 makes them inheritable. */
        if (dup2(ring, conf->rings[i].ring_fd) < 0 || dup2(bell, conf->rings[i].bell_fd) < 0)
            return err_sys(err, "cannot place a ring");
    }
    return 0;
}

static int print_rings(struct audit_ring_reader **readers, unsigned count, bool mute,
                       struct err *err)
{
    for (unsigned i = 0; i < count; i++) {
        if (audit_ring_read(readers[i], 1000, print_event, &mute, err) < 0)
            return -1;
        audit_ring_release(readers[i]);
    }
    return 0;
}

/* Two sets of rings: new workers get the other one, see the rig's reload(). */
static int do_run(const json_t *spec, const char *nginx, const char *path, struct err *err)
{
    struct audit_ring_reader *readers[RING_SETS][GATEWAY_WORKERS_MAX];
    struct gateway_conf conf = GATEWAY_CONF_DEFAULTS;
    int status = 0;

    read_conf(spec, &conf);
    bool mute = json_is_true(json_object_get(json_object_get(spec, "conf"), "mute"));
    json_int_t ring_bytes = number(json_object_get(spec, "conf"), "ring_bytes");
    TRY(open_lease_bell(&conf, err));
    for (unsigned set = 0; set < RING_SETS; set++) {
        place_rings(&conf, set);
        TRY(open_rings(&conf, ring_bytes > 0 ? (size_t)ring_bytes : 1 << 22, readers[set], err));
    }
    pid_t child = fork();
    if (child == 0) {
        execl(nginx, nginx, "-p", conf.run_dir, "-c", path, (char *)NULL);
        _exit(127);
    }
    printf("{\"pid\":%d}\n", (int)child);
    fflush(stdout);
    for (bool gone = false; !gone;) {
        gone = waitpid(child, &status, WNOHANG) == child;
        for (unsigned set = 0; set < RING_SETS; set++)
            TRY(print_rings(readers[set], conf.ring_count, mute, err));
        usleep(20000);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : err_set(err, ERR_INTERNAL, "nginx ended with status %d", status);
}

/* As if so many requests of a class came in each of some seconds: what other workers would count.
 */
static int do_flood(const json_t *spec, const char *rate, struct err *err)
{
    const char *dir = text(json_object_get(spec, "conf"), "run_dir", "");
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, dir, err);
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = NULL;
    uint64_t count;

    TRY(dir_fd);
    TRY(num_parse_u64(span_str(rate), 1, 1000000, "the rate", &count, err));
    TRY(limit_sources_open(dir_fd, "sources", false, &sources, err));
    for (int i = 0; i < 60; i++) {
        for (uint64_t j = 0; j < count / 10; j++)
            (void)limit_class_count(sources, LIMIT_CLASS_PAGES, clock_mono_ns());
        usleep(100000);
    }
    return 0;
}

/* ------------------------------------------------------------------ shares of budgets */

struct giving {
    struct limit_budgets *budgets;
    uint64_t share;
    unsigned given;
};

static void give_share(void *ctx, const struct limit_holding *holding)
{
    struct giving *giving = ctx;
    const struct limit_lease lease = {
        .key = holding->key, .ends_sec = holding->ends_sec, .share = giving->share};

    giving->given += holding->wants > 0;
    limit_budgets_lease(giving->budgets, &lease, 1);
}

/* As if keeper and api gave this share of each budget that a call waits for; says of how many. */
static int do_lease(const json_t *spec, const char *share, struct err *err)
{
    const char *dir = text(json_object_get(spec, "conf"), "data_dir", "");
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, dir, err);
    struct giving giving = {.share = strtoull(share, NULL, 10)};

    TRY(dir_fd);
    TRY(limit_budgets_open(dir_fd, "budgets", false, &giving.budgets, err));
    limit_budgets_tell(giving.budgets, clock_wall_sec(), true, give_share, &giving);
    limit_budgets_close(giving.budgets);
    printf("%u\n", giving.given);
    return 0;
}

static int dispatch(int argc, char **argv, struct err *err)
{
    CLEANUP(buf_free) struct buf in = BUF_INIT(1 << 24);
    CLEANUP_JSON json_t *spec = NULL;

    TRY(fd_read_all(STDIN_FILENO, "the spec", &in, err));
    TRY(codec_json_parse(buf_span(&in), "the spec", &spec, err));
    if (argc == 2 && strcmp(argv[1], "publish") == 0)
        return do_publish(spec, err);
    if (argc == 3 && strcmp(argv[1], "flood") == 0)
        return do_flood(spec, argv[2], err);
    if (argc == 3 && strcmp(argv[1], "lease") == 0)
        return do_lease(spec, argv[2], err);
    if (argc == 2 && strcmp(argv[1], "conf") == 0)
        return do_conf(spec, err);
    if (argc == 4 && strcmp(argv[1], "run") == 0)
        return do_run(spec, argv[2], argv[3], err);
    return err_set(
        err, ERR_INVALID,
        "usage: gateway_fixture publish | conf | flood RATE | lease SHARE | run NGINX CONF < spec");
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    if (dispatch(argc, argv, &err) == 0)
        return 0;
    fprintf(stderr, "gateway_fixture: %s\n", err.msg);
    return 1;
}
