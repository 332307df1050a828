/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/sources_internal.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define SEC_NS UINT64_C(1000000000)

enum { BAN_PROBE_MAX = 64 };

const char *limit_offence_name(enum limit_offence offence)
{
    static const char *const names[LIMIT_OFFENCE_COUNT] = {
        [LIMIT_OFFENCE_NONE] = "none",
        [LIMIT_OFFENCE_REQUESTS] = "requests",
        [LIMIT_OFFENCE_SIGN_INS] = "sign-ins",
        [LIMIT_OFFENCE_CONNECTIONS] = "connections",
        [LIMIT_OFFENCE_HANDSHAKES] = "handshakes",
    };
    return offence < LIMIT_OFFENCE_COUNT ? names[offence] : names[LIMIT_OFFENCE_NONE];
}

const char *limit_class_name(enum limit_class class)
{
    static const char *const names[LIMIT_CLASSES] = {
        [LIMIT_CLASS_CALLS] = "calls",          [LIMIT_CLASS_SIGN_IN] = "sign-in",
        [LIMIT_CLASS_OBJECTS] = "objects",      [LIMIT_CLASS_PAGES] = "pages",
        [LIMIT_CLASS_ARRIVALS] = "connections",
    };
    return names[class];
}

const char *limit_level_name(enum limit_level level)
{
    static const char *const names[LIMIT_LEVELS] = {
        [LIMIT_CALM] = "calm", [LIMIT_BUSY] = "busy", [LIMIT_FLOOD] = "flood"};

    return names[level];
}

/* ------------------------------------------------------------------ bans */

struct halves {
    uint64_t first, second;
};

static struct halves halves_of(const uint8_t address[LIMIT_ADDRESS_LEN])
{
    uint8_t source[LIMIT_ADDRESS_LEN];
    struct halves halves;

    limit_source_of(address, source);
    memcpy(&halves.first, source, 8);
    memcpy(&halves.second, source + 8, 8);
    return halves;
}

static struct sources_ban *slot_of(const struct limit_sources *sources, struct halves halves,
                                   size_t probe)
{
    const struct sources_seed *seed = &sources->file->header.seeds[0];
    uint64_t home =
        (uint64_t)((seed->a1 * halves.first + seed->a2 * halves.second + seed->b) >> 64);

    return &sources->file->bans[(home + probe) % LIMIT_BAN_SLOTS];
}

/* A slot that is changed meanwhile is nobody's for that instant. */
static uint64_t until_of(const struct sources_ban *ban, struct halves halves)
{
    uint64_t until = __atomic_load_n(&ban->until_ns, __ATOMIC_ACQUIRE);
    bool same = __atomic_load_n(&ban->first, __ATOMIC_ACQUIRE) == halves.first &&
                __atomic_load_n(&ban->second, __ATOMIC_ACQUIRE) == halves.second;

    return same && __atomic_load_n(&ban->until_ns, __ATOMIC_ACQUIRE) == until ? until : 0;
}

static struct sources_ban *find(const struct limit_sources *sources, struct halves halves,
                                uint64_t now_ns)
{
    for (size_t i = 0; i < BAN_PROBE_MAX; i++) {
        struct sources_ban *ban = slot_of(sources, halves, i);
        if (until_of(ban, halves) > now_ns)
            return ban;
    }
    return NULL;
}

uint64_t limit_banned(const struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN],
                      uint64_t now_ns)
{
    if (__atomic_load_n(&sources->file->bans_until_ns, __ATOMIC_ACQUIRE) <= now_ns)
        return 0;
    const struct sources_ban *ban = find(sources, halves_of(address), now_ns);

    return ban == NULL ? 0 : __atomic_load_n(&ban->until_ns, __ATOMIC_ACQUIRE);
}

static void put(struct sources_ban *ban, struct halves halves, enum limit_offence offence,
                uint64_t now_ns, uint64_t until_ns)
{
    __atomic_store_n(&ban->until_ns, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&ban->first, halves.first, __ATOMIC_SEQ_CST);
    __atomic_store_n(&ban->second, halves.second, __ATOMIC_SEQ_CST);
    __atomic_store_n(&ban->since_ns, now_ns, __ATOMIC_SEQ_CST);
    __atomic_store_n(&ban->reason, (uint64_t)offence, __ATOMIC_SEQ_CST);
    __atomic_store_n(&ban->until_ns, until_ns, __ATOMIC_SEQ_CST);
}

bool limit_ban(struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN],
               enum limit_offence offence, uint64_t now_ns, uint64_t for_ns)
{
    struct halves halves = halves_of(address);
    bool done = false;

    if (!limit_making_lock(sources->fd))
        return false;
    uint64_t last_ns = NUM_MAX(sources->file->bans_until_ns, now_ns + for_ns);
    __atomic_store_n(&sources->file->bans_until_ns, last_ns, __ATOMIC_SEQ_CST);
    struct sources_ban *ban = find(sources, halves, now_ns);
    if (ban != NULL) {
        uint64_t until = NUM_MAX(ban->until_ns, now_ns + for_ns);
        __atomic_store_n(&ban->until_ns, until, __ATOMIC_SEQ_CST);
        done = true;
    }
    for (size_t i = 0; i < BAN_PROBE_MAX && !done; i++) {
        ban = slot_of(sources, halves, i);
        done = ban->until_ns <= now_ns;
        if (done)
            put(ban, halves, offence, now_ns, now_ns + for_ns);
    }
    limit_making_unlock(sources->fd);
    return done;
}

