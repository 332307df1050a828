/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/limit_internal.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { BOOT_ID_LEN = 36 };

#define MAGIC "drun limits 2\n"

/* ------------------------------------------------------------------ finding a key's slot */

/* The finalizer of a well-mixed hash: neighbours go far apart. */
uint64_t limit_home(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return (x ^ x >> 33) % LIMIT_SLOTS;
}

static struct limit_slot *at(struct limit_table *table, uint64_t key, size_t probe)
{
    return &table->file->slots[(limit_home(key) + probe) % LIMIT_SLOTS];
}

struct limit_slot *limit_slot_find(struct limit_table *table, uint64_t key)
{
    for (size_t i = 0; i < LIMIT_PROBE_MAX; i++) {
        struct limit_slot *slot = at(table, key, i);
        if (__atomic_load_n(&slot->key, __ATOMIC_SEQ_CST) == key)
            return slot;
    }
    return NULL;
}

static bool is_free(struct limit_slot seen, uint64_t now)
{
    return seen.key == 0 || seen.full_at <= now;
}

/* Another slot of the key: one that counts already, one in the making before ours, or NULL. A later
 * one in the making gives way to ours, so it is waited for. */
static bool is_rival(struct limit_table *table, const struct limit_slot *mine, uint64_t key)
{
    bool before = true;

    for (size_t i = 0; i < LIMIT_PROBE_MAX; i++) {
        struct limit_slot *slot = at(table, key, i);
        if (slot == mine) {
            before = false;
            continue;
        }
        struct limit_slot seen = limit_slot_load(slot);
        for (int spin = 0; seen.key == key && (seen.full_at & LIMIT_MAKING) != 0 && !before;
             spin++) {
            if (spin == SPIN_MAX)
                return true;
            seen = limit_slot_load(slot);
        }
        if (seen.key == key)
            return true;
    }
    return false;
}

/*
 * Two processes may put in the same key at once, and choose different slots, as one of them saw a
 * slot become free in between. So a slot is first taken with an empty bucket marked LIMIT_MAKING,
 * then the other slots are looked through, and only then the bucket counts. Of two makers at least
 * one sees the other, and gives way. A maker that dies leaves an empty bucket, that fills within a
 * window.
 */
static struct limit_slot *make(struct limit_table *table, const struct limit_ask *ask, uint64_t now)
{
    struct limit_slot making = {.key = ask->key, .full_at = (now + ask->window_ns) | LIMIT_MAKING};

    for (size_t i = 0; i < LIMIT_PROBE_MAX; i++) {
        struct limit_slot *slot = at(table, ask->key, i);
        struct limit_slot seen = limit_slot_load(slot);
        if (seen.key == ask->key)
            return slot;
        if (!is_free(seen, now) || !limit_slot_swap(slot, seen, making))
            continue;
        bool rival = is_rival(table, slot, ask->key);
        /* Fails only when our process slept so long that the slot went to another key. */
        (void)limit_slot_swap(
            slot, making,
            (struct limit_slot){.key = rival ? 0 : ask->key, .full_at = now & ~UINT64_C(1)});
        return rival ? limit_slot_find(table, ask->key) : slot;
    }
    return limit_slot_find(table, ask->key);
}

struct limit_slot *limit_slot_get(struct limit_table *table, const struct limit_ask *ask,
                                  uint64_t now)
{
    struct limit_slot *slot = limit_slot_find(table, ask->key);

    return slot != NULL ? slot : make(table, ask, now);
}

/* ------------------------------------------------------------------ one bucket */

static uint64_t to_time(const struct limit_ask *ask, uint64_t amount)
{
    unsigned __int128 product = (unsigned __int128)amount * ask->window_ns + ask->limit - 1;
    unsigned __int128 time = product / ask->limit;

    /* Far above any window, far below overflow. Even, as the low bit is a mark. */
    return time > UINT64_C(1) << 56 ? UINT64_C(1) << 56 : ((uint64_t)time + 1) & ~UINT64_C(1);
}

static uint64_t to_amount(const struct limit_ask *ask, uint64_t time)
{
    return (uint64_t)((unsigned __int128)time * ask->limit / ask->window_ns);
}

static void show(const struct limit_ask *ask, uint64_t ahead, size_t i, struct limit_answer *answer)
{
    answer->remaining[i] = ahead < ask->window_ns ? to_amount(ask, ask->window_ns - ahead) : 0;
    answer->full_after_ns[i] = ahead;
}

