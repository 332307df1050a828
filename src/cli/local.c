/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local.h"

#include "base/fd.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/seal_call.h"
#include "codec/json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { FILE_MAX = 256 * 1024, OPERATOR_TIMEOUT_MS = 10000 };

const char *local_data_dir(const char *option)
{
    const char *data_dir = option != NULL ? option : getenv("DRUN_DATA");

    return data_dir != NULL ? data_dir : "/var/lib/drun";
}

static int read_line(const char *path, char **out, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(FILE_MAX);

    TRY(fd_read_file(AT_FDCWD, path, &text, err));
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    *out = mem_strdup(buf_text(&text));
    return 0;
}

/* It does not run, or it has no address at the moment. */
static int why_not_ready(const char *data_dir, struct err *err)
{
    struct sealing_status status;
    struct err unasked = ERR_INIT;

    if (seal_call_status(data_dir, &status, &unasked) < 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "the platform on %s does not run; start it with `drun up --data %s`",
                       data_dir, data_dir);
    if (status.state == SEALING_STATE_SEALED)
        return err_set(err, ERR_UNAVAILABLE,
                       "the platform on %s is sealed (%s); `drun unseal --data %s` opens it",
                       data_dir, status.why, data_dir);
    return err_set(err, ERR_UNAVAILABLE, "the platform on %s is %s; try again in a moment",
                   data_dir, sealing_state_name(status.state));
}

int local_find(const char *data_dir, struct local *out, struct err *err)
{
    CLEANUP_FREE char *run_file = mem_printf("%s/run", data_dir);

    out->data_dir = mem_strdup(data_dir);
    if (read_line(run_file, &out->run_dir, err) < 0)
        return err_wrap(err, "no platform has run on %s; say which one with --server or --data",
                        data_dir);
    CLEANUP_FREE char *endpoint = mem_printf("%s/endpoint", out->run_dir);
    CLEANUP_FREE char *ca = mem_printf("%s/gateway/ca.pem", out->run_dir);
    if (read_line(endpoint, &out->server, err) == 0 && read_line(ca, &out->ca_pem, err) == 0)
        return 0;
    if (err->code == ERR_DENIED)
        return err_wrap(err, "the platform on %s is another user's; sign in with `drun login`",
                        data_dir);
    return why_not_ready(data_dir, err);
}

void local_free(struct local *local)
{
    free(local->data_dir);
    free(local->run_dir);
    free(local->server);
    free(local->ca_pem);
    *local = (struct local){0};
}

int local_ask(const struct local *local, const char *path, json_t **out, struct err *err)
{
    CLEANUP_FREE char *socket = mem_printf("%s/operator.sock", local->run_dir);
    CLEANUP_FREE char *url = mem_printf("http://operator%s", path);
    CLEANUP(fetch_free_ptr) struct fetch *fetch = NULL;
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct fetch_options options = {.unix_socket = socket, .timeout_ms = OPERATOR_TIMEOUT_MS};
    struct fetch_request request = {.method = "POST", .url = url};

    TRY(fetch_new(&options, &fetch, err));
    if (fetch_run(fetch, &request, &answer, err) < 0)
        return err_wrap(err, "the operator's socket");
    if (answer.status == 401 || answer.status == 403)
        return err_set(err, ERR_DENIED,
                       "the platform does not take you for its operator; run this as root or as "
                       "the user who started it");
    if (answer.status >= 400)
        return client_refusal(answer.status, buf_span(&answer.body), err);
    return codec_json_parse(buf_span(&answer.body), "the operator socket's answer", out, err);
}

/* A line of /proc/locks: "1: FLOCK  ADVISORY  WRITE 4711 fe:01:131074 0 EOF". */
static pid_t holder_in(const char *line, const struct stat *lock)
{
    static const char mode[] = "WRITE ";
    char file[64];

    snprintf(file, sizeof(file), " %02x:%02x:%lu ", major(lock->st_dev), minor(lock->st_dev),
             (unsigned long)lock->st_ino);
    const char *pid = strstr(line, mode);
    if (strstr(line, "FLOCK") == NULL || pid == NULL || strstr(line, file) == NULL)
        return 0;
    return (pid_t)strtol(pid + strlen(mode), NULL, 10);
}

pid_t local_supervisor(const char *data_dir)
{
    CLEANUP_FREE char *path = mem_printf("%s/lock", data_dir);
    struct stat lock;
    char line[256];
    pid_t pid = 0;

    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return 0;
    if (stat(path, &lock) == 0)
        while (pid == 0 && fgets(line, sizeof(line), locks) != NULL)
            pid = holder_in(line, &lock);
    fclose(locks);
    return pid;
}
