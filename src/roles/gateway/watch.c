/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include "audit/audit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "limit/floods.h"
#include "log/log.h"
#include "wire/bans.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#define SEC_NS UINT64_C(1000000000)

enum { LOOK_MS = 1000, RETRY_SEC = 10, V4_AT = 12, AUDITED_MAX = 64 };

struct watch {
    struct role *role;
    struct limit_sources *sources;
    struct limit_ban known[LIMIT_BAN_SLOTS]; /* as they were last seen */
    size_t known_count;
    enum limit_level levels[LIMIT_CLASSES];
    bool told;            /* the agent has the list of now */
    uint64_t retry_at_ns; /* a failure is not tried again before */
};

/* ------------------------------------------------------------------ nginx.conf */

static struct gateway_list list_of(const struct opt_list *list)
{
    return (struct gateway_list){.items = list->items, .count = list->count};
}

void watch_configure(const struct settings *settings, char *listen, size_t size,
                     struct gateway_edge *out)
{
    const struct settings_edge *edge = &settings->edge;

    settings_listener_text(settings, SETTINGS_LISTEN_PROXY, listen, size);
    *out = (struct gateway_edge){
        .trusted_proxies = list_of(&edge->trusted_proxies),
        .forwarded_header = edge->forwarded_header,
        .listen_proxy = listen,
        .unlimited = list_of(&edge->unlimited_networks),
        .cors_origins = list_of(&edge->cors_origins),
        .requests_per_min = edge->source_requests,
        .sign_ins_per_min = edge->source_sign_ins,
        .handshakes_per_min = edge->source_handshakes,
        .bytes_per_min = edge->source_bytes,
        .connections = (unsigned)edge->source_connections,
        .network_times = (unsigned)edge->source_network,
        .ban_sec = (unsigned)((edge->source_ban_ms + 999) / 1000),
        .answer_max_sec = (unsigned)((edge->answer_max_ms + 999) / 1000),
    };
}

/* ------------------------------------------------------------------ records */

static void record(struct watch *watch, const char *what, const char *resource, const char *name,
                   const char *reason)
{
    struct ipc_client *audit = role_peer(watch->role, ROLE_AUDIT);
    CLEANUP_FREE char *actor = mem_printf("system:drun:%s", role_name(role_self(watch->role)));
    struct err err = ERR_INIT;
    struct audit_event event = {
        .time_ns = clock_wall_ns(),
        .event = span_str(what),
        .outcome = AUDIT_SUCCESS,
        .actor = {.name = span_str(actor), .source = AUDIT_SOURCE_ROLE},
        .action = {.verb = span_str("watch"),
                   .api_group = span_str("limits.drun.io"),
                   .resource = span_str(resource),
                   .name = span_str(name)},
        .reason = span_str(reason),
    };

    log_say(LOG_WARN, what, "%s: %s", name, reason);
    if (audit_send(audit, &event, 1, &err) < 0)
        log_error("gateway.audit", &err);
}

static void address_text(const uint8_t address[LIMIT_ADDRESS_LEN], char out[INET6_ADDRSTRLEN + 4])
{
    static const uint8_t mapped[V4_AT] = {[10] = 0xFF, [11] = 0xFF};

    if (memcmp(address, mapped, V4_AT) == 0) {
        (void)inet_ntop(AF_INET, address + V4_AT, out, INET6_ADDRSTRLEN);
        return;
    }
    (void)inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
    memcpy(out + strlen(out), "/64", 4);
}

/* ------------------------------------------------------------------ bans */

static const struct limit_ban *find(const struct limit_ban *bans, size_t count,
                                    const uint8_t address[LIMIT_ADDRESS_LEN])
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(bans[i].address, address, LIMIT_ADDRESS_LEN) == 0)
            return &bans[i];
    return NULL;
}

static void record_ban(struct watch *watch, const struct limit_ban *ban)
{
    char address[INET6_ADDRSTRLEN + 4];

    address_text(ban->address, address);
    CLEANUP_FREE char *reason =
        mem_printf("too many %s; for %" PRIu64 " s", limit_offence_name(ban->offence),
                   (ban->until_ns - ban->since_ns) / SEC_NS);
    record(watch, AUDIT_SOURCE_BANNED, "bans", address, reason);
}

/* A flood of many addresses is one line, not as many as there are. */
static void record_rest(struct watch *watch, size_t rest)
{
    CLEANUP_FREE char *reason = mem_printf("%zu more addresses in this second", rest);

    if (rest > 0)
        record(watch, AUDIT_SOURCE_BANNED, "bans", "", reason);
}

