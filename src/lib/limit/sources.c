/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/sources_internal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BOOT_ID_LEN = 36, V4_AT = 12 };

#define MAGIC    "drun sources 1\n"
#define NEVER_NS (UINT64_C(1) << 56) /* far above any window, far below overflow */

/* ------------------------------------------------------------------ sources */

static bool is_v4(const uint8_t address[LIMIT_ADDRESS_LEN])
{
    static const uint8_t mapped[V4_AT] = {[10] = 0xFF, [11] = 0xFF};

    return memcmp(address, mapped, V4_AT) == 0;
}

static void keep(const uint8_t *address, size_t len, uint8_t *out)
{
    memcpy(out, address, len);
    memset(out + len, 0, LIMIT_ADDRESS_LEN - len);
}

void limit_source_of(const uint8_t address[LIMIT_ADDRESS_LEN], uint8_t out[LIMIT_ADDRESS_LEN])
{
    keep(address, is_v4(address) ? LIMIT_ADDRESS_LEN : 8, out);
}

void limit_network_of(const uint8_t address[LIMIT_ADDRESS_LEN], uint8_t out[LIMIT_ADDRESS_LEN])
{
    keep(address, is_v4(address) ? LIMIT_ADDRESS_LEN - 1 : 6, out);
}

/* What is counted: an address or a network. The last byte of a network is 0, that of an IPv6 source
 * too, so they differ by a mark. */
struct key {
    uint64_t first, second;
};

static struct key key_of(const uint8_t address[LIMIT_ADDRESS_LEN], bool network)
{
    uint8_t room[LIMIT_ADDRESS_LEN];
    struct key key;

    if (network)
        limit_network_of(address, room);
    else
        limit_source_of(address, room);
    memcpy(&key.first, room, 8);
    memcpy(&key.second, room + 8, 8);
    if (network)
        key.second ^= UINT64_C(0x8000000000000001);
    return key;
}

static uint64_t hash(const struct limit_sources *sources, unsigned row, struct key key)
{
    const struct sources_seed *seed = &sources->file->header.seeds[row];

    return (uint64_t)((seed->a1 * key.first + seed->a2 * key.second + seed->b) >> 64);
}

/* ------------------------------------------------------------------ rates */

struct cells {
    uint64_t *cell[LIMIT_SKETCH_ROWS];
};

static struct cells cells_of(struct limit_sources *sources, enum limit_measure measure,
                             struct key key)
{
    struct cells cells;

    for (unsigned row = 0; row < LIMIT_SKETCH_ROWS; row++)
        cells.cell[row] =
            &sources->file->cells[measure][row][hash(sources, row, key) % LIMIT_SKETCH_CELLS];
    return cells;
}

static uint64_t least(const struct cells *cells)
{
    uint64_t value = UINT64_MAX;

    for (unsigned row = 0; row < LIMIT_SKETCH_ROWS; row++)
        value = NUM_MIN(value, __atomic_load_n(cells->cell[row], __ATOMIC_SEQ_CST));
    return value;
}

/* Moves every cell on, from the present at least; gives the least of what they are then. Read after
 * the last of them has moved: of two that race, one is then sure to see both, whichever row each of
 * them came to first. */
static uint64_t add(const struct cells *cells, uint64_t time, uint64_t now, uint64_t most)
{
    for (unsigned row = 0; row < LIMIT_SKETCH_ROWS; row++) {
        uint64_t seen = __atomic_load_n(cells->cell[row], __ATOMIC_SEQ_CST);
        uint64_t to;
        do
            to = NUM_MAX(NUM_MIN(NUM_MAX(seen, now) + time, most), seen);
        while (!__atomic_compare_exchange_n(cells->cell[row], &seen, to, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_SEQ_CST));
    }
    return least(cells);
}

static void take_back(const struct cells *cells, uint64_t time)
{
    for (unsigned row = 0; row < LIMIT_SKETCH_ROWS; row++)
        (void)__atomic_sub_fetch(cells->cell[row], time, __ATOMIC_SEQ_CST);
}