/* What there is, for who asks for more than there can be. */
static void show_now(struct limit_table *table, const struct limit_ask *ask, uint64_t now, size_t i,
                     struct limit_answer *answer)
{
    const struct limit_slot *slot = limit_slot_find(table, ask->key);
    uint64_t full_at = slot == NULL ? 0 : limit_slot_load(slot).full_at;

    show(ask, full_at > now ? full_at - now : 0, i, answer);
}

static enum limit_verdict take(struct limit_table *table, const struct limit_ask *ask, uint64_t now,
                               size_t i, uint64_t *until, struct limit_answer *answer)
{
    uint64_t time = to_time(ask, ask->cost);

    if (ask->cost > ask->limit) {
        show_now(table, ask, now, i, answer);
        return LIMIT_NEVER;
    }
    for (int spin = 0;; spin++) {
        struct limit_slot *slot = limit_slot_get(table, ask, now);
        if (slot == NULL)
            return LIMIT_FULL;
        struct limit_slot seen = limit_slot_load(slot);
        if (seen.key != ask->key || ((seen.full_at & LIMIT_MAKING) != 0 && spin < SPIN_MAX))
            continue;
        uint64_t from = seen.full_at > now ? seen.full_at & ~UINT64_C(1) : now & ~UINT64_C(1);
        uint64_t ahead = from > now ? from - now : 0;
        show(ask, ahead, i, answer);
        if (ahead + time > ask->window_ns + 2) {
            answer->retry_after_ns = ahead + time - ask->window_ns;
            return LIMIT_REFUSED;
        }
        if (!limit_slot_swap(slot, seen,
                             (struct limit_slot){.key = ask->key, .full_at = from + time}))
            continue;
        *until = from + time;
        show(ask, ahead + time, i, answer);
        return LIMIT_GRANTED;
    }
}

static void give_back(struct limit_table *table, uint64_t key, uint64_t time)
{
    for (;;) {
        struct limit_slot *slot = limit_slot_find(table, key);
        if (slot == NULL)
            return;
        struct limit_slot seen = limit_slot_load(slot);
        if (seen.key != key)
            return;
        struct limit_slot new = {.key = key,
                                 .full_at = seen.full_at > time ? seen.full_at - time : 0};
        if (limit_slot_swap(slot, seen, new))
            return;
    }
}

static void take_more(struct limit_table *table, const struct limit_ask *ask, uint64_t time,
                      uint64_t now)
{
    for (;;) {
        struct limit_slot *slot = limit_slot_get(table, ask, now);
        if (slot == NULL)
            return;
        struct limit_slot seen = limit_slot_load(slot);
        if (seen.key != ask->key)
            continue;
        uint64_t from = seen.full_at > now ? seen.full_at : now & ~UINT64_C(1);
        uint64_t most = (now & ~UINT64_C(1)) + 2 * ask->window_ns;
        uint64_t to = from + time > most ? most : from + time;
        if (to <= from ||
            limit_slot_swap(slot, seen, (struct limit_slot){.key = ask->key, .full_at = to}))
            return;
    }
}

static void settle_bucket(struct limit_table *table, const struct limit_ask *ask, uint64_t until,
                          uint64_t actual, uint64_t now)
{
    uint64_t taken = to_time(ask, ask->cost);
    uint64_t used = to_time(ask, actual);

    if (used > taken)
        take_more(table, ask, used - taken, now);
    else if (used < taken && until > now)
        give_back(table, ask->key,
                  (taken - used < until - now ? taken - used : until - now) & ~UINT64_C(1));
}

/* ------------------------------------------------------------------ sets */

static enum limit_verdict take_one(struct limit_table *table, const struct limit_ask *ask,
                                   uint64_t now, size_t i, uint64_t *until,
                                   struct limit_answer *answer)
{
    if (ask->limit > 0)
        return (ask->algorithm == LIMIT_SLIDING_WINDOW ? limit_sliding_take
                                                       : take)(table, ask, now, i, until, answer);
    answer->remaining[i] = UINT64_MAX;
    return LIMIT_GRANTED;
}

