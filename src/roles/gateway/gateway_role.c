/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: the listening socket, and the key of a certificate that
 * lives a day. Who may speak to me: nobody; nginx, my child, speaks to the network.
 */
#include "gateway_role.h"

#include "audit/audit.h"
#include "audit/ring.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "certificate.h"
#include "gateway/conf.h"
#include "host.h"
#include "left_out.h"
#include "log/log.h"
#include "nginx_check.h"
#include "role/settings.h"
#include "shares.h"
#include "uses.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* nginx inherits all of this. */
static const struct lockdown_path paths[] = {
    {"/usr", LOCKDOWN_PATH_EXEC},
    {"/lib", LOCKDOWN_PATH_EXEC | LOCKDOWN_PATH_OPTIONAL},
    {"/lib64", LOCKDOWN_PATH_EXEC | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/ld.so.cache", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/ssl/openssl.cnf", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/dev/null", LOCKDOWN_PATH_WRITE},
    {"/proc/sys/kernel/random/boot_id",
     LOCKDOWN_PATH_READ}, /* whose limits are in the shared file */
    {0},
};

enum {
    CLOCK_MS = 5000,
    RING_BYTES = 4 * 1024 * 1024, /* a call under way keeps 1 to 3 KiB of it for its records */
    RING_SETS = 2, /* an old worker still drains while a new one writes: each has its own ring */
    STOP_MS = 5000,
    RETRY_MS = 10000,
};

struct keeper {
    struct role *role;
    int listen_fd;
    int mtls_fd;         /* -1: none */
    int proxy_fd;        /* -1: none */
    struct watch *watch; /* what comes from where */
    struct uses *uses;   /* what is used of budgets */
    struct left_out *left_out;
    struct shares *shares; /* of budgets; NULL: this is the only gateway */
    unsigned workers;
    struct gateway_ring rings[RING_SETS][GATEWAY_WORKERS_MAX];
    unsigned ring_set; /* the one that the current workers use */
    pid_t nginx;
    int pidfd;
    char *share_dir;
    struct loop_source *renewal;
    int64_t renewed_sec; /* wall clock */
    uint64_t half_life_ms;
    bool stopping;
    bool died; /* nginx, of itself */
};

/* ------------------------------------------------------------------ rings */

static int make_rings(struct keeper *keeper, struct err *err)
{
    for (unsigned set = 0; set < RING_SETS; set++)
        for (unsigned i = 0; i < keeper->workers; i++) {
            struct gateway_ring *ring = &keeper->rings[set][i];
            ring->ring_fd = audit_ring_create(RING_BYTES, err);
            TRY(ring->ring_fd);
            ring->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
            if (ring->bell_fd < 0)
                return err_sys(err, "cannot make an event descriptor");
        }
    return 0;
}

static int give_rings(struct keeper *keeper, struct err *err)
{
    struct ipc_client *audit = role_peer(keeper->role, ROLE_AUDIT);

    for (unsigned set = 0; set < RING_SETS; set++)
        for (unsigned i = 0; i < keeper->workers; i++)
            TRY(audit_give_ring(audit, keeper->rings[set][i].ring_fd, keeper->rings[set][i].bell_fd,
                                err));
    return 0;
}

static void on_peer(void *ctx, enum role_id peer)
{
    struct keeper *keeper = ctx;
    struct err err = ERR_INIT;

    if (peer == ROLE_AGENT)
        watch_tell_anew(keeper->watch);
    if (peer == ROLE_API) {
        shares_tell_anew(keeper->shares);
        uses_tell_anew(keeper->uses);
        left_out_tell_anew(keeper->left_out);
    }
    if (peer == ROLE_AUDIT && give_rings(keeper, &err) < 0)
        log_error("gateway.rings", &err);
}

/* ------------------------------------------------------------------ nginx */

static enum gateway_waf waf_of(const struct settings *settings)
{
    if (settings->waf == SETTINGS_WAF_OFF)
        return GATEWAY_WAF_OFF;
    return settings->waf_failure == SETTINGS_WAF_CLOSED ? GATEWAY_WAF_CLOSED : GATEWAY_WAF_OPEN;
}

static int write_conf(struct keeper *keeper, struct err *err)
{
    const struct settings *settings = role_settings(keeper->role);
    const char *run = role_run_dir(keeper->role);
    const char *own = role_own_run_dir(keeper->role);
    CLEANUP(buf_free) struct buf text = BUF_INIT(GATEWAY_CONF_MAX);
    CLEANUP_FREE char *module = mem_printf("%s/ngx_http_drun_module.so", keeper->share_dir);
    CLEANUP_FREE char *console = mem_printf("%s/console", keeper->share_dir);
    CLEANUP_FREE char *certificate = mem_printf("%s/tls.crt", own);
    CLEANUP_FREE char *key = mem_printf("%s/tls.key", own);
    CLEANUP_FREE char *api = mem_printf("%s/api.sock", run);
    CLEANUP_FREE char *idp = mem_printf("%s/idp.sock", run);
    CLEANUP_FREE char *secrets = mem_printf("%s/secrets.sock", run);
    CLEANUP_FREE char *audit = mem_printf("%s/audit.sock", run);
    CLEANUP_FREE char *posture = mem_printf("%s/posture.sock", run);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, own, err);
    struct gateway_conf conf = GATEWAY_CONF_DEFAULTS;
    char listen[64];
    char mtls[64];
    char proxy[64];

    TRY(dir_fd);
    settings_listener_text(settings, settings_listener_of(role_self(keeper->role)), listen,
                           sizeof(listen));
    settings_listener_text(settings, SETTINGS_LISTEN_MTLS, mtls, sizeof(mtls));
    conf.listen[0] = listen;
    conf.listen_mtls = keeper->mtls_fd < 0 ? NULL : mtls;
    conf.module = module;
    conf.run_dir = own;
    conf.data_dir = role_data_dir(keeper->role);
    conf.snapshot_dir = run;
    conf.certificate = certificate;
    conf.certificate_key = key;
    watch_configure(settings, proxy, sizeof(proxy), &conf.edge);
    if (keeper->proxy_fd < 0)
        conf.edge.listen_proxy = NULL;
    conf.console_root = access(console, R_OK) == 0 ? console : NULL;
    conf.socket[GATEWAY_API] = api;
    conf.socket[GATEWAY_IDP] = idp;
    conf.socket[GATEWAY_SECRETS] = secrets;
    conf.socket[GATEWAY_AUDIT] = audit;
    conf.socket[GATEWAY_POSTURE] = posture;
    conf.workers = keeper->workers;
    conf.ring_count = keeper->workers;
    conf.audit_drop = settings->audit_failure == SETTINGS_AUDIT_OPEN;
    conf.waf = waf_of(settings);
    conf.answer_cache = settings->answer_cache;
    shares_configure(keeper->shares, &conf);
    memcpy(conf.rings, keeper->rings[keeper->ring_set], sizeof(conf.rings));
    TRY(gateway_conf_dirs(&conf, err));
    TRY(gateway_conf_put(&conf, &text, err));
    return fd_replace_file(dir_fd, "nginx.conf", 0600, buf_span(&text), false, err);
}

