/* SPDX-License-Identifier: Apache-2.0 */
/* Against a real nginx on Unix sockets: plain, TLS 1.3, and TLS 1.2 alone. */
#include "fetch/fetch.h"

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { LARGE = 2 * 1024 * 1024 };

static char dir[] = "/tmp/drun-fetch-XXXXXX";
static pid_t nginx;

static const char conf_text[] =
    "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr crit;\n"
    "events { worker_connections 64; }\n"
    "http {\n"
    "  access_log off;\n"
    "  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;\n"
    "  scgi_temp_path t5;\n"
    "  ssl_certificate server.pem; ssl_certificate_key server.key;\n"
    "  server { listen unix:%s/plain; root %s;\n"
    "    location = /hello { add_header X-Drun \"a  b\"; return 200 \"hello $request_method\"; }\n"
    "    location = /moved { return 302 /hello; }\n"
    "    location = /slow { proxy_pass http://unix:%s/silent:/; } }\n"
    "  server { listen unix:%s/tls ssl; ssl_protocols TLSv1.3; return 200 tls13; }\n"
    "  server { listen unix:%s/old ssl; ssl_protocols TLSv1.2; return 200 tls12; }\n"
    "}\n";

static pid_t run(char *const argv[])
{
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, 0);
        dup2(null, 2);
        dup2(null, 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static void make_certificate(const char *name)
{
    CLEANUP_FREE char *key = mem_printf("%s/%s.key", dir, name);
    CLEANUP_FREE char *pem = mem_printf("%s/%s.pem", dir, name);
    char *const argv[] = {(char[]){"openssl"},
                          (char[]){"req"},
                          (char[]){"-x509"},
                          (char[]){"-newkey"},
                          (char[]){"ec"},
                          (char[]){"-pkeyopt"},
                          (char[]){"ec_paramgen_curve:P-256"},
                          (char[]){"-nodes"},
                          (char[]){"-keyout"},
                          key,
                          (char[]){"-out"},
                          pem,
                          (char[]){"-days"},
                          (char[]){"2"},
                          (char[]){"-subj"},
                          (char[]){"/CN=localhost"},
                          (char[]){"-addext"},
                          (char[]){"subjectAltName=DNS:localhost"},
                          NULL};
    int status;

    INVARIANT(waitpid(run(argv), &status, 0) > 0 && status == 0);
}

static struct sockaddr_un address_of(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name);
    return address;
}

/* Accepts and never answers. */
static void listen_silently(void)
{
    struct sockaddr_un address = address_of("silent");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    INVARIANT(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0);
}

static int start(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(16 * 1024);
    CLEANUP(buf_free) struct buf large = BUF_INIT(LARGE);
    struct err err = ERR_INIT;

    INVARIANT(mkdtemp(dir) != NULL);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, dir, &err);
    make_certificate("server");
    make_certificate("other");
    listen_silently();
    buf_printf(&text, conf_text, dir, dir, dir, dir, dir);
    for (int i = 0; i < LARGE; i++)
        buf_put_u8(&large, (uint8_t)i);
    INVARIANT(fd_replace_file(dir_fd, "conf", 0600, buf_span(&text), false, &err) == 0);
    INVARIANT(fd_replace_file(dir_fd, "large", 0644, buf_span(&large), false, &err) == 0);
    CLEANUP_FREE char *conf = mem_printf("%s/conf", dir);
    CLEANUP_FREE char *prefix = mem_printf("%s/", dir);
    char *const argv[] = {
        (char[]){"/usr/sbin/nginx"}, (char[]){"-p"}, prefix, (char[]){"-c"}, conf, NULL};
    nginx = run(argv);
    struct sockaddr_un last = address_of("old");
    for (int i = 0; i < 500; i++) {
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&last, sizeof(last)) == 0)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return -1;
}

static int stop(void **state UNUSED)
{
    struct err err = ERR_INIT;

    kill(nginx, SIGKILL);
    waitpid(nginx, NULL, 0);
    return fd_remove_tree(dir, &err);
}

struct call {
    const char *socket;
    const char *authority; /* "server", "other"; NULL: the system's */
    unsigned timeout_ms;
    struct fetch_request request;
};

static int fetch(const struct call *call, struct fetch_answer *answer, struct err *err)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", dir, call->socket);
    CLEANUP_FREE char *ca = mem_printf("%s/%s.pem", dir, call->authority);
    CLEANUP(buf_free) struct buf pem = BUF_INIT(64 * 1024);
    CLEANUP(fetch_free_ptr) struct fetch *client = NULL;
    struct fetch_options options = {.unix_socket = path, .timeout_ms = call->timeout_ms};

    if (call->authority != NULL)
        assert_int_equal(fd_read_file(AT_FDCWD, ca, &pem, err), 0);
    options.ca_pem = buf_span(&pem);
    assert_int_equal(fetch_new(&options, &client, err), 0);
    return fetch_run(client, &call->request, answer, err);
}