/* As if it had never been taken. */
static void untake(struct limit_table *table, const struct limit_ask *ask, uint64_t until,
                   uint64_t now)
{
    if (ask->limit == 0)
        return;
    if (ask->algorithm == LIMIT_SLIDING_WINDOW)
        limit_sliding_settle(table, ask, until, 0, now);
    else
        give_back(table, ask->key, to_time(ask, ask->cost));
}

void limit_reserve(struct limit_table *table, const struct limit_ask *asks, size_t count,
                   uint64_t now_ns, struct limit_reservation *out, struct limit_answer *answer)
{
    INVARIANT(count <= LIMIT_SET_MAX);
    memset(answer, 0, sizeof(*answer));
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        out->ask[i] = asks[i];
        enum limit_verdict verdict =
            take_one(table, &asks[i], now_ns, i, &out->until_ns[i], answer);
        if (verdict == LIMIT_GRANTED)
            continue;
        answer->verdict = verdict;
        answer->which = i;
        while (i-- > 0)
            untake(table, &asks[i], out->until_ns[i], now_ns);
        out->count = 0;
        return;
    }
}

void limit_settle(struct limit_table *table, const struct limit_reservation *reservation,
                  size_t which, uint64_t actual, uint64_t now_ns)
{
    if (which >= reservation->count || reservation->ask[which].limit == 0)
        return;
    const struct limit_ask *ask = &reservation->ask[which];

    (ask->algorithm == LIMIT_SLIDING_WINDOW ? limit_sliding_settle : settle_bucket)(
        table, ask, reservation->until_ns[which], actual, now_ns);
}

/* FNV-1a over both, with a byte between them that is in neither; the slot hashes it again. */
uint64_t limit_key(struct span who, struct span what)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < who.len; i++)
        hash = (hash ^ who.p[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ 0xFF) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < what.len; i++)
        hash = (hash ^ what.p[i]) * UINT64_C(0x100000001b3);
    return hash == 0 ? 1 : hash;
}

/* ------------------------------------------------------------------ the file */

static int wanted_header(struct limit_header *out, struct err *err)
{
    CLEANUP(buf_free) struct buf boot = BUF_INIT(64);

    memset(out, 0, sizeof(*out));
    TRY(fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot, err));
    memcpy(out->magic, MAGIC, sizeof(MAGIC));
    memcpy(out->boot_id, boot.data, boot.len < BOOT_ID_LEN ? boot.len : BOOT_ID_LEN);
    return 0;
}

static int prepare(int fd, const char *name, struct err *err)
{
    struct limit_header wanted;
    struct limit_header there;

    TRY(wanted_header(&wanted, err));
    ssize_t got = pread(fd, &there, sizeof(there), 0);
    if (got == (ssize_t)sizeof(there) && memcmp(&there, &wanted, sizeof(there)) == 0)
        return 0;
    if (ftruncate(fd, 0) < 0 || ftruncate(fd, sizeof(struct limit_file)) < 0 ||
        pwrite(fd, &wanted, sizeof(wanted), 0) != (ssize_t)sizeof(wanted))
        return err_sys(err, "cannot prepare %s", name);
    return 0;
}

/* A file of another boot or format is made anew, under a lock that only openers take. The mapping
 * would keep the lock when the descriptor is closed, so it is given up here. */
static int prepare_locked(int fd, const char *name, struct err *err)
{
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_sys(err, "cannot lock %s", name);
    int result = prepare(fd, name, err);
    INVARIANT(flock(fd, LOCK_UN) == 0);
    return result;
}

int limit_open(int dir_fd, const char *name, struct limit_table **out, struct err *err)
{
    CLEANUP_FD int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat stat;

    if (fd < 0)
        return err_sys(err, "cannot open %s", name);
    TRY(prepare_locked(fd, name, err));
    if (fstat(fd, &stat) < 0 || stat.st_size != (off_t)sizeof(struct limit_file))
        return err_set(err, ERR_CORRUPT, "%s has not the size of a table of limits", name);
    void *mapped = mmap(NULL, sizeof(struct limit_file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        return err_sys(err, "cannot map %s", name);
    *out = mem_new(sizeof(**out));
    (*out)->file = mapped;
    return 0;
}

void limit_close(struct limit_table *table)
{
    if (table == NULL)
        return;
    munmap(table->file, sizeof(struct limit_file));
    free(table);
}

void limit_close_ptr(struct limit_table **table)
{
    limit_close(*table);
    *table = NULL;
}