bool limit_unban(struct limit_sources *sources, const uint8_t address[LIMIT_ADDRESS_LEN],
                 uint64_t now_ns)
{
    if (!limit_making_lock(sources->fd))
        return false;
    struct sources_ban *ban = find(sources, halves_of(address), now_ns);
    if (ban != NULL)
        __atomic_store_n(&ban->until_ns, 0, __ATOMIC_SEQ_CST);
    limit_making_unlock(sources->fd);
    return ban != NULL;
}

size_t limit_bans(const struct limit_sources *sources, uint64_t now_ns,
                  struct limit_ban out[LIMIT_BAN_SLOTS])
{
    size_t count = 0;

    for (size_t i = 0; i < LIMIT_BAN_SLOTS; i++) {
        const struct sources_ban *ban = &sources->file->bans[i];
        uint64_t until = __atomic_load_n(&ban->until_ns, __ATOMIC_ACQUIRE);
        if (until <= now_ns)
            continue;
        memcpy(out[count].address, &ban->first, 8);
        memcpy(out[count].address + 8, &ban->second, 8);
        out[count].since_ns = ban->since_ns;
        out[count].offence = (enum limit_offence)NUM_MIN(ban->reason, LIMIT_OFFENCE_COUNT - 1);
        out[count].until_ns = until;
        if (__atomic_load_n(&ban->until_ns, __ATOMIC_ACQUIRE) == until)
            count++;
    }
    return count;
}

/* ------------------------------------------------------------------ floods */

enum {
    FAST_SEC = 4,    /* of the average that is compared */
    USUAL_SEC = 300, /* and of the one it is compared with */
    FLOOR = 1000,    /* a second: fewer are no flood, whatever is usual */
    BUSY_TIMES = 4,  /* the usual rate */
    FLOOD_TIMES = 16,
    GAP_MAX_SEC = 3600,
};

static enum limit_level level_of(uint64_t rate, uint64_t usual)
{
    uint64_t base = NUM_MAX(usual, UINT64_C(1000) * FLOOR / BUSY_TIMES);

    return rate > base * FLOOD_TIMES  ? LIMIT_FLOOD
           : rate > base * BUSY_TIMES ? LIMIT_BUSY
                                      : LIMIT_CALM;
}

/* A moving average: one step of 1/span towards the value. */
static uint64_t step(uint64_t average, uint64_t value, uint64_t span)
{
    return value > average ? average + (value - average + span - 1) / span
                           : average - (average - value) / span;
}

/* One process ends a second; the others saw it ended. */
static void end_seconds(struct sources_class *class, uint64_t from, uint64_t now_sec)
{
    uint64_t counted = __atomic_exchange_n(&class->count, 0, __ATOMIC_SEQ_CST) * 1000;
    uint64_t gap = NUM_MIN(now_sec - from, (uint64_t)GAP_MAX_SEC);

    for (uint64_t i = 0; i < gap; i++) {
        class->rate_milli = step(class->rate_milli, i == 0 ? counted : 0, FAST_SEC);
        enum limit_level met = level_of(class->rate_milli, class->usual_milli);
        if (met == LIMIT_CALM)
            class->usual_milli = step(class->usual_milli, class->rate_milli, USUAL_SEC);
        if (met >= class->level)
            class->calm_since = from + i;
        if (met > class->level) {
            __atomic_store_n(&class->level, (uint64_t)met, __ATOMIC_SEQ_CST);
            class->since = from + i;
        } else if (class->level > LIMIT_CALM && from + i - class->calm_since >= LIMIT_CALM_SEC) {
            __atomic_store_n(&class->level, class->level - 1, __ATOMIC_SEQ_CST);
            class->calm_since = class->since = from + i;
        }
    }
}

static void turn(struct sources_class *class, uint64_t now_sec)
{
    uint64_t second = __atomic_load_n(&class->second, __ATOMIC_SEQ_CST);

    if (second >= now_sec || !__atomic_compare_exchange_n(&class->second, &second, now_sec, false,
                                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    if (second > 0)
        end_seconds(class, second, now_sec);
}

enum limit_level limit_class_count(struct limit_sources *sources, enum limit_class class,
                                   uint64_t now_ns)
{
    struct sources_class *counted = &sources->file->classes[class];

    turn(counted, now_ns / SEC_NS);
    (void)__atomic_add_fetch(&counted->count, 1, __ATOMIC_RELAXED);
    return limit_class_level(sources, class);
}

enum limit_level limit_class_level(const struct limit_sources *sources, enum limit_class class)
{
    uint64_t level = __atomic_load_n(&sources->file->classes[class].level, __ATOMIC_SEQ_CST);

    return (enum limit_level)NUM_MIN(level, LIMIT_LEVELS - 1);
}

struct limit_weather limit_class_look(struct limit_sources *sources, enum limit_class class,
                                      uint64_t now_ns)
{
    struct sources_class *seen = &sources->file->classes[class];

    turn(seen, now_ns / SEC_NS);
    return (struct limit_weather){.level = limit_class_level(sources, class),
                                  .rate = (seen->rate_milli + 500) / 1000,
                                  .usual = (seen->usual_milli + 500) / 1000,
                                  .since_ns = seen->since * SEC_NS};
}

/* ------------------------------------------------------------------ bans in the kernel */

void limit_kernel_set(struct limit_sources *sources, enum limit_kernel_state state, const char *why)
{
    struct limit_kernel *kernel = &sources->file->kernel;

    snprintf(kernel->why, sizeof(kernel->why), "%s", why);
    __atomic_store_n(&kernel->state, (uint64_t)state, __ATOMIC_SEQ_CST);
}

struct limit_kernel limit_kernel_get(const struct limit_sources *sources)
{
    struct limit_kernel kernel = sources->file->kernel;

    kernel.why[sizeof(kernel.why) - 1] = '\0';
    return kernel;
}
