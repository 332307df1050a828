/* SPDX-License-Identifier: Apache-2.0 */
/* NW-3: a flood from one source is contained, while a client that behaves keeps its answers. The
 * flood comes from an address of the loopback network that no limit spares. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "front.h"
#include "role/settings.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
    BATCH = 32,       /* requests at once */
    WINDOW_SHARE = 6, /* of a minute's limit comes in one window */
    BEYOND = 1500,    /* refusals before it must be shut out */
    REQUESTS_MAX = 40000,
    CALLS = 15,    /* of the client that behaves */
    SLOW_MS = 400, /* an answer, whatever it was before the flood */
    SLOWER_TIMES = 5,
    FLOOD_SEC = 20,
    WAIT_MS = 200,
    WAITS = 15,
};

#define MS_NS UINT64_C(1000000)

struct flood {
    const struct settings *settings;
    struct in_addr from;
    uint64_t most; /* that may be answered */
    uint64_t served, refused;
    bool shut_out; /* the connection was cut, and another one is not taken */
    bool broken;   /* it could not even begin */
};

/* ------------------------------------------------------------------ the flood */

static int connect_from(const struct flood *flood)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = flood->from};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(flood->settings->listen.port)};
    const struct timeval timeout = {.tv_sec = 3};
    const char *host = flood->settings->listen.host;
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (inet_pton(AF_INET, strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : host, &to.sin_addr) != 1 ||
        fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -1;
    return fd_take(&fd);
}

static SSL *open_tls(SSL_CTX *context, int fd)
{
    SSL *tls = fd < 0 ? NULL : SSL_new(context);

    if (tls == NULL)
        return NULL;
    SSL_set_fd(tls, fd);
    if (SSL_connect(tls) == 1)
        return tls;
    SSL_free(tls);
    return NULL;
}

/* Counts the status lines; gives how many there are. The text has no others. */
static size_t count_answers(struct flood *flood, const char *text)
{
    static const char line[] = "HTTP/1.1 ";
    size_t count = 0;

    for (const char *at = strstr(text, line); at != NULL; at = strstr(at + 1, line), count++) {
        bool refused = strncmp(at + sizeof(line) - 1, "429", 3) == 0;
        flood->refused += refused;
        flood->served += !refused;
    }
    return count;
}

static bool send_batch(struct flood *flood, SSL *tls)
{
    static const char one[] = "GET /v1/models HTTP/1.1\r\nHost: flood\r\n\r\n";
    char out[BATCH * sizeof(one)] = "";
    CLEANUP(buf_free) struct buf in = BUF_INIT(256 * 1024);
    char piece[8192];
    size_t answers = 0;

    for (int i = 0; i < BATCH; i++)
        memcpy(out + i * (sizeof(one) - 1), one, sizeof(one));
    if (SSL_write(tls, out, (int)(BATCH * (sizeof(one) - 1))) <= 0)
        return false;
    while (answers < BATCH) {
        int len = SSL_read(tls, piece, sizeof(piece));
        if (len <= 0)
            break;
        buf_put(&in, piece, (size_t)len);
        const char *text = buf_text(&in);
        /* A status line may be cut in two: only a whole batch, or the end, is counted. */
        answers = 0;
        for (const char *at = strstr(text, "HTTP/1.1 "); at != NULL;
             at = strstr(at + 1, "HTTP/1.1 "))
            answers++;
    }
    return count_answers(flood, buf_text(&in)) == BATCH;
}

/* The end of a ban that begins takes away what is open, too. */
static bool is_shut_out(const struct flood *flood, SSL_CTX *context)
{
    const struct timespec pause = {.tv_nsec = WAIT_MS * (long)MS_NS};

    for (int i = 0; i < WAITS; i++) {
        CLEANUP_FD int fd = connect_from(flood);
        SSL *tls = open_tls(context, fd);
        if (tls == NULL)
            return true;
        SSL_free(tls);
        nanosleep(&pause, NULL);
    }
    return false;
}

static void *run_flood(void *ctx)
{
    struct flood *flood = ctx;
    uint64_t end_ns = clock_mono_ns() + FLOOD_SEC * 1000 * MS_NS;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    INVARIANT(context != NULL);
    CLEANUP_FD int fd = connect_from(flood);
    SSL *tls = open_tls(context, fd);
    bool open = tls != NULL;

    flood->broken = !open;
    while (open && clock_mono_ns() < end_ns && flood->served < 2 * flood->most &&
           flood->refused < BEYOND)
        open = send_batch(flood, tls);
    SSL_free(tls);
    flood->shut_out = !flood->broken && flood->refused > 0 && is_shut_out(flood, context);
    SSL_CTX_free(context);
    return NULL;
}