static uint64_t to_time(uint64_t cost, uint64_t limit, uint64_t window_ns)
{
    unsigned __int128 time = ((unsigned __int128)cost * window_ns + limit - 1) / limit;

    return time > NEVER_NS ? NEVER_NS : (uint64_t)time;
}

/* A refusal looks first and writes nothing: it is what a flood gets most. */
static bool take(const struct cells *cells, uint64_t time, uint64_t window_ns, uint64_t now,
                 uint64_t *retry_ns)
{
    uint64_t last = now + window_ns;
    uint64_t to = NUM_MAX(least(cells), now) + time;

    if (to <= last) {
        to = add(cells, time, now, UINT64_MAX);
        if (to <= last)
            return true;
        take_back(cells, time);
    }
    if (retry_ns != NULL)
        *retry_ns = to - last;
    return false;
}

bool limit_source_take(struct limit_sources *sources, enum limit_measure measure,
                       const uint8_t address[LIMIT_ADDRESS_LEN], uint64_t cost,
                       const struct limit_rate *rate, uint64_t now_ns, uint64_t *retry_ns)
{
    struct cells around = {0};
    uint64_t time = 0;

    if (rate->network > 0) {
        around = cells_of(sources, measure, key_of(address, true));
        time = to_time(cost, rate->network, rate->window_ns);
        if (!take(&around, time, rate->window_ns, now_ns, retry_ns))
            return false;
    }
    if (rate->limit == 0)
        return true;
    struct cells own = cells_of(sources, measure, key_of(address, false));
    if (take(&own, to_time(cost, rate->limit, rate->window_ns), rate->window_ns, now_ns, retry_ns))
        return true;
    if (rate->network > 0)
        take_back(&around, time);
    return false;
}

void limit_source_charge(struct limit_sources *sources, enum limit_measure measure,
                         const uint8_t address[LIMIT_ADDRESS_LEN], uint64_t cost,
                         const struct limit_rate *rate, uint64_t now_ns)
{
    uint64_t most = now_ns + 2 * rate->window_ns;

    for (int network = 0; network < 2; network++) {
        uint64_t limit = network ? rate->network : rate->limit;
        if (limit == 0)
            continue;
        struct cells cells = cells_of(sources, measure, key_of(address, network));
        (void)add(&cells, to_time(cost, limit, rate->window_ns), now_ns, most);
    }
}

/* ------------------------------------------------------------------ connections */

static uint32_t crowd_of(const struct limit_sources *sources, struct key key)
{
    uint64_t seats = __atomic_load_n(&sources->file->seats_used, __ATOMIC_SEQ_CST);
    uint32_t count = UINT32_MAX;

    for (unsigned row = 0; row < LIMIT_SKETCH_ROWS; row++) {
        size_t at = hash(sources, row, key) % LIMIT_CROWD_CELLS;
        uint32_t sum = 0;
        for (size_t seat = 0; seat < seats && seat < LIMIT_SEATS; seat++)
            sum += __atomic_load_n(&sources->file->crowds[seat][row][at], __ATOMIC_SEQ_CST);
        count = NUM_MIN(count, sum);
    }
    return count;
}

/* Only the seat's owner changes its counters. A full one stays full. */
static void count(struct limit_sources *sources, struct key key, int by)
{
    for (unsigned row = 0; row < LIMIT_SKETCH_ROWS; row++) {
        uint16_t *cell =
            &sources->file->crowds[sources->seat][row][hash(sources, row, key) % LIMIT_CROWD_CELLS];
        if ((by > 0 && *cell < UINT16_MAX) || (by < 0 && *cell > 0))
            __atomic_store_n(cell, (uint16_t)(*cell + by), __ATOMIC_SEQ_CST);
    }
}

bool limit_source_enter(struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN],
                        uint32_t limit, uint32_t network)
{
    struct key own = key_of(address, false);
    struct key around = key_of(address, true);

    INVARIANT(sources->seat >= 0);
    count(sources, own, 1);
    count(sources, around, 1);
    if ((limit == 0 || crowd_of(sources, own) <= limit) &&
        (network == 0 || crowd_of(sources, around) <= network))
        return true;
    limit_source_leave(sources, address);
    return false;
}