/* The descriptors that nginx must find open. */
static int keep_open(int fd, struct err *err)
{
    return fcntl(fd, F_SETFD, 0) < 0 ? err_sys(err, "cannot pass a descriptor on") : 0;
}

/* Between fork and exec: system calls only. An nginx that outlives us would go on accepting beside
 * the next one, with an old certificate and rings that nobody reads. */
static void become_nginx(const char *program, char *const argv[], char *const env[],
                         pid_t parent) NORETURN;

static void become_nginx(const char *program, char *const argv[], char *const env[], pid_t parent)
{
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
        _exit(127);
    execve(program, argv, env);
    _exit(127);
}

static int start_nginx(struct keeper *keeper, struct err *err)
{
    const char *own = role_own_run_dir(keeper->role);
    const char *program = role_settings(keeper->role)->nginx;
    CLEANUP_FREE char *conf = mem_printf("%s/nginx.conf", own);
    const int listeners[] = {keeper->listen_fd, keeper->mtls_fd, keeper->proxy_fd};
    CLEANUP(buf_free) struct buf inherited = BUF_INIT(128);
    char *const argv[] = {(char[]){"nginx"},
                          (char[]){"-p"},
                          (char *)(uintptr_t)own,
                          (char[]){"-c"},
                          conf,
                          (char[]){"-e"},
                          (char[]){"stderr"},
                          NULL};
    char *const test[] = {argv[0], (char[]){"-t"}, (char[]){"-q"}, argv[1], argv[2],
                          argv[3], argv[4],        argv[5],        argv[6], NULL};

    buf_put_str(&inherited, "NGINX=");
    for (size_t i = 0; i < ARRAY_LEN(listeners); i++) {
        if (listeners[i] < 0)
            continue;
        TRY(keep_open(listeners[i], err));
        buf_printf(&inherited, "%d;", listeners[i]);
    }
    char *const env[] = {(char *)(uintptr_t)buf_text(&inherited), NULL};
    for (unsigned set = 0; set < RING_SETS; set++)
        for (unsigned i = 0; i < keeper->workers; i++) {
            TRY(keep_open(keeper->rings[set][i].ring_fd, err));
            TRY(keep_open(keeper->rings[set][i].bell_fd, err));
        }
    if (shares_bell(keeper->shares) >= 0)
        TRY(keep_open(shares_bell(keeper->shares), err));
    /* An nginx that ends at once would leave who connects waiting in front of a closed door. */
    TRY(nginx_check(program, test, env, err));
    pid_t parent = getpid();
    keeper->nginx = fork();
    if (keeper->nginx == 0)
        become_nginx(program, argv, env, parent);
    if (keeper->nginx < 0) {
        keeper->nginx = 0;
        return err_sys(err, "cannot start %s", program);
    }
    keeper->pidfd = (int)syscall(SYS_pidfd_open, keeper->nginx, 0);
    return keeper->pidfd < 0 ? err_sys(err, "cannot watch nginx") : 0;
}