/* ------------------------------------------------------------------ the client that behaves */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The median of some calls in milliseconds; -1 when one was not answered. */
static int64_t call_some(struct proof *proof)
{
    uint64_t took[CALLS];

    for (size_t i = 0; i < CALLS; i++) {
        struct err err = ERR_INIT;
        unsigned status = 0;
        uint64_t began = clock_mono_ns();
        if (front_call(proof->front, "GET", "/version", "", NULL, &status, NULL, &err) < 0) {
            proof_broken(proof, &err);
            return -1;
        }
        if (status != 200)
            return -1;
        took[i] = clock_mono_ns() - began;
    }
    qsort(took, CALLS, sizeof(took[0]), by_value);
    return (int64_t)(took[CALLS / 2] / MS_NS);
}

/* ------------------------------------------------------------------ what is seen of it */

static bool is_banned(const json_t *list, const char *address)
{
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(list, "items"), i, item)
        if (strcmp(codec_json_text(json_object_get(item, "spec"), "address", ""), address) == 0)
            return true;
    return false;
}

static void look_at_bans(struct proof *proof, const char *address)
{
    CLEANUP_JSON json_t *list = NULL;
    struct err err = ERR_INIT;
    unsigned status;

    if (front_call(proof->front, "GET", "/apis/limits.drun.io/v1/bans", NULL, NULL, &status, &list,
                   &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    if (status == 403) {
        proof_degrade(proof, "the role drun:posture of this installation may not list bans");
        return;
    }
    proof_expect(proof, status == 200 && is_banned(list, address),
                 "the ban of %s is shown, with its end", address);
    const json_t *kernel = codec_json_at(list, "status", "kernel", NULL);
    const char *state = codec_json_text(kernel, "state", "unknown");
    if (strcmp(state, "in force") == 0)
        proof_say(proof, "bans are in the kernel, too");
    else
        proof_degrade(proof, "bans are not in the kernel: %s",
                      codec_json_text(kernel, "reason", state));
}

static void judge(struct proof *proof, const struct flood *flood, int64_t quiet_ms,
                  int64_t during_ms)
{
    bool bans = flood->settings->edge.source_ban_ms > 0;
    char address[INET_ADDRSTRLEN];

    INVARIANT(inet_ntop(AF_INET, &flood->from, address, sizeof(address)) != NULL);
    proof_expect(proof, flood->refused > 0 && flood->served <= flood->most,
                 "a flood from %s gets its limit and no more (%llu answered, %llu refused)",
                 address, (unsigned long long)flood->served, (unsigned long long)flood->refused);
    proof_expect(proof,
                 during_ms >= 0 && during_ms <= NUM_MAX((int64_t)SLOW_MS, quiet_ms * SLOWER_TIMES),
                 "a client that behaves is answered meanwhile (%lld ms, %lld ms before)",
                 (long long)during_ms, (long long)quiet_ms);
    if (!bans) {
        proof_degrade(proof, "nobody is banned: source-ban is 0");
        return;
    }
    if (proof_expect(proof, flood->shut_out, "who goes on is shut out"))
        look_at_bans(proof, address);
}

/* Another one each time: an earlier ban may last. 127.64.0.0 and up. */
static struct in_addr any_address(void)
{
    unsigned char random[3];
    struct in_addr address;

    INVARIANT(RAND_bytes(random, sizeof(random)) == 1);
    address.s_addr = htonl(UINT32_C(0x7F400000) | (uint32_t)(random[0] & 63) << 16 |
                           (uint32_t)random[1] << 8 | random[2]);
    return address;
}

void prove_nw3(struct proof *proof)
{
    const struct settings *settings = role_settings(proof->role);
    uint64_t window = settings->edge.source_requests / WINDOW_SHARE;
    struct flood flood = {.settings = settings, .from = any_address()};
    pthread_t thread;

    if (window == 0 || window > REQUESTS_MAX || strchr(settings->listen.host, ':') != NULL) {
        proof_degrade(proof, window == 0
                                 ? "requests of a source have no limit: source-requests is 0"
                             : window > REQUESTS_MAX
                                 ? "source-requests is more than this proof sends"
                                 : "a listener of IPv6 cannot be flooded from another address of "
                                   "this machine");
        return;
    }
    /* What drains while it lasts is granted on top. */
    flood.most = window + window * FLOOD_SEC / 10 + BATCH;
    int64_t quiet_ms = call_some(proof);
    if (quiet_ms < 0 || pthread_create(&thread, NULL, run_flood, &flood) != 0) {
        proof_expect(proof, false, "the platform answers before the flood");
        return;
    }
    int64_t during_ms = call_some(proof);
    INVARIANT(pthread_join(thread, NULL) == 0);
    if (flood.broken)
        proof_degrade(proof, "no connection from another address of this machine reaches the "
                             "listener");
    else
        judge(proof, &flood, quiet_ms, during_ms);
}
