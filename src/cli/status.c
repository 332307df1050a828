/* SPDX-License-Identifier: Apache-2.0 */
/* drun status: which platform one speaks to, and its processes when it is on this machine. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/output.h"
#include "cli/seal_call.h"
#include "codec/json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const struct cli_option cli_status_options[] = {OUTPUT_OPTION, CLIENT_OPTIONS, {0}};

enum { PROC_FILE_MAX = 64 * 1024 };

/* ------------------------------------------------------------------ processes */

static int read_proc(pid_t pid, const char *name, struct buf *out)
{
    CLEANUP_FREE char *path = mem_printf("/proc/%d/%s", pid, name);
    struct err err = ERR_INIT;

    buf_reset(out);
    return fd_read_file(AT_FDCWD, path, out, &err);
}

/* "VmRSS:     1234 kB" */
static long long status_number(const struct buf *status, const char *name)
{
    const char *at = strstr(buf_text(status), name);

    return at == NULL ? 0 : strtoll(at + strlen(name), NULL, 10);
}

/* The argument behind "role", or "supervisor". */
static char *role_of(pid_t pid)
{
    CLEANUP(buf_free) struct buf command = BUF_INIT(PROC_FILE_MAX);

    if (read_proc(pid, "cmdline", &command) < 0 || command.len == 0)
        return NULL;
    const char *word = buf_text(&command);
    const char *end = word + command.len;
    for (bool behind_role = false; word < end; word += strlen(word) + 1) {
        if (behind_role)
            return mem_strdup(word);
        behind_role = strcmp(word, "role") == 0;
    }
    return NULL;
}

static void add_process(pid_t pid, const char *name, json_t *out)
{
    CLEANUP(buf_free) struct buf status = BUF_INIT(PROC_FILE_MAX);

    if (read_proc(pid, "status", &status) < 0)
        return;
    json_array_append_new(out,
                          json_pack("{s:s, s:i, s:I, s:I, s:b}", "name", name, "pid", (int)pid,
                                    "uid", (json_int_t)status_number(&status, "\nUid:"),
                                    "residentKiB", (json_int_t)status_number(&status, "\nVmRSS:"),
                                    "seccomp", status_number(&status, "\nSeccomp:") == 2));
}

/* The supervisor, its children, and theirs (nginx' workers). */
static void add_tree(pid_t pid, const char *parent, json_t *out)
{
    CLEANUP(buf_free) struct buf children = BUF_INIT(PROC_FILE_MAX);
    CLEANUP_FREE char *file = mem_printf("task/%d/children", pid);
    CLEANUP_FREE char *role = role_of(pid);
    const char *name = role != NULL ? role : parent;
    char *at;

    add_process(pid, name, out);
    if (read_proc(pid, file, &children) < 0 || children.len == 0)
        return;
    for (char *text = (char *)children.data; *text != '\0'; text = at) {
        pid_t child = (pid_t)strtol(text, &at, 10);
        if (at == text)
            return;
        add_tree(child, name, out);
        at += strspn(at, " ");
    }
}

/* ------------------------------------------------------------------ the platform */

static char *instance_of(const char *data_dir)
{
    CLEANUP_FREE char *path = mem_printf("%s/instance", data_dir);
    CLEANUP(buf_free) struct buf text = BUF_INIT(256);
    struct err err = ERR_INIT;

    if (fd_read_file(AT_FDCWD, path, &text, &err) < 0)
        return NULL;
    const char *id = strchr(buf_text(&text), '\n');
    return id == NULL ? NULL : mem_strndup(id + 1, strcspn(id + 1, "\n"));
}

/* "state", and of a sealed platform since when and why. Another user may not ask. */
static void add_state(const char *data_dir, json_t *out)
{
    struct sealing_status status;
    struct err err = ERR_INIT;
    char since[CLOCK_TEXT_SIZE];

    if (seal_call_status(data_dir, &status, &err) < 0)
        return;
    json_object_set_new(out, "state", json_string(sealing_state_name(status.state)));
    if (status.state != SEALING_STATE_SEALED)
        return;
    clock_format_sec((int64_t)status.since_sec, since);
    json_object_set_new(out, "sealedSince", json_string(since));
    json_object_set_new(out, "sealed", json_string(status.why));
}

