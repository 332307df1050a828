/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/bans_internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "log/log.h"
#include "wire/bans.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEC_NS UINT64_C(1000000000)

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

/* ------------------------------------------------------------------ what each gateway says */

static int take_bans(const struct bans *bans, struct span body, uint64_t now_ns,
                     struct ban_list *out, struct err *err)
{
    struct cursor cursor = cursor_of(body);

    for (; out->count < body.len / BANS_ENTRY_LEN; out->count++) {
        struct ban *ban = &out->bans[out->count];
        struct span address = cursor_bytes(&cursor, CIDR_ADDRESS_LEN);
        uint32_t sec = cursor_u32(&cursor);
        memcpy(ban->address, address.p, CIDR_ADDRESS_LEN);
        ban->until_ns = now_ns + NUM_MIN(NUM_MAX(sec, 1), (uint32_t)LONGEST_SEC) * SEC_NS;
        TRY(check_address(bans, ban->address, err));
    }
    return cursor_done(&cursor, "the bans", err);
}

int bans_take(struct bans *bans, enum role_id gateway, struct span body, uint64_t now_ns,
              struct err *err)
{
    struct ban_list *list = &bans->lists[role_gateway_number(gateway)];
    CLEANUP_FREE struct ban *room = NULL;
    struct ban_list taken = {0};

    if (body.len % BANS_ENTRY_LEN != 0 || body.len > (size_t)BANS_MAX * BANS_ENTRY_LEN)
        return err_set(err, ERR_INVALID, "the list of bans has no whole number of them");
    room = mem_new_array(body.len / BANS_ENTRY_LEN + 1, sizeof(*room));
    taken.bans = room;
    TRY(take_bans(bans, body, now_ns, &taken, err));
    room = list->bans;
    *list = taken;
    return 0;
}

static int by_address_and_end(const void *a, const void *b)
{
    const struct ban *one = a;
    const struct ban *other = b;
    int order = memcmp(one->address, other->address, CIDR_ADDRESS_LEN);

    return order != 0 ? order
                      : (one->until_ns > other->until_ns) - (one->until_ns < other->until_ns);
}

/* An element that is there twice would have nft refuse all of them. */
static struct ban *merge(const struct bans *bans, uint64_t now_ns, size_t *out_count)
{
    size_t count = 0;
    struct ban *all = mem_new_array(bans->lists[0].count + bans->lists[1].count + 1, sizeof(*all));

    for (size_t i = 0; i < ROLE_GATEWAYS_MAX; i++)
        for (size_t j = 0; j < bans->lists[i].count; j++)
            if (bans->lists[i].bans[j].until_ns > now_ns)
                all[count++] = bans->lists[i].bans[j];
    qsort(all, count, sizeof(*all), by_address_and_end);
    *out_count = 0;
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || memcmp(all[i].address, all[i + 1].address, CIDR_ADDRESS_LEN) != 0)
            all[(*out_count)++] = all[i];
    return all;
}

/* ------------------------------------------------------------------ the script */

static bool is_v4(const uint8_t *address)
{
    static const uint8_t mapped[V4_AT] = {[10] = 0xFF, [11] = 0xFF};

    return memcmp(address, mapped, V4_AT) == 0;
}

static void put_elements(const struct ban *all, size_t all_count, bool v4, uint64_t now_ns,
                         struct buf *out)
{
    size_t count = 0;

    for (size_t i = 0; i < all_count; i++) {
        const uint8_t *address = all[i].address;
        char text[INET6_ADDRSTRLEN];
        if (is_v4(address) != v4)
            continue;
        (void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address + V4_AT : address, text,
                        sizeof(text));
        buf_printf(out, "%s%s timeout %llus", count++ == 0 ? "    elements = { " : ", ", text,
                   (unsigned long long)((all[i].until_ns - now_ns + SEC_NS - 1) / SEC_NS));
    }
    buf_put_str(out, count > 0 ? " }\n" : "");
}

static void put_ports(const struct settings *settings, struct buf *out)
{
    uint16_t ports[SETTINGS_LISTENERS] = {0};
    const char *between = "";

    buf_put_str(out, "tcp dport { ");
    for (unsigned i = 0; i < SETTINGS_LISTENERS; i++) {
        bool is_new = true;
        ports[i] = settings_listener(settings, i)->port;
        for (unsigned before = 0; before < i; before++)
            is_new &= ports[before] != ports[i];
        if (ports[i] == 0 || !is_new)
            continue;
        buf_printf(out, "%s%u", between, ports[i]);
        between = ", ";
    }
    buf_put_str(out, " }");
}

/* "table" first, so that there is one to delete. */
int bans_put_script(const struct bans *bans, uint64_t now_ns, struct buf *out, struct err *err)
{
    size_t count;
    CLEANUP_FREE struct ban *all = merge(bans, now_ns, &count);

    buf_printf(out, "table inet %s\ndelete table inet %s\ntable inet %s {\n", bans->table,
               bans->table, bans->table);
    buf_put_str(out, "  set v4 {\n    type ipv4_addr\n    flags timeout\n");
    put_elements(all, count, true, now_ns, out);
    buf_put_str(out, "  }\n  set v6 {\n    type ipv6_addr\n    flags timeout\n");
    put_elements(all, count, false, now_ns, out);
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

int bans_set(struct bans *bans, enum role_id gateway, struct span body, struct err *err)
{
    CLEANUP(buf_free) struct buf script = BUF_INIT(SCRIPT_MAX);
    uint64_t now_ns = clock_mono_ns();

    TRY(bans_take(bans, gateway, body, now_ns, err));
    TRY(bans_put_script(bans, now_ns, &script, err));
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
    for (size_t i = 0; i < ROLE_GATEWAYS_MAX; i++)
        free(bans->lists[i].bans);
    free(bans->table);
    free(bans);
}
