/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/login.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/client.h"
#include "codec/json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { LOGIN_MAX = 64 * 1024, TIMEOUT_MS = 20000 };

static const char file_name[] = "login.json";

void login_free(struct login *login)
{
    char *const secrets[] = {login->access_token, login->refresh_token};

    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (secrets[i] != NULL)
            mem_wipe(secrets[i], strlen(secrets[i]));
    free(login->server);
    free(login->ca_pem);
    free(login->token_url);
    free(login->revoke_url);
    free(login->access_token);
    free(login->refresh_token);
    *login = (struct login){0};
}

/* ------------------------------------------------------------------ the file */

static int open_folder(bool make, struct err *err)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    CLEANUP_FREE char *path = NULL;

    if (config != NULL && config[0] == '/')
        path = mem_printf("%s/drun", config);
    else if (home != NULL && home[0] == '/')
        path = mem_printf("%s/.config/drun", home);
    else
        return err_set(err, ERR_NOT_FOUND, "neither XDG_CONFIG_HOME nor HOME is set");
    if (make)
        TRY(fd_make_dirs(path, 0700, err));
    return fd_open_dir(AT_FDCWD, path, err);
}

/* Held until the descriptor is closed. */
static int lock_folder(int dir_fd, struct err *err)
{
    int fd = openat(dir_fd, "login.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        err_sys(err, "cannot lock the sign-in");
    else
        return fd;
    fd_close(&fd);
    return -1;
}

static int parse(struct span text, struct login *out, struct err *err)
{
    CLEANUP_JSON json_t *file = NULL;

    TRY(codec_json_parse(text, file_name, &file, err));
    *out = (struct login){
        .server = mem_strdup(codec_json_text(file, "server", "")),
        .ca_pem = mem_strdup(codec_json_text(file, "ca", "")),
        .token_url = mem_strdup(codec_json_text(file, "tokenURL", "")),
        .revoke_url = mem_strdup(codec_json_text(file, "revokeURL", "")),
        .access_token = mem_strdup(codec_json_text(file, "accessToken", "")),
        .refresh_token = mem_strdup(codec_json_text(file, "refreshToken", "")),
        .expires_at = json_integer_value(json_object_get(file, "expiresAt")),
    };
    return 0;
}

/* 1, or 0 when there is none. */
static int read_file(int dir_fd, struct login *out, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(LOGIN_MAX);

    if (fd_read_file(dir_fd, file_name, &text, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    TRY(parse(buf_span(&text), out, err));
    return 1;
}

static int write_file(int dir_fd, const struct login *login, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(LOGIN_MAX);
    CLEANUP_JSON json_t *file =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "server", login->server, "ca",
                  login->ca_pem, "tokenURL", login->token_url, "revokeURL", login->revoke_url,
                  "accessToken", login->access_token, "refreshToken", login->refresh_token,
                  "expiresAt", (json_int_t)login->expires_at);

    if (file == NULL)
        return err_set(err, ERR_INVALID, "the platform's tokens are not UTF-8");
    codec_json_put_pretty(file, &text);
    TRY(buf_check(&text, "the sign-in", err));
    return fd_replace_file(dir_fd, file_name, 0600, buf_span(&text), false, err);
}

int login_save(const struct login *login, struct err *err)
{
    CLEANUP_FD int dir_fd = open_folder(true, err);
    TRY(dir_fd);
    CLEANUP_FD int lock_fd = lock_folder(dir_fd, err);
    TRY(lock_fd);

    return write_file(dir_fd, login, err);
}

/* ------------------------------------------------------------------ OAuth */

static void put_escaped(const char *text, struct buf *out)
{
    for (const char *c = text; *c != '\0'; c++)
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            strchr("-._~", *c) != NULL)
            buf_put_u8(out, (uint8_t)*c);
        else
            buf_printf(out, "%%%02X", (unsigned)(uint8_t)*c);
}

void login_put_form(const char *const *form, struct buf *out)
{
    for (size_t i = 0; form[i] != NULL; i += 2) {
        buf_put_str(out, i > 0 ? "&" : "");
        put_escaped(form[i], out);
        buf_put_u8(out, '=');
        put_escaped(form[i + 1], out);
    }
}

static int post(const struct login *login, const char *url, const char *const *form,
                struct fetch_answer *got, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(LOGIN_MAX);
    CLEANUP(fetch_free_ptr) struct fetch *fetch = NULL;
    struct fetch_options options = {.ca_pem = span_str(login->ca_pem), .timeout_ms = TIMEOUT_MS};

    login_put_form(form, &body);
    TRY(buf_check(&body, "the form", err));
    struct fetch_request request = {
        .method = "POST", .url = url, .headers = headers, .body = buf_span(&body)};
    TRY(fetch_new(&options, &fetch, err));
    return fetch_run(fetch, &request, got, err);
}

int login_ask(const struct login *login, const char *url, const char *const *form, unsigned *status,
              json_t **answer, struct err *err)
{
    CLEANUP(fetch_answer_free) struct fetch_answer got = FETCH_ANSWER_INIT;

    TRY(post(login, url, form, &got, err));
    *status = got.status;
    return codec_json_parse(buf_span(&got.body), "the platform's answer", answer, err);
}

int login_post(const struct login *login, const char *url, const char *const *form, json_t **answer,
               struct err *err)
{
    CLEANUP(fetch_answer_free) struct fetch_answer got = FETCH_ANSWER_INIT;

    TRY(post(login, url, form, &got, err));
    if (got.status >= 400)
        return client_refusal(got.status, buf_span(&got.body), err);
    if (answer == NULL)
        return 0;
    return codec_json_parse(buf_span(&got.body), "the token endpoint's answer", answer, err);
}

static void replace(char **place, const char *text)
{
    if (*place != NULL)
        mem_wipe(*place, strlen(*place));
    free(*place);
    *place = mem_strdup(text);
}

int login_take_tokens(struct login *login, const json_t *answer, struct err *err)
{
    const char *access = codec_json_text(answer, "access_token", NULL);
    const char *refresh = codec_json_text(answer, "refresh_token", NULL);

    if (access == NULL)
        return err_set(err, ERR_INVALID, "the token endpoint's answer has no access_token");
    replace(&login->access_token, access);
    if (refresh != NULL)
        replace(&login->refresh_token, refresh);
    login->expires_at =
        clock_wall_sec() + json_integer_value(json_object_get(answer, "expires_in"));
    return 0;
}

static bool is_fresh(const struct login *login)
{
    return login->expires_at > clock_wall_sec() + LOGIN_EARLY_SEC;
}

static int refresh(int dir_fd, struct login *login, struct err *err)
{
    CLEANUP_JSON json_t *answer = NULL;
    const char *const form[] = {"grant_type",
                                "refresh_token",
                                "refresh_token",
                                login->refresh_token,
                                "client_id",
                                LOGIN_CLIENT_ID,
                                NULL};

    if (login->refresh_token[0] == '\0')
        return err_set(err, ERR_UNAUTHENTICATED,
                       "the sign-in has ended; `drun login` makes a new one");
    if (login_post(login, login->token_url, form, &answer, err) < 0) {
        if (err->code != ERR_INVALID && err->code != ERR_UNAUTHENTICATED)
            return -1;
        return err_set(err, ERR_UNAUTHENTICATED,
                       "the sign-in has ended or was revoked; `drun login` makes a new one");
    }
    TRY(login_take_tokens(login, answer, err));
    return write_file(dir_fd, login, err);
}

bool login_is_of(const struct login *login, const char *server)
{
    size_t len = strlen(server);

    while (len > 0 && server[len - 1] == '/')
        len--;
    return strlen(login->server) == len && strncmp(login->server, server, len) == 0;
}

/* Read again under the lock: another command may have refreshed it meanwhile. */
static int load_fresh(int dir_fd, const char *server, struct login *out, struct err *err)
{
    int found = read_file(dir_fd, out, err);

    if (found > 0 && server != NULL && !login_is_of(out, server)) {
        login_free(out);
        return 0;
    }
    if (found <= 0 || is_fresh(out))
        return found;
    login_free(out);
    CLEANUP_FD int lock_fd = lock_folder(dir_fd, err);
    TRY(lock_fd);
    found = read_file(dir_fd, out, err);
    if (found > 0 && !is_fresh(out))
        TRY(refresh(dir_fd, out, err));
    return found;
}

/* -1 in the descriptor when there is no folder yet, which is no error. */
static int find_folder(int *out_fd, struct err *err)
{
    *out_fd = open_folder(false, err);
    if (*out_fd >= 0)
        return 0;
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    return 0;
}

int login_load(const char *server, struct login *out, struct err *err)
{
    CLEANUP_FD int dir_fd = -1;

    TRY(find_folder(&dir_fd, err));
    return dir_fd < 0 ? 0 : load_fresh(dir_fd, server, out, err);
}

int login_peek(struct login *out, struct err *err)
{
    CLEANUP_FD int dir_fd = -1;

    TRY(find_folder(&dir_fd, err));
    return dir_fd < 0 ? 0 : read_file(dir_fd, out, err);
}

int login_forget(bool *out_was_there, struct err *err)
{
    CLEANUP(login_free) struct login login = LOGIN_INIT;
    CLEANUP_FD int dir_fd = open_folder(true, err);
    TRY(dir_fd);
    CLEANUP_FD int lock_fd = lock_folder(dir_fd, err);
    TRY(lock_fd);

    int found = read_file(dir_fd, &login, err);
    *out_was_there = found > 0;
    TRY(found);
    if (unlinkat(dir_fd, file_name, 0) < 0 && found > 0)
        return err_sys(err, "cannot remove the sign-in");
    if (found == 0 || login.revoke_url[0] == '\0' || login.refresh_token[0] == '\0')
        return 0;
    const char *const form[] = {"token",
                                login.refresh_token,
                                "token_type_hint",
                                "refresh_token",
                                "client_id",
                                LOGIN_CLIENT_ID,
                                NULL};
    if (login_post(&login, login.revoke_url, form, NULL, err) < 0)
        return err_wrap(err, "signed out here, but the platform was not told");
    return 0;
}