static void add_local(const struct client_options *options, json_t *out)
{
    const char *data_dir = local_data_dir(options->data_dir);
    CLEANUP_FREE char *instance = instance_of(data_dir);
    pid_t supervisor = local_supervisor(data_dir);
    json_t *processes = json_array();

    add_state(data_dir, out);
    if (supervisor != 0)
        add_tree(supervisor, "supervisor", processes);
    json_object_set_new(out, "dataDir", json_string(data_dir));
    if (instance != NULL)
        json_object_set_new(out, "instance", json_string(instance));
    json_object_set_new(out, "processes", processes);
}

/* Who the platform takes us for (authentication.k8s.io/v1 SelfSubjectReview). */
static void add_user(struct client *client, json_t *out)
{
    CLEANUP_JSON json_t *review = json_pack("{s:s, s:s}", "apiVersion", "authentication.k8s.io/v1",
                                            "kind", "SelfSubjectReview");
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;

    if (client_json(client, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review,
                    NULL, &answer, &err) == 0)
        json_object_set(out, "user", codec_json_at(answer, "status", "userInfo", NULL));
}

static int add_server(const struct client_options *options, json_t *out, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP_JSON json_t *version = NULL;

    TRY(client_open(options, &client, err));
    json_object_set_new(out, "server", json_string(client_server(client)));
    TRY(client_json(client, "GET", "/version", NULL, NULL, &version, err));
    json_object_set(out, "version", json_object_get(version, "gitVersion"));
    add_user(client, out);
    return 0;
}

static void print_fact(const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        printf("%-12s %s\n", name, value);
}

static void print_processes(const json_t *processes)
{
    CLEANUP_JSON json_t *header =
        json_pack("[s, s, s, s, s]", "PROCESS", "PID", "UID", "RESIDENT", "SECCOMP");
    CLEANUP_JSON json_t *rows = json_array();
    const json_t *process;
    long long sum = 0;
    size_t i;

    json_array_foreach (processes, i, process) {
        long long kib = json_integer_value(json_object_get(process, "residentKiB"));
        sum += kib;
        json_array_append_new(
            rows,
            json_pack("[s, o, o, o, s]", codec_json_text(process, "name", ""),
                      json_sprintf("%lld", json_integer_value(json_object_get(process, "pid"))),
                      json_sprintf("%lld", json_integer_value(json_object_get(process, "uid"))),
                      json_sprintf("%.1f MiB", (double)kib / 1024),
                      json_is_true(json_object_get(process, "seccomp")) ? "filtered" : "-"));
    }
    if (json_array_size(rows) == 0)
        return;
    printf("\n");
    output_table(header, rows);
    if (json_array_size(rows) > 1)
        printf("\n%zu processes, %.1f MiB resident, pages that they share counted in each\n",
               json_array_size(rows), (double)sum / 1024);
}

static void print_status(const json_t *status)
{
    print_fact("server", codec_json_text(status, "server", "not reached"));
    print_fact("state", codec_json_text(status, "state", ""));
    print_fact("since", codec_json_text(status, "sealedSince", ""));
    print_fact("sealed", codec_json_text(status, "sealed", ""));
    print_fact("version", codec_json_text(status, "version", ""));
    print_fact("user", codec_json_text(json_object_get(status, "user"), "username", ""));
    print_fact("data", codec_json_text(status, "dataDir", ""));
    print_fact("instance", codec_json_text(status, "instance", ""));
    print_processes(json_object_get(status, "processes"));
}

static void take(void *ctx, const struct cli_args *args)
{
    (void)client_take_option(ctx, args);
}

int cli_status(int argc, char **argv)
{
    struct client_options options = CLIENT_OPTIONS_INIT;
    struct cli_args args = cli_args_of("status", argc, argv);
    CLEANUP_JSON json_t *status = json_object();
    struct err err = ERR_INIT;
    struct err format = ERR_INIT;

    enum cli_exit read = cli_read(&args, take, &options, NULL, 0);
    if (read != CLI_OK)
        return read;
    int reached = add_server(&options, status, &err);
    if (options.server == NULL && getenv("DRUN_SERVER") == NULL &&
        local_supervisor(local_data_dir(options.data_dir)) != 0)
        add_local(&options, status);
    if (strcmp(options.output, "table") == 0)
        print_status(status);
    else if (output_object(status, options.output, &format) < 0)
        return cli_fail(&format);
    return reached < 0 ? cli_fail(&err) : CLI_OK;
}