static void on_nginx_exit(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct keeper *keeper = ctx;

    if (keeper->nginx == 0 || waitpid(keeper->nginx, NULL, WNOHANG) == 0)
        return;
    keeper->nginx = 0;
    keeper->died = !keeper->stopping;
    if (keeper->died)
        log_say(LOG_ERROR, "gateway.nginx", "nginx went away; its own message is above");
    loop_stop(role_loop(keeper->role));
}

/* New workers with the new certificate; the old ones finish what they have. */
static void on_renew(void *ctx)
{
    struct keeper *keeper = ctx;
    struct err err = ERR_INIT;

    unsigned before = keeper->ring_set;
    if (keeper->nginx == 0)
        return;
    /* Only when the new workers do start: two of them must never write to one ring. */
    keeper->ring_set = (before + 1) % RING_SETS;
    if (certificate_renew(keeper->role, &err) < 0 || write_conf(keeper, &err) < 0) {
        log_error("gateway.renew", &err);
        keeper->ring_set = before;
        loop_rearm(keeper->renewal, RETRY_MS, keeper->half_life_ms);
        return;
    }
    keeper->renewed_sec = clock_wall_sec();
    kill(keeper->nginx, SIGHUP);
}

/* Timers do not count while a machine is suspended, and the wall clock may be set; a certificate
 * ends by the wall clock. */
static void on_clock(void *ctx)
{
    struct keeper *keeper = ctx;
    int64_t age_ms = (clock_wall_sec() - keeper->renewed_sec) * 1000;

    if (age_ms < 0 || age_ms > (int64_t)keeper->half_life_ms)
        on_renew(keeper);
}

