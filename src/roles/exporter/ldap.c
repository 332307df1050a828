/* SPDX-License-Identifier: Apache-2.0 */
/* One bind to a directory, and one search, for another role. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "egress/url.h"
#include "egress/wire.h"
#include "exporter/exporter_internal.h"
#include "exporter/ldap_api.h"
#include "wire/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>

enum { ARENA_MAX = 512 * 1024, GUARD_MS = 100 };

static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

struct ldap_job {
    struct job job; /* first, so that one is the other */
    struct exporter *exporter;
    struct ipc_ticket ticket;
    struct arena *arena;
    struct buf body;     /* the message; the request points into it */
    struct buf password; /* out of a Secret */
    struct egress_bind bind;
    struct egress_url url;
    bool starts_tls;
    struct buf reply;
    /* While it runs. */
    const struct ldap_api *api;
    LDAP *ld;
    struct err refused; /* the address that was */
    struct loop_source *guard;
    int watched_fd; /* our own descriptor of the connection's socket; atomic */
    bool connected;
    bool secured; /* the directory answered inside TLS */
};

static void job_free(struct ldap_job *job)
{
    loop_remove(job->exporter->loop, job->guard);
    fd_close(&job->watched_fd);
    buf_free_wiped(&job->body);
    buf_free_wiped(&job->password);
    buf_free_wiped(&job->reply);
    arena_free(job->arena);
    free(job);
}

/* ------------------------------------------------------------------ addresses */

static int check_address(struct ldap_job *job, const struct sockaddr *address, struct err *err)
{
    return egress_address_check(address, job->bind.endpoint.private_network,
                                &job->exporter->networks, err);
}

static void free_addresses(struct addrinfo **found)
{
    if (*found != NULL)
        freeaddrinfo(*found);
}

/* Before the first packet: all that the name means. */
static int check_name(struct ldap_job *job, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    CLEANUP(free_addresses) struct addrinfo *found = NULL;
    int failed = getaddrinfo(job->url.host, NULL, &hints, &found);

    if (failed != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s: %s", job->url.host, gai_strerror(failed));
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
        if (check_address(job, at->ai_addr, &job->refused) < 0) {
            *err = job->refused;
            return -1;
        }
    return 0;
}

/* And the one that libldap connected to, before it sends a byte: the name may mean something else
 * by now. */
static int on_connected(LDAP *ld UNUSED, Sockbuf *sb, LDAPURLDesc *url UNUSED,
                        struct sockaddr *address, struct ldap_conncb *self)
{
    struct ldap_job *job = self->lc_arg;

    int fd = -1;

    if (check_address(job, address, &job->refused) < 0 || job->connected)
        return LDAP_OTHER; /* once: there is nothing to follow */
    job->api->ber_sockbuf_ctrl(sb, LBER_SB_OPT_GET_FD, &fd);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0)
        return LDAP_OTHER;
    __atomic_store_n(&job->watched_fd, own, __ATOMIC_RELEASE);
    job->connected = true;
    return LDAP_SUCCESS;
}

static void on_closed(LDAP *ld UNUSED, Sockbuf *sb UNUSED, struct ldap_conncb *self UNUSED)
{
}

/* ------------------------------------------------------------------ the session */

static enum err_code code_of(int result)
{
    switch (result) {
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INAPPROPRIATE_AUTH:
    case LDAP_UNWILLING_TO_PERFORM: return ERR_UNAUTHENTICATED;
    case LDAP_INSUFFICIENT_ACCESS: return ERR_DENIED;
    case LDAP_NO_SUCH_OBJECT: return ERR_NOT_FOUND;
    case LDAP_SIZELIMIT_EXCEEDED: return ERR_TOO_LARGE;
    case LDAP_TIMEOUT:
    case LDAP_TIMELIMIT_EXCEEDED: return ERR_TIMEOUT;
    case LDAP_FILTER_ERROR:
    case LDAP_INVALID_DN_SYNTAX: return ERR_INVALID;
    default: return ERR_UNAVAILABLE;
    }
}

static int failed(struct ldap_job *job, const char *what, int result, struct err *err)
{
    char *detail = NULL;

    if (job->refused.code != ERR_NONE) {
        *err = job->refused;
        return -1;
    }
    bool lost = result == LDAP_SERVER_DOWN || result == LDAP_CONNECT_ERROR;
    if (lost && clock_mono_ns() >= job->job.until_ns)
        return err_set(err, ERR_TIMEOUT, "%s failed: no answer in time", what);
    if (lost && job->connected && !job->secured) /* libldap has no words for why */
        return err_set(err, ERR_DENIED,
                       "its certificate is not trusted or not for this host, or it does not speak "
                       "TLS 1.2");
    job->api->get_option(job->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &detail);
    err_set(err, code_of(result), "%s failed: %s%s%.160s", what, job->api->err2string(result),
            detail != NULL && detail[0] != '\0' ? ": " : "", detail == NULL ? "" : detail);
    job->api->memfree(detail);
    return -1;
}

