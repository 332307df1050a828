/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for each test of this folder: cmocka's setup and teardown. */
#ifndef DRUN_LIMIT_FIXTURE_H
#define DRUN_LIMIT_FIXTURE_H

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    int dir_fd;
};

static inline int set_up(void **state)
{
    struct fixture *fixture = mem_new(sizeof(*fixture));
    struct err err = ERR_INIT;

    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/drun-limit-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    fixture->dir_fd = fd_open_dir(AT_FDCWD, fixture->dir, &err);
    assert_true(fixture->dir_fd >= 0);
    *state = fixture;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;

    fd_close(&fixture->dir_fd);
    assert_int_equal(fd_remove_tree(fixture->dir, &err), 0);
    free(fixture);
    return 0;
}

#endif
