/* SPDX-License-Identifier: Apache-2.0 */
#include "kms_fixture.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

int fixture_setup(void **state)
{
    static const uint8_t key[32] = "a key file of thirty-two bytes!";
    struct fixture *fixture = mem_new(sizeof(*fixture));
    struct err err = ERR_INIT;

    log_init("test", LOG_ERROR + 1);
    assert_int_equal(secret_heap_init(&err), 0);
    snprintf(fixture->path, sizeof(fixture->path), "/tmp/drun-kms-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    fixture->dir_fd = fd_open_dir(AT_FDCWD, fixture->path, &err);
    fixture->material = secret_copy(span_of(key, sizeof(key)));
    fixture->place = (struct keyring_place){fixture->dir_fd, "instance-1"};
    *state = fixture;
    return fixture->dir_fd < 0 ? -1 : 0;
}

int fixture_setup_running(void **state)
{
    static int64_t now_sec;

    fixture_setup(state);
    if (now_sec == 0)
        now_sec = clock_wall_sec();
    keyring_free(fixture_create(*state, now_sec));
    fixture_start(*state, false);
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    fixture_kill(fixture);
    unlinkat(fixture->dir_fd, "keyring", 0);
    unlinkat(fixture->dir_fd, "keyring.new", 0);
    fd_close(&fixture->dir_fd);
    rmdir(fixture->path);
    secret_free(fixture->material);
    free(fixture);
    return 0;
}

static int serve(struct fixture *fixture, int fds[ROLE_COUNT], bool sealed, struct err *err)
{
    struct loop *loop;
    struct kms *kms;

    TRY(loop_new(&loop, err));
    TRY(kms_new(&fixture->place, &unseal_keyfile, sealed ? NULL : fixture->material, &kms, err));
    for (unsigned peer = 0; peer < ROLE_COUNT; peer++)
        TRY(kms_serve(kms, loop, &fds[peer], peer, err));
    TRY(kms_schedule(kms, loop, err));
    return loop_run(loop, err);
}

void fixture_start(struct fixture *fixture, bool sealed)
{
    int ours[ROLE_COUNT];
    int theirs[ROLE_COUNT];
    struct err err = ERR_INIT;

    for (int peer = 0; peer < ROLE_COUNT; peer++)
        assert_int_equal(ipc_pair(&ours[peer], &theirs[peer], &err), 0);
    fixture->pid = fork();
    assert_true(fixture->pid >= 0);
    if (fixture->pid == 0) {
        for (int peer = 0; peer < ROLE_COUNT; peer++)
            fd_close(&ours[peer]);
        _exit(serve(fixture, theirs, sealed, &err) < 0 ? 1 : 0);
    }
    for (int peer = 0; peer < ROLE_COUNT; peer++) {
        fd_close(&theirs[peer]);
        fixture->as[peer] = ipc_client_new(&ours[peer], "kms");
    }
}

void fixture_kill(struct fixture *fixture)
{
    if (fixture->pid == 0)
        return;
    kill(fixture->pid, SIGKILL);
    waitpid(fixture->pid, NULL, 0);
    fixture->pid = 0;
    for (int peer = 0; peer < ROLE_COUNT; peer++) {
        ipc_client_free(fixture->as[peer]);
        fixture->as[peer] = NULL;
    }
}

/* An RSA key takes long to find: a process makes one keyring for each start time. */
struct keyring *fixture_create(struct fixture *fixture, int64_t now_sec)
{
    static struct buf file = BUF_INIT(KEYRING_FILE_MAX);
    static int64_t made_sec;
    struct keyring *keyring = NULL;
    struct err err = ERR_INIT;

    if (file.len > 0 && made_sec == now_sec) {
        assert_int_equal(
            fd_replace_file(fixture->dir_fd, "keyring", 0600, buf_span(&file), false, &err), 0);
        return fixture_load(fixture);
    }
    assert_int_equal(keyring_create(&fixture->place, &unseal_keyfile, fixture->material, now_sec,
                                    &keyring, &err),
                     0);
    buf_reset(&file);
    assert_int_equal(fd_read_file(fixture->dir_fd, "keyring", &file, &err), 0);
    made_sec = now_sec;
    return keyring;
}

struct keyring *fixture_load(struct fixture *fixture)
{
    struct keyring *keyring = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(keyring_load(&fixture->place, fixture->material, &keyring, &err), 0);
    return keyring;
}