static struct timeval time_left(const struct ldap_job *job)
{
    uint64_t now = clock_mono_ns();
    uint64_t us = job->job.until_ns > now ? (job->job.until_ns - now) / 1000 : 0;

    us = us < 1000 ? 1000 : us;
    return (struct timeval){.tv_sec = (time_t)(us / 1000000),
                            .tv_usec = (suseconds_t)(us % 1000000)};
}

static int set_option(struct ldap_job *job, int option, const void *value, struct err *err)
{
    int result = job->api->set_option(job->ld, option, value);

    return result == LDAP_OPT_SUCCESS
               ? 0
               : err_set(err, ERR_INTERNAL, "libldap refuses its option %#x", option);
}

static int set_int(struct ldap_job *job, int option, int value, struct err *err)
{
    return set_option(job, option, &value, err);
}

static int set_times(struct ldap_job *job, struct err *err)
{
    struct timeval left = time_left(job);

    TRY(set_option(job, LDAP_OPT_NETWORK_TIMEOUT, &left, err));
    return set_option(job, LDAP_OPT_TIMEOUT, &left, err);
}

static int set_trust(struct ldap_job *job, const char *authorities, struct err *err)
{
    TRY(set_option(job, LDAP_OPT_X_TLS_CACERTFILE, authorities, err));
    TRY(set_int(job, LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_DEMAND, err));
    TRY(set_int(job, LDAP_OPT_X_TLS_PROTOCOL_MIN, LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, err));
    return set_int(job, LDAP_OPT_X_TLS_NEWCTX, 0, err);
}

static int open_session(struct ldap_job *job, struct ldap_conncb *callback, const char *authorities,
                        struct err *err)
{
    char authority[POOL_LANE_SIZE];

    egress_url_authority(&job->url, authority, sizeof(authority));
    CLEANUP_FREE char *url =
        mem_printf("%s%s", job->starts_tls ? "ldap://" : "ldaps://", authority);
    int result = job->api->initialize(&job->ld, url);
    if (result != LDAP_SUCCESS)
        return failed(job, "the start", result, err);
    TRY(set_int(job, LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3, err));
    TRY(set_option(job, LDAP_OPT_REFERRALS, LDAP_OPT_OFF, err));
    TRY(set_option(job, LDAP_OPT_CONNECT_CB, callback, err));
    TRY(set_times(job, err));
    return set_trust(job, authorities, err);
}

static int bind_simply(struct ldap_job *job, struct err *err)
{
    const struct egress_bind *bind = &job->bind;
    CLEANUP_FREE char *password = mem_strndup((const char *)bind->password.p, bind->password.len);
    struct berval credential = {.bv_len = bind->password.len, .bv_val = password};

    int result =
        job->api->sasl_bind_s(job->ld, bind->dn, LDAP_SASL_SIMPLE, &credential, NULL, NULL, NULL);
    mem_wipe(password, bind->password.len);
    if (result != LDAP_SUCCESS)
        return failed(job, "the bind", result, err);
    return 0;
}

/* ------------------------------------------------------------------ the search */

static int search(struct ldap_job *job, struct err *err)
{
    static const int scopes[] = {LDAP_SCOPE_BASE, LDAP_SCOPE_ONELEVEL, LDAP_SCOPE_SUBTREE};
    const struct egress_bind *bind = &job->bind;
    struct timeval left = time_left(job);
    LDAPMessage *chain = NULL;

    if (bind->base == NULL) {
        buf_put_u32(&job->reply, 0);
        return 0;
    }
    int result = job->api->search_ext_s(job->ld, bind->base, scopes[bind->scope], bind->filter,
                                        (char **)(uintptr_t)bind->attributes, 0, NULL, NULL, &left,
                                        (int)bind->entries_max, &chain);
    if (result == LDAP_SUCCESS)
        ldap_put_found(job->api, job->ld, chain, &job->reply);
    job->api->msgfree(chain);
    if (result != LDAP_SUCCESS)
        return failed(job, "the search", result, err);
    return buf_check(&job->reply, "what the directory found", err);
}

/* ------------------------------------------------------------------ in a thread */

