/* SPDX-License-Identifier: Apache-2.0 */
#include "kept/kept_internal.h"

#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    PAGE = 4096,
    MS_PER_SEC = 1000,
    NS_PER_MS = 1000000,
    NS_PER_SEC = 1000000000,
    VALUE_USUAL = 1024, /* the index has a slot for each so many bytes of the log */
};

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* ------------------------------------------------------------------ the lock */

/* The log is left as it is: nothing leads to it any more. */
static void forget_all(struct kept *kept)
{
    memset(kept->buckets, 0, kept->bucket_count * sizeof(*kept->buckets));
    kept->shared->head = 0;
}

static struct timespec patience(void)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += KEPT_PATIENCE_MS / MS_PER_SEC;
    end.tv_nsec += (long)(KEPT_PATIENCE_MS % MS_PER_SEC) * NS_PER_MS;
    if (end.tv_nsec >= NS_PER_SEC) {
        end.tv_sec++;
        end.tv_nsec -= NS_PER_SEC;
    }
    return end;
}

bool kept_lock(struct kept *kept)
{
    pthread_mutex_t *lock = &kept->shared->lock;
    int rc = pthread_mutex_trylock(lock);

    if (rc == EBUSY) {
        const struct timespec end = patience();
        rc = pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &end);
    }
    if (rc == EOWNERDEAD) {
        forget_all(kept);
        rc = pthread_mutex_consistent(lock);
    }
    return rc == 0;
}

void kept_unlock(struct kept *kept)
{
    INVARIANT(pthread_mutex_unlock(&kept->shared->lock) == 0);
}

static void make_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t kind;

    INVARIANT(pthread_mutexattr_init(&kind) == 0);
    INVARIANT(pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0);
    INVARIANT(pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0);
    INVARIANT(pthread_mutex_init(lock, &kind) == 0);
    pthread_mutexattr_destroy(&kind);
}

/* ------------------------------------------------------------------ the memory */

int kept_new(size_t bytes, struct kept **out, struct err *err)
{
    uint64_t log_bytes = round_up(NUM_MAX(bytes, (size_t)KEPT_BYTES_MIN), PAGE);
    uint64_t buckets = 1;

    while (buckets * KEPT_WAYS * VALUE_USUAL < log_bytes)
        buckets *= 2;
    size_t index = round_up(buckets * sizeof(struct kept_bucket), PAGE);
    size_t mapped = PAGE + index + log_bytes;
    uint8_t *at = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return err_set(err, ERR_LIMITED, "there are no %zu bytes of memory to keep answers in: %s",
                       mapped, strerror(errno));
    if (madvise(at, mapped, MADV_DONTDUMP) < 0) {
        int result = err_sys(err, "cannot keep answers out of core dumps");
        (void)munmap(at, mapped);
        return result;
    }
    struct kept *kept = mem_new(sizeof(*kept));
    *kept = (struct kept){.shared = (void *)at,
                          .buckets = (void *)(at + PAGE),
                          .log = at + PAGE + index,
                          .bucket_count = buckets,
                          .log_bytes = log_bytes,
                          .mapped = mapped};
    make_lock(&kept->shared->lock);
    *out = kept;
    return 0;
}

void kept_free(struct kept *kept)
{
    if (kept == NULL)
        return;
    (void)munmap(kept->shared, kept->mapped);
    free(kept);
}

void kept_free_ptr(struct kept **kept)
{
    kept_free(*kept);
}

/* ------------------------------------------------------------------ the index, under the lock */

static uint64_t word_of(const uint8_t *key, size_t at)
{
    uint64_t word;

    memcpy(&word, key + at * sizeof(word), sizeof(word));
    return word;
}

uint64_t kept_bucket_of(const struct kept *kept, const uint8_t key[KEPT_KEY_LEN])
{
    return word_of(key, 0) & (kept->bucket_count - 1);
}

/* NULL: it has been written over. */
static struct kept_entry *entry_at(const struct kept *kept, uint64_t place)
{
    uint64_t position = place - 1;

    if (place == 0 || position >= kept->shared->head ||
        kept->shared->head - position > kept->log_bytes)
        return NULL;
    uint64_t offset = position % kept->log_bytes;
    if (kept->log_bytes - offset < sizeof(struct kept_entry))
        return NULL;
    struct kept_entry *entry = (void *)(kept->log + offset);
    uint64_t left = kept->log_bytes - offset - sizeof(*entry);
    return entry->position == position && entry->len <= left ? entry : NULL;
}

