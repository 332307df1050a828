/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include "base/mem.h"
#include "crypto/crypto.h"
#include "store/pq.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fixture: %s: %s\n", what, strerror(errno));
        abort();
    }
}

/* ------------------------------------------------------------------ data keys */

static struct secret *master(void)
{
    return secret_copy(span_str("a fixed key for tests, 32 bytes!"));
}

static int open_key(void *ctx, const char *collection, struct span wrapped, struct secret **key,
                    struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *wrapping = master();
    CLEANUP(buf_free_wiped) struct buf plain = BUF_INIT(CRYPTO_KEY_LEN);
    struct fixture *fixture = ctx;

    if (fixture->keys_refused)
        return err_set(err, ERR_DENIED, "the keys are sealed");
    TRY(crypto_open(wrapping, span_str(collection), wrapped, &plain, err));
    *key = secret_copy(buf_span(&plain));
    return 0;
}

static int create_key(void *ctx, const char *collection, struct secret **key, struct buf *wrapped,
                      struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *wrapping = master();
    struct fixture *fixture = ctx;

    if (fixture->keys_refused)
        return err_set(err, ERR_DENIED, "the keys are sealed");
    fixture->keys_made++;
    TRY(secret_random(CRYPTO_KEY_LEN, key, err));
    return crypto_seal(wrapping, span_str(collection), secret_span(*key), wrapped, err);
}

static void on_damage(void *ctx, const char *collection, const char *position UNUSED,
                      const struct err *why UNUSED)
{
    struct fixture *fixture = ctx;

    fixture->damages++;
    snprintf(fixture->damaged_collection, sizeof(fixture->damaged_collection), "%s", collection);
}

/* ------------------------------------------------------------------ directories */

static int remove_one(const char *path, const struct stat *st UNUSED, int kind UNUSED,
                      struct FTW *ftw UNUSED)
{
    return remove(path);
}

static void remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fixture_start(struct fixture *fixture)
{
    struct err err = ERR_INIT;

    *fixture = (struct fixture){.dir = "/tmp/drun-store-XXXXXX"};
    check(secret_heap_init(&err) == 0, "secret heap");
    check(mkdtemp(fixture->dir) != NULL, "mkdtemp");
    snprintf(fixture->path, sizeof(fixture->path), "%s/store.db", fixture->dir);
    fixture->config = (struct store_config){.path = fixture->path,
                                            .keys = {open_key, create_key, fixture},
                                            .on_damage = on_damage,
                                            .damage_ctx = fixture};
    fixture->arena = arena_new(64 * 1024 * 1024);
}

void fixture_stop(struct fixture *fixture)
{
    store_close(fixture->store);
    arena_free(fixture->arena);
    remove_tree(fixture->dir);
}

int fixture_setup(void **state)
{
    static struct fixture fixture;

    fixture_start(&fixture);
    fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_stop(*state);
    return 0;
}

int fixture_try_open(struct fixture *fixture, struct err *err)
{
    store_close(fixture->store);
    fixture->store = NULL;
    return store_open(&fixture->config, &fixture->store, err);
}

void fixture_open(struct fixture *fixture)
{
    struct err err = ERR_INIT;

    if (fixture_try_open(fixture, &err) < 0) {
        fprintf(stderr, "fixture: %s\n", err.msg);
        abort();
    }
}

/* ------------------------------------------------------------------ PostgreSQL */