static int converse(struct ldap_job *job, const char *authorities, struct err *err)
{
    struct ldap_conncb callback = {.lc_add = on_connected, .lc_del = on_closed, .lc_arg = job};
    int result = open_session(job, &callback, authorities, err);

    if (result == 0 && job->starts_tls) {
        int started = job->api->start_tls_s(job->ld, NULL, NULL);
        if (started != LDAP_SUCCESS)
            result = failed(job, "StartTLS", started, err);
    }
    if (result == 0)
        result = set_times(job, err);
    if (result == 0)
        result = bind_simply(job, err);
    job->secured = result == 0;
    if (result == 0)
        result = search(job, err);
    if (job->ld != NULL)
        job->api->unbind_ext_s(job->ld, NULL, NULL);
    job->ld = NULL;
    return result;
}

/* libldap reads authorities from files alone. */
static int write_authorities(struct ldap_job *job, char **out, struct err *err)
{
    struct span pem = job->bind.endpoint.ca_pem;

    *out = mem_printf("%s/ldap-XXXXXX", job->exporter->scratch_dir);
    CLEANUP_FD int fd = mkostemp(*out, O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "cannot write the directory's authorities");
    return fd_write_all(fd, pem, "the directory's authorities", err);
}

static int run(struct job *generic, struct err *err)
{
    struct ldap_job *job = (struct ldap_job *)(void *)generic;
    CLEANUP_FREE char *authorities = NULL;
    int result = check_name(job, err);

    if (result == 0 && job->bind.endpoint.ca_pem.len == 0)
        return converse(job, system_authorities, err);
    if (result == 0)
        result = write_authorities(job, &authorities, err);
    if (result == 0)
        result = converse(job, authorities, err);
    if (authorities != NULL)
        unlink(authorities);
    return result;
}

/* ------------------------------------------------------------------ on the loop */

/* libldap bounds the connection and the answers, but not the handshake of TLS. */
static void on_guard(void *ctx)
{
    struct ldap_job *job = ctx;
    int fd = __atomic_load_n(&job->watched_fd, __ATOMIC_ACQUIRE);

    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
}

static void done(struct job *generic)
{
    struct ldap_job *job = (struct ldap_job *)(void *)generic;
    const char *name = job->bind.endpoint.name;

    if (generic->err.code != ERR_NONE) {
        if (job->refused.code != ERR_NONE)
            exporter_report_refusal(job->exporter, name, &generic->err);
        err_wrap(&generic->err, "%s: %s", name, job->url.host);
        ipc_reply_error(&job->ticket, &generic->err);
    } else {
        ipc_reply(&job->ticket, buf_span(&job->reply));
    }
    job_free(job);
}

static int prepare(struct ldap_job *job, struct span body, unsigned peer, struct err *err)
{
    buf_put_span(&job->body, body);
    TRY(egress_get_bind(buf_span(&job->body), job->arena, &job->bind, err));
    TRY(sender_check(peer, &job->bind.endpoint, err));
    if (job->bind.secret.name != NULL) {
        TRY(sender_secret(job->exporter, peer, &job->bind.secret, &job->password, err));
        job->bind.password = buf_span(&job->password);
    }
    job->starts_tls = span_has_prefix(span_str(job->bind.url), "ldap://");
    TRY(egress_url_parse(job->bind.url, job->starts_tls ? "ldap://" : "ldaps://",
                         job->starts_tls ? 389 : 636, &job->url, err));
    egress_url_authority(&job->url, job->job.lane, sizeof(job->job.lane));
    job->job.until_ns = clock_mono_ns() + job->bind.timeout_ms * 1000000ULL;
    TRY(loop_add_timer(job->exporter->loop, job->bind.timeout_ms, GUARD_MS, on_guard, job,
                       &job->guard, err));
    return ldap_api_load(&job->api, err);
}

int ldap_handle(void *ctx, struct ipc_request *request, struct buf *reply UNUSED, struct err *err)
{
    struct exporter *exporter = ctx;
    struct ldap_job *job = mem_new(sizeof(*job));

    *job = (struct ldap_job){.job = {.run = run, .done = done},
                             .exporter = exporter,
                             .ticket = request->ticket,
                             .watched_fd = -1,
                             .arena = arena_new(ARENA_MAX),
                             .body = BUF_INIT(IPC_BODY_MAX),
                             .password = BUF_INIT(SECRETS_KEY_MAX),
                             .reply = BUF_INIT(IPC_BODY_MAX)};
    if (prepare(job, request->body, request->peer, err) == 0 &&
        pool_submit(exporter->pool, &job->job, err) == 0)
        return IPC_LATER;
    job_free(job);
    return -1;
}
