/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/seats.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { LOCK_MAKING = LIMIT_SEATS };

static bool lock(int fd, unsigned byte, short type, bool wait)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int done;

    do
        done = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
    while (done < 0 && errno == EINTR);
    return done == 0;
}

int limit_seat_take(int fd, void (*clear)(void *ctx, unsigned seat), void *ctx, unsigned *out,
                    struct err *err)
{
    bool found = false;

    for (unsigned seat = 0; seat < LIMIT_SEATS; seat++) {
        if (!lock(fd, seat, F_WRLCK, false))
            continue;
        clear(ctx, seat);
        if (found)
            (void)lock(fd, seat, F_UNLCK, false);
        else
            *out = seat;
        found = true;
    }
    return found ? 0
                 : err_set(err, ERR_LIMITED, "%d processes share the limits already", LIMIT_SEATS);
}

bool limit_making_lock(int fd)
{
    return lock(fd, LOCK_MAKING, F_WRLCK, true);
}

void limit_making_unlock(int fd)
{
    (void)lock(fd, LOCK_MAKING, F_UNLCK, false);
}