static bool find_bin(char *out, size_t size)
{
    glob_t found;
    bool ok = glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0;

    if (ok)
        snprintf(out, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return ok;
}

static pid_t spawn(const struct passwd *as, const char *bin, const char *name, char *argv[])
{
    char path[160];
    pid_t pid = fork();

    check(pid >= 0, "fork");
    if (pid > 0)
        return pid;
    snprintf(path, sizeof(path), "%s/%s", bin, name);
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    /* Where the tests run, its user may have no right to be. */
    if (chdir("/") < 0 || (as != NULL && (setgid(as->pw_gid) < 0 || setuid(as->pw_uid) < 0)))
        _exit(126);
    /* A server does not outlive its test. SIGQUIT is its way to stop at once. */
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    argv[0] = path; /* it finds its kin beside itself */
    execv(path, argv);
    _exit(127);
}

static bool wait_for_server(const char *dir)
{
    const struct pq *pq;
    struct err err = ERR_INIT;
    char conninfo[128];
    bool up = false;

    if (pq_load(&pq, &err) < 0)
        return false;
    snprintf(conninfo, sizeof(conninfo), "host=%s user=drun dbname=postgres", dir);
    for (int i = 0; i < 600 && !up; i++) {
        PGconn *conn = pq->connectdb(conninfo);
        up = pq->status(conn) == CONNECTION_OK;
        pq->finish(conn);
        if (!up)
            usleep(50 * 1000);
    }
    return up;
}

const char *fixture_postgres_start(char dir[64], pid_t *out_pid)
{
    char bin[128];
    char data[96];
    int status;

    if (!find_bin(bin, sizeof(bin)))
        return "PostgreSQL is not installed (/usr/lib/postgresql/*/bin)";
    const struct passwd *as = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (geteuid() == 0 && as == NULL)
        return "there is no user postgres, and initdb refuses root";
    snprintf(dir, 64, "/tmp/drun-pg-XXXXXX");
    check(mkdtemp(dir) != NULL, "mkdtemp");
    if (as != NULL)
        check(chown(dir, as->pw_uid, as->pw_gid) == 0, "chown");
    snprintf(data, sizeof(data), "%s/data", dir);
    pid_t pid = spawn(as, bin, "initdb",
                      (char *[]){(char *)"initdb", (char *)"-D", data, (char *)"-U", (char *)"drun",
                                 (char *)"-A", (char *)"trust", (char *)"-N", NULL});
    check(waitpid(pid, &status, 0) == pid && status == 0, "initdb");
    *out_pid = spawn(as, bin, "postgres",
                     (char *[]){(char *)"postgres", (char *)"-D", data, (char *)"-k", dir,
                                (char *)"-c", (char *)"listen_addresses=", (char *)"-c",
                                (char *)"shared_buffers=32MB", NULL});
    check(wait_for_server(dir), "the server does not answer");
    return NULL;
}

void fixture_postgres_stop(const char *dir, pid_t pid)
{
    kill(pid, SIGQUIT);
    waitpid(pid, NULL, 0);
    remove_tree(dir);
}

void fixture_use_postgres(struct fixture *fixture, const char *dir)
{
    static unsigned serial;

    snprintf(fixture->conninfo, sizeof(fixture->conninfo), "host=%s user=drun dbname=postgres",
             dir);
    snprintf(fixture->schema, sizeof(fixture->schema), "store_%d_%u", (int)getpid(), serial++);
    fixture->config.path = NULL;
    fixture->config.conninfo = fixture->conninfo;
    fixture->config.schema = fixture->schema;
}

/* ------------------------------------------------------------------ records */

struct store_key fixture_key(const char *collection, const char *scope, const char *name)
{
    return (struct store_key){collection, scope, name};
}

void fixture_put(struct fixture *fixture, struct store_key key, const char *value)
{
    struct err err = ERR_INIT;

    if (store_put(fixture->store, key, span_str(value), &err) < 0) {
        fprintf(stderr, "fixture: put: %s\n", err.msg);
        abort();
    }
}

struct store_key fixture_user(const char *name)
{
    return fixture_key("users", "staff", name);
}

void fixture_put_users(struct fixture *fixture, unsigned count)
{
    char name[16];

    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%u", i);
        fixture_put(fixture, fixture_user(name), name);
    }
    fixture_flush(fixture);
}

void fixture_flush(struct fixture *fixture)
{
    struct err err = ERR_INIT;

    if (store_flush(fixture->store, &err) < 0) {
        fprintf(stderr, "fixture: flush: %s\n", err.msg);
        abort();
    }
}

const char *fixture_value(struct fixture *fixture, struct store_key key)
{
    struct store_record record;
    struct err err = ERR_INIT;

    if (store_get(fixture->store, key, fixture->arena, &record, &err) == 0)
        return arena_copy(fixture->arena, record.value);
    if (err.code != ERR_NOT_FOUND) {
        fprintf(stderr, "fixture: get: %s\n", err.msg);
        abort();
    }
    return NULL;
}

int fixture_scrub(struct fixture *fixture, struct err *err)
{
    int more;

    do
        more = store_scrub(fixture->store, 7, err);
    while (more > 0);
    return more;
}
