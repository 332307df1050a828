/* SPDX-License-Identifier: Apache-2.0 */
/* EN-1: TLS 1.3 on every API, at every listener where TLS begins at once: at listen-proxy another
 * protocol comes first. */
#include "base/fd.h"
#include "base/mem.h"
#include "front.h"
#include "role/settings.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

/* One of the listeners, in the words of its evidence. */
struct door {
    struct opt_listen at;
    enum settings_listener which;
    char where[32]; /* "" for the first */
};

static int connect_listener(const struct door *door, struct err *err)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    const char *host = door->at.host;
    struct timeval timeout = {.tv_sec = 3};

    bool is_v6 = inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1;
    address.any.sa_family = is_v6 ? AF_INET6 : AF_INET;
    if (is_v6)
        address.v6.sin6_port = htons(door->at.port);
    else
        address.v4.sin_port = htons(door->at.port);
    if (!is_v6)
        (void)inet_pton(AF_INET, host, &address.v4.sin_addr);
    CLEANUP_FD int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, "cannot make a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, &address.any, is_v6 ? sizeof(address.v6) : sizeof(address.v4)) < 0)
        return err_sys(err, "cannot connect to %s port %u", host, door->at.port);
    return fd_take(&fd);
}

/* 1: the handshake with just this version succeeded, 0: it was refused. */
static int handshake(const struct door *door, int version, struct err *err)
{
    CLEANUP_FD int fd = connect_listener(door, err);

    TRY(fd);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    INVARIANT(context != NULL);
    /* Our own library must not be what refuses. */
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    SSL *tls = SSL_new(context);
    INVARIANT(tls != NULL);
    SSL_set_fd(tls, fd);
    int done = SSL_connect(tls) == 1;
    SSL_free(tls);
    SSL_CTX_free(context);
    return done;
}

static void prove_versions(struct proof *proof, const struct door *door)
{
    static const struct {
        int version;
        const char *name;
        bool wanted;
    } versions[] = {
        {TLS1_VERSION, "TLS 1.0", false},
        {TLS1_1_VERSION, "TLS 1.1", false},
        {TLS1_2_VERSION, "TLS 1.2", false},
        {TLS1_3_VERSION, "TLS 1.3", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct err err = ERR_INIT;
        int done = handshake(door, versions[i].version, &err);
        if (done < 0) {
            proof_broken(proof, &err);
            return;
        }
        proof_expect(proof, (done == 1) == versions[i].wanted, "a handshake with %s is %s%s",
                     versions[i].name, versions[i].wanted ? "accepted" : "refused", door->where);
    }
}

static void prove_no_plaintext(struct proof *proof, const struct door *door)
{
    static const char request[] = "GET /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    CLEANUP(buf_free) struct buf answer = BUF_INIT(4096);
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = connect_listener(door, &err);

    if (fd < 0 || fd_write_all(fd, span_str(request), "a plaintext request", &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    /* Closing without a word is as good as an error page. */
    if (fd_read_all(fd, "the answer", &answer, &err) < 0)
        err_clear(&err);
    bool refused = answer.len == 0 || strstr(buf_text(&answer), " 400 ") != NULL;
    proof_expect(proof, refused, "a request without TLS is refused%s", door->where);
}

static void prove_hsts(struct proof *proof, const struct door *door)
{
    struct err err = ERR_INIT;
    unsigned status;

    front_turn(proof->front, door->which);
    int done = front_call(proof->front, "GET", "/version", "", NULL, &status, NULL, &err);
    front_turn(proof->front, SETTINGS_LISTEN);
    if (done < 0) {
        proof_broken(proof, &err);
        return;
    }
    CLEANUP_FREE char *hsts = front_header(proof->front, "Strict-Transport-Security");
    proof_expect(proof, hsts != NULL && strncmp(hsts, "max-age=", 8) == 0,
                 "Strict-Transport-Security is sent (%s)%s", hsts == NULL ? "missing" : hsts,
                 door->where);
    proof_expect(proof, status == 200, "the certificate is one of the platform's own authority%s",
                 door->where);
}

void prove_en1(struct proof *proof)
{
    static const enum settings_listener doors[] = {SETTINGS_LISTEN, SETTINGS_LISTEN_MTLS,
                                                   SETTINGS_LISTEN_SECOND};
    const struct settings *settings = role_settings(proof->role);

    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        struct door door = {.at = settings_listener_here(settings, doors[i]), .which = doors[i]};
        if (door.at.port == 0)
            continue;
        if (door.which != SETTINGS_LISTEN)
            snprintf(door.where, sizeof(door.where), " at %s", settings_listener_name(door.which));
        prove_versions(proof, &door);
        prove_no_plaintext(proof, &door);
        prove_hsts(proof, &door);
    }
}
