/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/queue.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct waiter {
    uint64_t order; /* when it came; 0: nobody */
    uint64_t group;
    uint32_t seat;
    uint32_t priority;
    uint32_t granted;
    uint32_t zero;
};

/* When a group was served last. One that is forgotten counts as never served. */
struct served {
    uint64_t group;
    uint64_t at;
};

struct line {
    uint64_t key;   /* 0: never used */
    uint64_t clock; /* counts who came and who was served */
    uint32_t limit;
    uint32_t waiting; /* not granted yet */
    uint32_t room;    /* waiters from here on were never used */
    uint32_t zero;
    uint16_t running[LIMIT_SEATS];
    struct served served[LIMIT_TURNS];
    struct waiter waiters[LIMIT_LINE_MAX];
};

struct file {
    uint64_t lines; /* those from here on were never used */
    struct line line[LIMIT_LINES];
};

struct limit_queue {
    int fd;
    unsigned seat;
    struct file *file;
    limit_queue_wake_fn *wake;
    void *ctx;
};

/* ------------------------------------------------------------------ one line, under the lock */

static uint32_t running(const struct line *line)
{
    uint32_t total = 0;

    for (size_t i = 0; i < LIMIT_SEATS; i++)
        total += line->running[i];
    return total;
}

static struct served *find_served(struct line *line, uint64_t group)
{
    for (size_t i = 0; i < LIMIT_TURNS; i++)
        if (line->served[i].group == group)
            return &line->served[i];
    return NULL;
}

static struct served *oldest_served(struct line *line)
{
    struct served *oldest = &line->served[0];

    for (size_t i = 1; i < LIMIT_TURNS; i++)
        if (line->served[i].at < oldest->at)
            oldest = &line->served[i];
    return oldest;
}

static void note_served(struct line *line, uint64_t group)
{
    struct served *at = find_served(line, group);

    *(at == NULL ? oldest_served(line) : at) = (struct served){.group = group, .at = ++line->clock};
}

static uint64_t served_at(struct line *line, uint64_t group)
{
    const struct served *at = find_served(line, group);

    return at == NULL ? 0 : at->at;
}

static struct waiter *next_of(struct line *line)
{
    struct waiter *best = NULL;
    uint64_t best_at = 0;

    for (uint32_t i = 0; i < line->room; i++) {
        struct waiter *waiter = &line->waiters[i];
        if (waiter->order == 0 || waiter->granted)
            continue;
        if (best != NULL && waiter->priority < best->priority)
            continue;
        uint64_t at =
            best != NULL && waiter->group == best->group ? best_at : served_at(line, waiter->group);
        bool is_next = best == NULL || waiter->priority > best->priority || at < best_at ||
                       (at == best_at && waiter->order < best->order);
        if (is_next) {
            best = waiter;
            best_at = at;
        }
    }
    return best;
}

static void give_places(struct limit_queue *queue, struct line *line)
{
    while (line->waiting > 0 && running(line) < line->limit) {
        struct waiter *waiter = next_of(line);
        INVARIANT(waiter != NULL);
        waiter->granted = 1;
        line->waiting--;
        line->running[waiter->seat]++;
        note_served(line, waiter->group);
        queue->wake(queue->ctx, waiter->seat);
    }
}

/* 0 is a group that nobody has. */
static uint64_t group_of(const struct limit_queue_ask *ask)
{
    return ask->group == 0 ? 1 : ask->group;
}

/* ------------------------------------------------------------------ lines */

static bool is_idle(const struct line *line)
{
    return line->waiting == 0 && running(line) == 0;
}

/* That of the key, or one that nobody uses; NULL: there are as many as there may be. */
static struct line *find_line(struct limit_queue *queue, uint64_t key)
{
    struct file *file = queue->file;
    struct line *idle = NULL;

    for (size_t i = 0; i < file->lines; i++) {
        if (file->line[i].key == key)
            return &file->line[i];
        if (idle == NULL && is_idle(&file->line[i]))
            idle = &file->line[i];
    }
    if (idle == NULL && file->lines < LIMIT_LINES)
        idle = &file->line[file->lines++];
    if (idle == NULL)
        return NULL;
    memset(idle, 0, sizeof(*idle));
    idle->key = key;
    return idle;
}

static struct waiter *free_waiter(struct line *line)
{
    for (uint32_t i = 0; i < line->room; i++)
        if (line->waiters[i].order == 0)
            return &line->waiters[i];
    return line->room < LIMIT_LINE_MAX ? &line->waiters[line->room++] : NULL;
}

/* The room shrinks when its end is free again, so that a line that was long once is short to look
 * through. */
static void forget_waiter(struct line *line, struct waiter *waiter)
{
    *waiter = (struct waiter){0};
    while (line->room > 0 && line->waiters[line->room - 1].order == 0)
        line->room--;
}

static void end_place(struct line *line, unsigned seat)
{
    if (line->running[seat] > 0)
        line->running[seat]--;
}

/* ------------------------------------------------------------------ entering and leaving */

static enum limit_queue_answer wait_in_line(struct limit_queue *queue, struct line *line,
                                            const struct limit_queue_ask *ask,
                                            struct limit_turn *out)
{
    struct waiter *waiter =
        line->waiting < NUM_MIN(ask->length, (uint32_t)LIMIT_LINE_MAX) ? free_waiter(line) : NULL;

    if (waiter == NULL)
        return LIMIT_QUEUE_FULL;
    *waiter = (struct waiter){.order = ++line->clock,
                              .group = group_of(ask),
                              .seat = queue->seat,
                              .priority = ask->priority};
    line->waiting++;
    out->line = (uint32_t)(line - queue->file->line) + 1;
    out->waiter = (uint32_t)(waiter - line->waiters) + 1;
    /* There may be places, when the limit was raised. */
    give_places(queue, line);
    return LIMIT_QUEUE_WAIT;
}