static bool compare(struct watch *watch, const struct limit_ban *now, size_t count, uint64_t now_ns)
{
    bool changed = false;
    size_t news = 0;

    for (size_t i = 0; i < count; i++) {
        const struct limit_ban *before = find(watch->known, watch->known_count, now[i].address);
        if (before != NULL && before->until_ns == now[i].until_ns)
            continue;
        changed = true;
        if (news++ < AUDITED_MAX)
            record_ban(watch, &now[i]);
    }
    record_rest(watch, news > AUDITED_MAX ? news - AUDITED_MAX : 0);
    for (size_t i = 0; i < watch->known_count; i++) {
        char address[INET6_ADDRSTRLEN + 4];
        if (find(now, count, watch->known[i].address) != NULL)
            continue;
        bool early = watch->known[i].until_ns > now_ns;
        changed |= early; /* the kernel ends the others by itself */
        address_text(watch->known[i].address, address);
        record(watch, AUDIT_BAN_ENDED, "bans", address,
               early ? "ended by an administrator" : "its time is over");
    }
    return changed;
}

/* ------------------------------------------------------------------ the kernel */

static int tell(struct watch *watch, uint64_t now_ns, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(BANS_MAX * BANS_ENTRY_LEN);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(64);
    struct ipc_client *agent = role_peer(watch->role, ROLE_AGENT);

    for (size_t i = 0; i < watch->known_count; i++) {
        const struct limit_ban *ban = &watch->known[i];
        if (ban->until_ns <= now_ns)
            continue;
        buf_put(&body, ban->address, LIMIT_ADDRESS_LEN);
        buf_put_u32(&body, (uint32_t)((ban->until_ns - now_ns) / SEC_NS + 1));
    }
    if (agent == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the agent is away");
    return ipc_call(agent, AGENT_SET_BANS, buf_span(&body), &reply, NULL, err);
}

/* May stand in JSON as it is. */
static void say_kernel(struct watch *watch, enum limit_kernel_state state, const char *why)
{
    char text[160];

    snprintf(text, sizeof(text), "%s", why);
    for (char *c = text; *c != '\0'; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = '\'';
    if (limit_kernel_get(watch->sources).state != state)
        log_say(state == LIMIT_KERNEL_IN_FORCE ? LOG_INFO : LOG_WARN, "gateway.bans",
                state == LIMIT_KERNEL_IN_FORCE ? "bans are in the kernel, too"
                                               : "bans are not in the kernel: %s",
                text);
    limit_kernel_set(watch->sources, state, text);
}

static void tell_kernel(struct watch *watch, uint64_t now_ns)
{
    struct err err = ERR_INIT;

    if (watch->told || now_ns < watch->retry_at_ns)
        return;
    if (!role_settings(watch->role)->edge.kernel_bans) {
        say_kernel(watch, LIMIT_KERNEL_NOT_GRANTED, "the setting kernel-bans is false");
        watch->told = true;
    } else if (tell(watch, now_ns, &err) < 0) {
        say_kernel(watch, LIMIT_KERNEL_NOT_GRANTED, err.msg);
        watch->retry_at_ns = now_ns + RETRY_SEC * SEC_NS;
    } else {
        say_kernel(watch, LIMIT_KERNEL_IN_FORCE, "");
        watch->told = true;
    }
}

/* ------------------------------------------------------------------ floods */

static void look_at_floods(struct watch *watch, uint64_t now_ns)
{
    for (int i = 0; i < LIMIT_CLASSES; i++) {
        enum limit_class class = (enum limit_class)i;
        struct limit_weather weather = limit_class_look(watch->sources, class, now_ns);
        if (weather.level == watch->levels[i])
            continue;
        CLEANUP_FREE char *reason = mem_printf(
            "%s -> %s, %" PRIu64 " a second, usually %" PRIu64, limit_level_name(watch->levels[i]),
            limit_level_name(weather.level), weather.rate, weather.usual);
        watch->levels[i] = weather.level;
        record(watch, AUDIT_FLOOD_CHANGED, "floods", limit_class_name(class), reason);
    }
}

static int open_sources(struct watch *watch, struct err *err)
{
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(watch->role), err);

    TRY(dir_fd);
    return limit_sources_open(dir_fd, "sources", false, &watch->sources, err);
}

static void on_look(void *ctx)
{
    static struct limit_ban now[LIMIT_BAN_SLOTS];
    struct watch *watch = ctx;
    uint64_t now_ns = clock_mono_ns();
    size_t count = limit_bans(watch->sources, now_ns, now);

    if (compare(watch, now, count, now_ns)) {
        watch->told = false;
        watch->retry_at_ns = 0;
    }
    memcpy(watch->known, now, count * sizeof(now[0]));
    watch->known_count = count;
    tell_kernel(watch, now_ns);
    look_at_floods(watch, now_ns);
}

int watch_new(struct role *role, struct watch **out, struct err *err)
{
    struct watch *watch = mem_new(sizeof(*watch));

    watch->role = role;
    *out = watch;
    TRY(open_sources(watch, err));
    return loop_add_timer(role_loop(role), LOOK_MS, LOOK_MS, on_look, watch, NULL, err);
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    limit_sources_close(watch->sources);
    free(watch);
}

void watch_tell_anew(struct watch *watch)
{
    if (watch == NULL)
        return;
    watch->told = false;
    watch->retry_at_ns = 0;
}