static void on_stop(void *ctx)
{
    struct keeper *keeper = ctx;
    struct err err = ERR_INIT;

    keeper->stopping = true;
    if (keeper->nginx == 0)
        return;
    uint64_t deadline = clock_mono_ns() + STOP_MS * 1000000ULL;
    kill(keeper->nginx, SIGTERM);
    while (keeper->nginx != 0 && clock_mono_ns() < deadline)
        if (loop_turn(role_loop(keeper->role), 100, &err) < 0)
            break;
    if (keeper->nginx != 0)
        kill(-keeper->nginx, SIGKILL); /* with its workers */
}

/* ------------------------------------------------------------------ start */

static int lock_down(struct keeper *keeper, struct err *err)
{
    struct lockdown_path all[ARRAY_LEN(paths) + 1];
    struct role_promises promises = {
        .promises = LOCKDOWN_FILES | LOCKDOWN_EXEC | LOCKDOWN_NET_INET | LOCKDOWN_NET_UNIX,
        .network = true,
        .data_access = LOCKDOWN_PATH_WRITE, /* the budgets */
        .paths = all,
    };

    memcpy(all, paths, sizeof(paths));
    all[ARRAY_LEN(paths) - 1] = (struct lockdown_path){keeper->share_dir, LOCKDOWN_PATH_EXEC};
    all[ARRAY_LEN(paths)] = (struct lockdown_path){0};
    return role_lock_down(keeper->role, &promises, err);
}

static int run(struct keeper *keeper, struct err *err)
{
    struct loop *loop = role_loop(keeper->role);

    keeper->half_life_ms = role_settings(keeper->role)->certificate_ttl_ms / 2;
    TRY(make_rings(keeper, err));
    TRY(lock_down(keeper, err));
    TRY(certificate_renew(keeper->role, err));
    keeper->renewed_sec = clock_wall_sec();
    TRY(give_rings(keeper, err));
    role_on_peer(keeper->role, on_peer, keeper);
    TRY(shares_new(keeper->role, &keeper->shares, err));
    TRY(write_conf(keeper, err));
    TRY(watch_new(keeper->role, &keeper->watch, err));
    TRY(uses_new(keeper->role, &keeper->uses, err));
    TRY(left_out_new(keeper->role, &keeper->left_out, err));
    TRY(start_nginx(keeper, err));
    TRY(loop_add_fd(loop, keeper->pidfd, EPOLLIN, on_nginx_exit, keeper, NULL, err));
    TRY(loop_add_timer(loop, keeper->half_life_ms, keeper->half_life_ms, on_renew, keeper,
                       &keeper->renewal, err));
    TRY(loop_add_timer(loop, CLOCK_MS, CLOCK_MS, on_clock, keeper, NULL, err));
    role_on_stop(keeper->role, on_stop, keeper);
    TRY(role_run(keeper->role, err));
    if (keeper->died)
        return err_set(err, ERR_UNAVAILABLE, "nginx does not run");
    return 0;
}

int gateway_main(struct role *role, struct err *err)
{
    struct keeper keeper = {
        .role = role,
        .listen_fd = role_take_fd(role, "listen:tls"),
        .mtls_fd = role_take_fd(role, "listen:mtls"),
        .proxy_fd = role_take_fd(role, "listen:proxy"),
        .workers = host_worker_count(role_settings(role)),
        .pidfd = -1,
        .share_dir = host_share_dir(role_settings(role)),
    };
    int result = run(&keeper, err);

    free(keeper.share_dir);
    fd_close(&keeper.listen_fd);
    fd_close(&keeper.mtls_fd);
    fd_close(&keeper.proxy_fd);
    watch_free(keeper.watch);
    uses_free(keeper.uses);
    left_out_free(keeper.left_out);
    shares_free(keeper.shares);
    fd_close(&keeper.pidfd);
    return result;
}