void limit_source_leave(struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN])
{
    count(sources, key_of(address, false), -1);
    count(sources, key_of(address, true), -1);
}

/* ------------------------------------------------------------------ the file */

static int make_header(struct sources_header *out, struct err *err)
{
    CLEANUP(buf_free) struct buf boot = BUF_INIT(64);

    memset(out, 0, sizeof(*out));
    TRY(fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot, err));
    memcpy(out->magic, MAGIC, sizeof(MAGIC));
    memcpy(out->boot_id, boot.data, boot.len < BOOT_ID_LEN ? boot.len : BOOT_ID_LEN);
    if (getrandom(out->seeds, sizeof(out->seeds), 0) != (ssize_t)sizeof(out->seeds) ||
        getrandom(out->secret, sizeof(out->secret), 0) != (ssize_t)sizeof(out->secret))
        return err_sys(err, "cannot draw random bytes");
    return 0;
}

/* A file of another boot or format is made anew, under a lock that only openers take. */
static int prepare(int fd, const char *name, struct err *err)
{
    struct sources_header wanted;
    struct sources_header there;
    struct stat stat;

    TRY(make_header(&wanted, err));
    if (fstat(fd, &stat) < 0)
        return err_sys(err, "cannot look at %s", name);
    if (stat.st_size == (off_t)sizeof(struct sources_file) &&
        pread(fd, &there, sizeof(there), 0) == (ssize_t)sizeof(there) &&
        memcmp(&there, &wanted, offsetof(struct sources_header, seeds)) == 0)
        return 0;
    if (ftruncate(fd, 0) < 0 || ftruncate(fd, sizeof(struct sources_file)) < 0 ||
        pwrite(fd, &wanted, sizeof(wanted), 0) != (ssize_t)sizeof(wanted))
        return err_sys(err, "cannot prepare %s", name);
    return 0;
}

static void clear_seat(void *ctx, unsigned seat)
{
    struct limit_sources *sources = ctx;

    if (seat < __atomic_load_n(&sources->file->seats_used, __ATOMIC_SEQ_CST))
        memset(sources->file->crowds[seat], 0, sizeof(sources->file->crowds[seat]));
}

static int take_seat(struct limit_sources *sources, struct err *err)
{
    unsigned seat;

    TRY(limit_seat_take(sources->fd, clear_seat, sources, &seat, err));
    sources->seat = (int)seat;
    uint64_t used = __atomic_load_n(&sources->file->seats_used, __ATOMIC_SEQ_CST);
    while (used <= seat && !__atomic_compare_exchange_n(&sources->file->seats_used, &used, seat + 1,
                                                        false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return 0;
}

int limit_sources_open(int dir_fd, const char *name, bool counts, struct limit_sources **out,
                       struct err *err)
{
    CLEANUP_FD int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    CLEANUP(limit_sources_close_ptr) struct limit_sources *sources = NULL;

    if (fd < 0)
        return err_sys(err, "cannot open %s", name);
    if (!limit_making_lock(fd))
        return err_sys(err, "cannot lock %s", name);
    int prepared = prepare(fd, name, err);
    limit_making_unlock(fd);
    TRY(prepared);
    void *mapped =
        mmap(NULL, sizeof(struct sources_file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        return err_sys(err, "cannot map %s", name);
    sources = mem_new(sizeof(*sources));
    *sources = (struct limit_sources){.file = mapped, .fd = fd_take(&fd), .seat = -1};
    if (counts)
        TRY(take_seat(sources, err));
    *out = sources;
    sources = NULL;
    return 0;
}

const uint8_t *limit_sources_secret(const struct limit_sources *sources)
{
    return sources->file->header.secret;
}

void limit_sources_close(struct limit_sources *sources)
{
    if (sources == NULL)
        return;
    if (sources->seat >= 0)
        clear_seat(sources, (unsigned)sources->seat);
    munmap(sources->file, sizeof(struct sources_file));
    fd_close(&sources->fd);
    free(sources);
}

void limit_sources_close_ptr(struct limit_sources **sources)
{
    limit_sources_close(*sources);
    *sources = NULL;
}
