/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/bans_internal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "log/log.h"
#include "role/role.h"
#include "snapshot/cidr.h"
#include "wire/bans.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCRIPT_MAX = 128 * 1024, SAID_MAX = 160, V4_AT = 12, LONGEST_SEC = 7 * 86400 };

int bans_new(struct role *role, struct bans **out, struct err *err)
{
    struct bans *bans = mem_new(sizeof(*bans));

    bans->table = mem_printf("drun_%.8s", role_instance(role));
    bans->settings = role_settings(role);
    bans->net_fd = -1;
    *out = bans;
    if (geteuid() != 0)
        return 0;
    bans->net_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return bans->net_fd < 0 ? err_sys(err, "cannot open the host's network namespace") : 0;
}

/* ------------------------------------------------------------------ what must never be banned */

static int check_list(const struct opt_list *list, const uint8_t address[CIDR_ADDRESS_LEN],
                      struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        uint8_t range[CIDR_ADDRESS_LEN];
        uint32_t bits;
        TRY(cidr_parse(list->items[i], range, &bits, err));
        if (cidr_holds(range, bits, address))
            return err_set(err, ERR_DENIED, "%s is never banned", list->items[i]);
    }
    return 0;
}

static int check_address(const struct bans *bans, const uint8_t address[CIDR_ADDRESS_LEN],
                         struct err *err)
{
    TRY(check_list(&bans->settings->edge.unlimited_networks, address, err));
    return check_list(&bans->settings->edge.trusted_proxies, address, err);
}

/* ------------------------------------------------------------------ the script */

static bool is_v4(const uint8_t *address)
{
    static const uint8_t mapped[V4_AT] = {[10] = 0xFF, [11] = 0xFF};

    return memcmp(address, mapped, V4_AT) == 0;
}

static int put_elements(const struct bans *bans, struct span body, bool v4, struct buf *out,
                        struct err *err)
{
    struct cursor cursor = cursor_of(body);
    size_t count = 0;

    for (size_t i = 0; i < body.len / BANS_ENTRY_LEN; i++) {
        struct span address = cursor_bytes(&cursor, CIDR_ADDRESS_LEN);
        uint32_t sec = cursor_u32(&cursor);
        char text[INET6_ADDRSTRLEN];
        if (is_v4(address.p) != v4)
            continue;
        TRY(check_address(bans, address.p, err));
        if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address.p + V4_AT : address.p, text,
                      sizeof(text)) == NULL)
            return err_sys(err, "cannot write an address");
        buf_printf(out, "%s%s timeout %us", count++ == 0 ? "    elements = { " : ", ", text,
                   NUM_MIN(NUM_MAX(sec, 1), (uint32_t)LONGEST_SEC));
    }
    buf_put_str(out, count > 0 ? " }\n" : "");
    return cursor_done(&cursor, "the bans", err);
}

static void put_ports(const struct settings *settings, struct buf *out)
{
    const uint16_t ports[] = {settings->listen.port, settings->listen_mtls.port,
                              settings->edge.listen_proxy.port};
    const char *between = "";

    buf_put_str(out, "tcp dport { ");
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        if (ports[i] == 0)
            continue;
        buf_printf(out, "%s%u", between, ports[i]);
        between = ", ";
    }
    buf_put_str(out, " }");
}

/* "table" first, so that there is one to delete. */
int bans_put_script(const struct bans *bans, struct span body, struct buf *out, struct err *err)
{
    if (body.len % BANS_ENTRY_LEN != 0 || body.len > (size_t)BANS_MAX * BANS_ENTRY_LEN)
        return err_set(err, ERR_INVALID, "the list of bans has no whole number of them");
    buf_printf(out, "table inet %s\ndelete table inet %s\ntable inet %s {\n", bans->table,
               bans->table, bans->table);
    buf_put_str(out, "  set v4 {\n    type ipv4_addr\n    flags timeout\n");
    TRY(put_elements(bans, body, true, out, err));
    buf_put_str(out, "  }\n  set v6 {\n    type ipv6_addr\n    flags timeout\n");
    TRY(put_elements(bans, body, false, out, err));
    buf_put_str(out, "  }\n  chain in {\n    type filter hook input priority -150; policy accept;\n"
                     "    ");
    put_ports(bans->settings, out);
    buf_put_str(out, " ip saddr @v4 counter drop\n    ");
    put_ports(bans->settings, out);
    buf_put_str(out, " ip6 saddr & ffff:ffff:ffff:ffff:: @v6 counter drop\n  }\n}\n");
    return buf_check(out, "the script for nft", err);
}

/* ------------------------------------------------------------------ nft */

/* Between fork and exec: system calls only. */
static void become_nft(int net_fd, int in, int out) NORETURN;

static void become_nft(int net_fd, int in, int out)
{
    char *const argv[] = {(char[]){"nft"}, (char[]){"-f"}, (char[]){"-"}, NULL};
    char *const env[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};

    if ((net_fd >= 0 && setns(net_fd, CLONE_NEWNET) < 0) || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
        dup2(out, 2) < 0)
        _exit(126);
    execve("/usr/sbin/nft", argv, env);
    _exit(127);
}

/* nft's first line, in characters that may stand in any document. */
static void read_said(int fd, char out[SAID_MAX])
{
    ssize_t len = pread(fd, out, SAID_MAX - 1, 0);

    out[len > 0 ? len : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    for (char *c = out; *c != '\0'; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = ' ';
}

static int run(const struct bans *bans, struct span script, struct err *err)
{
    CLEANUP_FD int in = memfd_create("nft", MFD_CLOEXEC);
    CLEANUP_FD int out = memfd_create("nft", MFD_CLOEXEC);
    char said[SAID_MAX];
    int status;

    if (in < 0 || out < 0)
        return err_sys(err, "cannot make a file in memory");
    TRY(fd_write_all(in, script, "the script for nft", err));
    if (lseek(in, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot rewind the script for nft");
    pid_t child = fork();
    if (child == 0)
        become_nft(bans->net_fd, in, out);
    if (child < 0)
        return err_sys(err, "cannot start nft");
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(err, "cannot wait for nft");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ERR_UNAVAILABLE, "nft is not installed (package nftables)");
    read_said(out, said);
    return err_set(err, ERR_UNAVAILABLE, "nft refuses: %s", said);
}

int bans_set(struct bans *bans, struct span body, struct err *err)
{
    CLEANUP(buf_free) struct buf script = BUF_INIT(SCRIPT_MAX);

    TRY(bans_put_script(bans, body, &script, err));
    if (bans->net_fd < 0)
        return err_set(err, ERR_UNAVAILABLE, "the platform does not run as root");
    TRY(run(bans, buf_span(&script), err));
    bans->made = true;
    return 0;
}

void bans_free(struct bans *bans)
{
    struct err err = ERR_INIT;

    if (bans == NULL)
        return;
    if (bans->made) {
        CLEANUP_FREE char *script = mem_printf("delete table inet %s\n", bans->table);
        if (run(bans, span_str(script), &err) < 0)
            log_error("agent.bans", &err);
    }
    fd_close(&bans->net_fd);
    free(bans->table);
    free(bans);
}