static enum limit_queue_answer enter(struct limit_queue *queue, const struct limit_queue_ask *ask,
                                     struct limit_turn *out)
{
    struct line *line = find_line(queue, ask->key);

    if (line == NULL)
        return LIMIT_QUEUE_FULL;
    line->limit = ask->limit;
    if (line->waiting > 0 || running(line) >= line->limit)
        return wait_in_line(queue, line, ask, out);
    line->running[queue->seat]++;
    note_served(line, group_of(ask));
    *out = (struct limit_turn){.line = (uint32_t)(line - queue->file->line) + 1};
    return LIMIT_QUEUE_GO;
}

enum limit_queue_answer limit_queue_enter(struct limit_queue *queue,
                                          const struct limit_queue_ask *ask, struct limit_turn *out)
{
    *out = (struct limit_turn){0};
    if (!limit_making_lock(queue->fd))
        return LIMIT_QUEUE_FULL;
    enum limit_queue_answer answer = enter(queue, ask, out);
    limit_making_unlock(queue->fd);
    return answer;
}

bool limit_queue_take(struct limit_queue *queue, struct limit_turn *turn)
{
    if (turn->line == 0 || turn->waiter == 0)
        return turn->line != 0;
    struct line *line = &queue->file->line[turn->line - 1];
    struct waiter *waiter = &line->waiters[turn->waiter - 1];
    if (!limit_making_lock(queue->fd))
        return false;
    bool granted = waiter->granted != 0;
    if (granted) {
        forget_waiter(line, waiter);
        turn->waiter = 0;
    }
    limit_making_unlock(queue->fd);
    return granted;
}

static void leave(struct limit_queue *queue, struct line *line, const struct limit_turn *turn)
{
    struct waiter *waiter = turn->waiter == 0 ? NULL : &line->waiters[turn->waiter - 1];
    bool has_place = waiter == NULL || waiter->granted;

    if (has_place)
        end_place(line, queue->seat);
    else
        line->waiting--;
    if (waiter != NULL)
        forget_waiter(line, waiter);
    give_places(queue, line);
}

void limit_queue_leave(struct limit_queue *queue, struct limit_turn *turn)
{
    if (turn->line == 0 || !limit_making_lock(queue->fd))
        return;
    leave(queue, &queue->file->line[turn->line - 1], turn);
    limit_making_unlock(queue->fd);
    *turn = (struct limit_turn){0};
}

/* ------------------------------------------------------------------ the file */

/* Its calls are gone; the counts are made anew, as it may have died while it changed them. */
static void clear_line(struct line *line, unsigned seat)
{
    line->running[seat] = 0;
    line->waiting = 0;
    for (uint32_t i = 0; i < line->room; i++) {
        struct waiter *waiter = &line->waiters[i];
        if (waiter->order != 0 && waiter->seat == seat)
            *waiter = (struct waiter){0};
        line->waiting += waiter->order != 0 && !waiter->granted;
    }
}

static void clear_seat(void *ctx, unsigned seat)
{
    const struct limit_queue *queue = ctx;

    for (size_t i = 0; i < queue->file->lines; i++)
        clear_line(&queue->file->line[i], seat);
}

static int map(struct limit_queue *queue, int dir_fd, const char *name, struct err *err)
{
    queue->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (queue->fd < 0)
        return err_sys(err, "cannot open %s", name);
    /* Only ever to the one size: what others have mapped stays. */
    if (ftruncate(queue->fd, sizeof(struct file)) < 0)
        return err_sys(err, "cannot size %s", name);
    void *memory =
        mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE, MAP_SHARED, queue->fd, 0);
    if (memory == MAP_FAILED)
        return err_sys(err, "cannot map %s", name);
    queue->file = memory;
    return 0;
}

/* What dead processes held goes to who waits. */
static int sit_down(struct limit_queue *queue, struct err *err)
{
    TRY(limit_seat_take(queue->fd, clear_seat, queue, &queue->seat, err));
    for (size_t i = 0; i < queue->file->lines; i++)
        give_places(queue, &queue->file->line[i]);
    return 0;
}

int limit_queue_open(int dir_fd, const char *name, limit_queue_wake_fn *wake, void *ctx,
                     struct limit_queue **out, struct err *err)
{
    CLEANUP(limit_queue_close_ptr) struct limit_queue *queue = mem_new(sizeof(*queue));

    *queue = (struct limit_queue){.fd = -1, .seat = LIMIT_SEATS, .wake = wake, .ctx = ctx};
    TRY(map(queue, dir_fd, name, err));
    if (!limit_making_lock(queue->fd))
        return err_sys(err, "cannot lock %s", name);
    int result = sit_down(queue, err);
    limit_making_unlock(queue->fd);
    TRY(result);
    *out = queue;
    queue = NULL;
    return 0;
}

void limit_queue_close(struct limit_queue *queue)
{
    if (queue == NULL)
        return;
    if (queue->file != NULL) {
        if (queue->seat < LIMIT_SEATS && limit_making_lock(queue->fd)) {
            clear_seat(queue, queue->seat);
            for (size_t i = 0; i < queue->file->lines; i++)
                give_places(queue, &queue->file->line[i]);
            limit_making_unlock(queue->fd);
        }
        munmap(queue->file, sizeof(struct file));
    }
    fd_close(&queue->fd);
    free(queue);
}

void limit_queue_close_ptr(struct limit_queue **queue)
{
    limit_queue_close(*queue);
}

unsigned limit_queue_seat(const struct limit_queue *queue)
{
    return queue->seat;
}
