/* SPDX-License-Identifier: Apache-2.0 */
/* drun posture: every control and its live proof. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/posture_view.h"
#include "codec/json.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

const struct cli_option cli_posture_options[] = {
    {"--run", NULL, "prove every control now, and wait for it"},
    {"-v", NULL, "with the evidence"},
    {"--strict", NULL, "a degraded control is a failure too"},
    {"--timeout", "SEC", "how long to wait for the proofs (default: 180)"},
    OUTPUT_OPTION,
    CLIENT_OPTIONS,
    {0}};

#define CONTROLS "/apis/drun.io/v1/controls"

enum { POLL_MS = 250, TIMEOUT_SEC = 180 };

struct request {
    struct client_options options;
    const char *control;
    const char *timeout;
    bool run;
    bool evidence;
    bool strict;
};

static int fetch_controls(struct client *client, const char *name, json_t **out, struct err *err)
{
    CLEANUP_FREE char *path =
        mem_printf("%s?fieldSelector=metadata.name%%3D%s", CONTROLS, name == NULL ? "" : name);

    TRY(client_json(client, "GET", name == NULL ? CONTROLS : path, NULL, NULL, out, err));
    if (name != NULL && json_array_size(json_object_get(*out, "items")) == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no control \"%s\"; `drun posture` lists them",
                       name);
    return 0;
}

/* ------------------------------------------------------------------ running the proofs */

static void say_progress(size_t done, size_t total, const char *next)
{
    static bool said;

    if (!isatty(STDERR_FILENO) || (done == total && !said))
        return;
    said = true;
    if (done == total)
        fprintf(stderr, "\r\033[K");
    else
        fprintf(stderr, "\r\033[Kproving %s, %zu of %zu done", next, done, total);
    fflush(stderr);
}

static int wait_for(struct client *client, const struct request *request, const json_t *before,
                    const json_t *started, json_t **out, struct err *err)
{
    uint64_t timeout_sec = TIMEOUT_SEC;
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    const char *next;

    if (request->timeout != NULL)
        TRY(num_parse_u64(span_str(request->timeout), 1, 86400, "--timeout", &timeout_sec, err));
    for (uint64_t began = clock_mono_ns();;) {
        json_decref(*out);
        *out = NULL;
        TRY(fetch_controls(client, request->control, out, err));
        size_t done = posture_renewed(before, *out, started, &next);
        say_progress(done, json_array_size(started), next);
        if (done == json_array_size(started))
            return 0;
        if (clock_mono_ns() - began > timeout_sec * 1000000000ULL)
            return err_set(err, ERR_TIMEOUT, "the proof of %s did not end within %u s", next,
                           (unsigned)timeout_sec);
        nanosleep(&pause, NULL);
    }
}

static int run_proofs(struct client *client, const struct request *request, json_t **controls,
                      struct err *err)
{
    CLEANUP_FREE char *path =
        mem_printf("%s/%s/probe", CONTROLS, request->control == NULL ? "all" : request->control);
    CLEANUP_JSON json_t *before = json_incref(*controls);
    CLEANUP_JSON json_t *answer = NULL;

    TRY(client_json(client, "POST", path, NULL, NULL, &answer, err));
    return wait_for(client, request, before, json_object_get(answer, "started"), controls, err);
}

/* ------------------------------------------------------------------ the command */

static int posture(const struct request *request, bool *good, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP_JSON json_t *controls = NULL;
    struct posture_count count;

    TRY(client_open(&request->options, &client, err));
    TRY(fetch_controls(client, request->control, &controls, err));
    if (request->run)
        TRY(run_proofs(client, request, &controls, err));
    posture_tally(controls, &count);
    *good = count.failed == 0 && (!request->strict || count.degraded == 0);
    if (strcmp(request->options.output, "table") != 0)
        return output_object(controls, request->options.output, err);
    posture_print(controls, request->evidence, clock_wall_sec());
    return 0;
}

static void take(void *ctx, const struct cli_args *args)
{
    struct request *request = ctx;

    if (client_take_option(&request->options, args))
        return;
    if (strcmp(args->option, "--run") == 0)
        request->run = true;
    else if (strcmp(args->option, "-v") == 0)
        request->evidence = true;
    else if (strcmp(args->option, "--strict") == 0)
        request->strict = true;
    else
        request->timeout = args->value;
}

int cli_posture(int argc, char **argv)
{
    struct request request = {.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of("posture", argc, argv);
    const char *control[1];
    struct err err = ERR_INIT;
    bool good = false;

    enum cli_exit read = cli_read(&args, take, &request, control, ARRAY_LEN(control));
    if (read != CLI_OK)
        return read;
    CLEANUP_FREE char *name = control[0] == NULL ? NULL : output_lower(control[0]);
    request.control = name;
    if (posture(&request, &good, &err) < 0)
        return cli_fail(&err);
    return good ? CLI_OK : CLI_FAILED;
}