static struct kept_slot *find(const struct kept *kept, const uint8_t key[KEPT_KEY_LEN])
{
    struct kept_bucket *bucket = &kept->buckets[kept_bucket_of(kept, key)];

    for (size_t i = 0; i < KEPT_WAYS; i++) {
        if (bucket->slots[i].place == 0 || bucket->slots[i].tag != word_of(key, 1))
            continue;
        const struct kept_entry *entry = entry_at(kept, bucket->slots[i].place);
        if (entry != NULL && memcmp(entry->key, key, KEPT_KEY_LEN) == 0)
            return &bucket->slots[i];
    }
    return NULL;
}

/* That of the key, or else the one that was put first: what is not there any more came before all
 * that is. */
static struct kept_slot *slot_for(const struct kept *kept, const uint8_t key[KEPT_KEY_LEN])
{
    struct kept_bucket *bucket = &kept->buckets[kept_bucket_of(kept, key)];
    struct kept_slot *oldest = find(kept, key);

    if (oldest != NULL)
        return oldest;
    oldest = &bucket->slots[0];
    for (size_t i = 1; i < KEPT_WAYS; i++)
        if (bucket->slots[i].place < oldest->place)
            oldest = &bucket->slots[i];
    return oldest;
}

/* ------------------------------------------------------------------ values */

uint64_t kept_room(uint64_t len)
{
    return round_up(sizeof(struct kept_entry) + len, KEPT_ALIGN);
}

uint64_t kept_place(const struct kept *kept, uint64_t head, uint64_t room)
{
    uint64_t left = kept->log_bytes - head % kept->log_bytes;

    return left < room ? head + left : head;
}

/* What nobody shall have any more does not stay. */
static void drop(struct kept_slot *slot, struct kept_entry *entry)
{
    mem_wipe(entry + 1, entry->len);
    *slot = (struct kept_slot){0};
}

static bool take(struct kept *kept, const uint8_t key[KEPT_KEY_LEN], uint64_t now_ns,
                 struct buf *out, uint64_t *age_ns)
{
    struct kept_slot *slot = find(kept, key);
    struct kept_entry *entry = slot == NULL ? NULL : entry_at(kept, slot->place);

    if (entry == NULL)
        return false;
    if (entry->until_ns <= now_ns) {
        drop(slot, entry);
        return false;
    }
    buf_put(out, entry + 1, entry->len);
    *age_ns = now_ns > entry->put_ns ? now_ns - entry->put_ns : 0;
    return !out->overflowed;
}

bool kept_get(struct kept *kept, const uint8_t key[KEPT_KEY_LEN], uint64_t now_ns, struct buf *out,
              uint64_t *age_ns)
{
    if (!kept_lock(kept))
        return false;
    bool found = take(kept, key, now_ns, out, age_ns);
    kept_unlock(kept);
    return found;
}

/* The head moves first: what is about to be written over is gone already. */
static void append(struct kept *kept, const struct kept_entry *head, const struct span *parts,
                   size_t count)
{
    uint64_t room = kept_room(head->len);
    uint64_t position = kept_place(kept, kept->shared->head, room);
    struct kept_slot *slot = slot_for(kept, head->key);
    struct kept_entry *entry = (void *)(kept->log + position % kept->log_bytes);
    uint8_t *at = (uint8_t *)(entry + 1);

    kept->shared->head = position + room;
    *entry = *head;
    entry->position = position;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0)
            memcpy(at, parts[i].p, parts[i].len);
        at += parts[i].len;
    }
    *slot = (struct kept_slot){.tag = word_of(head->key, 1), .place = position + 1};
}

bool kept_put(struct kept *kept, const uint8_t key[KEPT_KEY_LEN], const struct span *parts,
              size_t count, uint64_t now_ns, uint64_t until_ns)
{
    struct kept_entry head = {.put_ns = now_ns, .until_ns = until_ns};

    for (size_t i = 0; i < count; i++)
        if (!num_add(head.len, parts[i].len, &head.len))
            return false;
    memcpy(head.key, key, KEPT_KEY_LEN);
    if (head.len > KEPT_VALUE_MAX || !kept_lock(kept))
        return false;
    append(kept, &head, parts, count);
    kept_unlock(kept);
    return true;
}
