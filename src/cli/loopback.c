/* SPDX-License-Identifier: Apache-2.0 */
/* Where the browser comes back to: http://127.0.0.1:PORT/callback, for one sign-in. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/sign_in.h"
#include "http/http.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { WAIT_MS = 5 * 60 * 1000, LINGER_MS = 300 };

struct loopback {
    struct sign_in *sign_in;
    bool refused;
    struct err err; /* why */
};

int loopback_open(struct sign_in *sign_in, int *out_fd, struct err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 8) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return err_sys(err, "cannot listen on 127.0.0.1; try --no-browser");
    free(sign_in->redirect);
    sign_in->redirect = mem_printf("http://127.0.0.1:%u/callback", ntohs(address.sin_port));
    *out_fd = fd_take(&fd);
    return 0;
}

static void page(struct http_answer *answer, unsigned status, const char *title, const char *text)
{
    answer->status = status;
    http_answer_header(answer, "Content-Type", "text/html; charset=utf-8");
    http_answer_header(answer, "Cache-Control", "no-store");
    http_answer_header(answer, "Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'");
    http_answer_header(answer, "Referrer-Policy", "no-referrer");
    buf_printf(&answer->body,
               "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>"
               "<body style=\"font:16px system-ui;margin:15vh auto;max-width:32em;"
               "text-align:center\"><h1>%s</h1><p>%s</p></body></html>\n",
               title, title, text);
}

static void on_request(void *ctx, const struct http_request *request, struct http_answer *answer)
{
    struct loopback *loopback = ctx;
    struct sign_in *sign_in = loopback->sign_in;

    if (strcmp(request->path, "/callback") != 0 || strcmp(request->method, "GET") != 0) {
        page(answer, 404, "Not here", "This address only takes the end of a sign-in.");
        return;
    }
    const char *error = http_request_query(request, "error_description");
    if (error == NULL)
        error = http_request_query(request, "error");
    const char *state = http_request_query(request, "state");
    struct err err = ERR_INIT;
    if (sign_in_accept(sign_in, http_request_query(request, "code"), state,
                       http_request_query(request, "iss"), error, &err) == 0) {
        page(answer, 200, "Signed in", "You can close this window and go back to the terminal.");
        return;
    }
    page(answer, 400, "Not signed in", "The terminal says why.");
    /* Only who knows the state may end this sign-in: any page can send a browser here. */
    if (state != NULL && strcmp(state, sign_in->state) == 0) {
        loopback->err = err;
        loopback->refused = true;
    }
}

static void release(void *ctx)
{
    struct http_server **server = ctx;

    if (*server != NULL && http_server_release(*server))
        http_server_wake(*server);
}

static int turn_until(struct loop *loop, const bool *end, const char *const *code,
                      uint64_t deadline_ns, struct err *err)
{
    while (!*end && *code == NULL) {
        uint64_t now = clock_mono_ns();
        if (now >= deadline_ns)
            return err_set(err, ERR_TIMEOUT, "nobody signed in within %d minutes", WAIT_MS / 60000);
        TRY(loop_turn(loop, (int)((deadline_ns - now) / 1000000) + 1, err));
    }
    return 0;
}

int loopback_wait(struct sign_in *sign_in, int *fd, struct err *err)
{
    CLEANUP(loop_free_ptr) struct loop *loop = NULL;
    struct http_server *server = NULL;
    struct loopback loopback = {.sign_in = sign_in};
    uint64_t now = clock_mono_ns();

    TRY(loop_new(&loop, err));
    TRY(http_server_new(loop, fd, on_request, &loopback, &server, err));
    loop_add_batch(loop, release, &server);
    int result = turn_until(loop, &loopback.refused, (const char *const *)&sign_in->code,
                            now + WAIT_MS * 1000000ULL, err);
    /* The page has to reach the browser. */
    for (now = clock_mono_ns(); result == 0 && clock_mono_ns() < now + LINGER_MS * 1000000ULL;)
        result = loop_turn(loop, LINGER_MS / 3, err);
    http_server_free(server);
    if (result == 0 && loopback.refused) {
        *err = loopback.err;
        return -1;
    }
    return result;
}