static void an_answer_has_its_status_body_and_headers(void **state UNUSED)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct call call = {.socket = "plain", .request = {"PUT", "http://x/hello"}};
    struct err err = ERR_INIT;

    setenv("http_proxy", "http://127.0.0.1:1", 1); /* which must not be asked */
    assert_int_equal(fetch(&call, &answer, &err), 0);
    unsetenv("http_proxy");
    assert_int_equal(answer.status, 200);
    assert_string_equal(buf_text(&answer.body), "hello PUT");
    CLEANUP_FREE char *value = fetch_answer_header(&answer, "x-drun");
    assert_string_equal(value, "a  b");
    CLEANUP_FREE char *missing = fetch_answer_header(&answer, "X-Dru");
    assert_null(missing);
}

static void a_redirect_is_an_answer(void **state UNUSED)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct call call = {.socket = "plain", .request = {"GET", "http://x/moved"}};
    struct err err = ERR_INIT;

    assert_int_equal(fetch(&call, &answer, &err), 0);
    assert_int_equal(answer.status, 302);
}

struct seen {
    size_t bytes;
    size_t most;
};

static int on_data(void *ctx, unsigned status, struct span bytes, struct err *err)
{
    struct seen *seen = ctx;

    assert_int_equal(status, 200);
    seen->bytes += bytes.len;
    if (seen->bytes > seen->most)
        return err_set(err, ERR_LIMITED, "that is enough");
    return 0;
}

static void a_stream_goes_to_its_callback_which_can_end_it(void **state UNUSED)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct seen seen = {.most = LARGE};
    struct call call = {.socket = "plain",
                        .request = {"GET", "http://x/large", .on_data = on_data, .ctx = &seen}};
    struct err err = ERR_INIT;

    assert_int_equal(fetch(&call, &answer, &err), 0);
    assert_int_equal(seen.bytes, LARGE);
    assert_int_equal(answer.body.len, 0);
    seen = (struct seen){.most = LARGE / 4};
    assert_int_equal(fetch(&call, &answer, &err), -1);
    assert_int_equal(err.code, ERR_LIMITED);
}

static void a_body_over_its_ceiling_is_an_error(void **state UNUSED)
{
    CLEANUP(fetch_answer_free)
    struct fetch_answer answer = {.body = BUF_INIT(LARGE - 1), .headers = BUF_INIT(1024)};
    struct call call = {.socket = "plain", .request = {"GET", "http://x/large"}};
    struct err err = ERR_INIT;

    assert_int_equal(fetch(&call, &answer, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void only_the_named_authority_is_trusted(void **state UNUSED)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct call call = {
        .socket = "tls", .authority = "server", .request = {"GET", "https://localhost/"}};
    struct err err = ERR_INIT;

    assert_int_equal(fetch(&call, &answer, &err), 0);
    assert_string_equal(buf_text(&answer.body), "tls13");
    call.authority = "other";
    assert_int_equal(fetch(&call, &answer, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    err_clear(&err);
    call.authority = NULL;
    assert_int_equal(fetch(&call, &answer, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
}

static void a_certificate_for_another_name_is_refused(void **state UNUSED)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct call call = {
        .socket = "tls", .authority = "server", .request = {"GET", "https://elsewhere/"}};
    struct err err = ERR_INIT;

    assert_int_equal(fetch(&call, &answer, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
}

static void a_server_without_tls_1_3_is_refused(void **state UNUSED)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct call call = {
        .socket = "old", .authority = "server", .request = {"GET", "https://localhost/"}};
    struct err err = ERR_INIT;

    assert_int_equal(fetch(&call, &answer, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
}

static void nobody_there_and_no_answer_are_told_apart(void **state UNUSED)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct call call = {.socket = "plain", .timeout_ms = 300, .request = {"GET", "http://x/slow"}};
    struct err err = ERR_INIT;

    assert_int_equal(fetch(&call, &answer, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    err_clear(&err);
    call.socket = "nobody";
    assert_int_equal(fetch(&call, &answer, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    err_clear(&err);
    call.request.url = "file:///etc/passwd";
    assert_int_equal(fetch(&call, &answer, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_its_status_body_and_headers),
        cmocka_unit_test(a_redirect_is_an_answer),
        cmocka_unit_test(a_stream_goes_to_its_callback_which_can_end_it),
        cmocka_unit_test(a_body_over_its_ceiling_is_an_error),
        cmocka_unit_test(only_the_named_authority_is_trusted),
        cmocka_unit_test(a_certificate_for_another_name_is_refused),
        cmocka_unit_test(a_server_without_tls_1_3_is_refused),
        cmocka_unit_test(nobody_there_and_no_answer_are_told_apart),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("fetch", tests, start, stop);
}
