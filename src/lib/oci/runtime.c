/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/runtime_internal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "oci/run.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGS_MAX = 64, OUTPUT_MAX = 64 * 1024, TIMEOUT_MS = 10000, ID_RANGE = 16 };

void oci_runtime_free(struct oci_runtime *runtime)
{
    if (runtime == NULL)
        return;
    free(runtime->program);
    free(runtime->state_dir);
    free(runtime->cgroup);
    free(runtime);
}

const char *oci_runtime_name(const struct oci_runtime *runtime)
{
    return runtime->name;
}

bool oci_runtime_limits(const struct oci_runtime *runtime, const char **out_why_not)
{
    *out_why_not = runtime->why_no_limits;
    return runtime->limits;
}

void oci_runtime_fit(const struct oci_runtime *runtime, unsigned slot, struct oci_sandbox *sandbox,
                     char **out_cgroup)
{
    bool root = geteuid() == 0;
    uint32_t outside = runtime->outside_id + slot * ID_RANGE;

    sandbox->uids = (struct oci_map){0, root ? outside : geteuid(), root ? 2 : 1};
    sandbox->gids = (struct oci_map){0, root ? outside : getegid(), root ? 2 : 1};
    sandbox->uid = root ? 1 : 0;
    sandbox->gid = sandbox->uid;
    *out_cgroup = runtime->limits ? mem_printf("%s/%s", runtime->cgroup, sandbox->id) : NULL;
    sandbox->cgroup = *out_cgroup;
}

/* ------------------------------------------------------------------ commands */

/* The runtime's options, then `words` up to NULL, then `more` up to NULL. Returns its exit status.
 */
static int command(struct oci_runtime *runtime, const char *const *words, const char *const *more,
                   int output_fd, struct buf *output, struct err *err)
{
    const char *argv[ARGS_MAX] = {runtime->program, "--root", runtime->state_dir};
    struct oci_run run = {.argv = argv, .output_fd = output_fd, .timeout_ms = TIMEOUT_MS};
    size_t count = 3;

    for (const char *const *option = runtime->options; *option != NULL; option++)
        argv[count++] = *option;
    for (; *words != NULL; words++)
        argv[count++] = *words;
    for (; more != NULL && *more != NULL; more++) {
        if (count == ARGS_MAX - 1)
            return err_set(err, ERR_TOO_LARGE, "a command for %s is too long", runtime->name);
        argv[count++] = *more;
    }
    return oci_run(&run, output, err);
}

/* The last line tells why; the runtimes' own prefixes stay, because they name the step. */
static int refused(const struct oci_runtime *runtime, const char *what, int status,
                   const struct buf *output, struct err *err)
{
    CLEANUP_FREE char *text = mem_strdup(buf_text(output));
    size_t len = strlen(text);

    while (len > 0 && (uint8_t)text[len - 1] <= ' ')
        text[--len] = '\0';
    const char *line = strrchr(text, '\n') != NULL ? strrchr(text, '\n') + 1 : text;
    return err_set(err, ERR_UNAVAILABLE, "%s %s ended with status %d: %.250s", runtime->name, what,
                   status, line);
}

/* A command that says nothing when it succeeds. */
static int order(struct oci_runtime *runtime, const char *const *words, struct err *err)
{
    CLEANUP(buf_free) struct buf output = BUF_INIT(OUTPUT_MAX);
    int status = command(runtime, words, NULL, -1, &output, err);

    TRY(status);
    return status != 0 ? refused(runtime, words[0], status, &output, err) : 0;
}

static int read_pid(const char *path, pid_t *out, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(32);
    uint64_t pid;

    TRY(fd_read_file(AT_FDCWD, path, &text, err));
    struct span digits = buf_span(&text);
    while (digits.len > 0 && digits.p[digits.len - 1] == '\n')
        digits.len--;
    TRY(num_parse_u64(digits, 2, INT32_MAX, "the sandbox's process id", &pid, err));
    *out = (pid_t)pid;
    return 0;
}

int oci_create(struct oci_runtime *runtime, const char *id, const char *bundle, int output_fd,
               pid_t *out_pid, struct err *err)
{
    CLEANUP_FREE char *pid_file = mem_printf("%s/pid", bundle);
    const char *const words[] = {"create", "--bundle", bundle, "--pid-file", pid_file, id, NULL};
    int status = command(runtime, words, NULL, output_fd, NULL, err);

    TRY(status);
    if (status != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s create ended with status %d", runtime->name,
                       status);
    return read_pid(pid_file, out_pid, err);
}

int oci_start(struct oci_runtime *runtime, const char *id, struct err *err)
{
    return order(runtime, (const char *const[]){"start", id, NULL}, err);
}

int oci_kill(struct oci_runtime *runtime, const char *id, int signo, struct err *err)
{
    CLEANUP_FREE char *number = mem_printf("%d", signo);

    return order(runtime, (const char *const[]){"kill", id, number, NULL}, err);
}

int oci_state(struct oci_runtime *runtime, const char *id, enum oci_status *out, struct err *err)
{
    static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};
    CLEANUP(buf_free) struct buf output = BUF_INIT(OUTPUT_MAX);
    CLEANUP_JSON json_t *state = NULL;
    const char *const words[] = {"state", id, NULL};
    CLEANUP_FREE char *notes = mem_printf("%s/%s", runtime->state_dir, id);

    *out = OCI_MISSING;
    if (access(notes, F_OK) < 0)
        return 0;
    int status = command(runtime, words, NULL, -1, &output, err);
    TRY(status);
    if (status != 0)
        return refused(runtime, "state", status, &output, err);
    TRY(codec_json_parse(buf_span(&output), "the sandbox's state", &state, err));
    const char *name = codec_json_text(state, "status", "");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            *out = (enum oci_status)i;
    return 0;
}

int oci_delete(struct oci_runtime *runtime, const char *id, struct err *err)
{
    CLEANUP_FREE char *notes = mem_printf("%s/%s", runtime->state_dir, id);

    if (access(notes, F_OK) < 0)
        return 0;
    return order(runtime, (const char *const[]){"delete", "--force", id, NULL}, err);
}

int oci_exec(struct oci_runtime *runtime, const char *id, const char *const *args,
             struct buf *output, struct err *err)
{
    return command(runtime, (const char *const[]){"exec", id, NULL}, args, -1, output, err);
}

static void dir_close(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

int oci_delete_all(struct oci_runtime *runtime, struct err *err)
{
    CLEANUP(dir_close) DIR *dir = opendir(runtime->state_dir);
    int count = 0;

    if (dir == NULL)
        return err_sys(err, "cannot read %s", runtime->state_dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        TRY(oci_delete(runtime, entry->d_name, err));
        count++;
    }
    return count;
}
