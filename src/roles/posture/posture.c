/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: nothing of value; I attack the platform through its
 * front door and ask roles for what they must refuse. Who may speak to me: clients over HTTP on my
 * socket, behind the gateway, with their own credentials.
 */
#include "posture.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "fetch/fetch.h"
#include "log/log.h"
#include "role/control.h"
#include "role/settings.h"
#include "runner.h"
#include "serve/serve.h"

#include <unistd.h>

/* libcurl is loaded before the lock-down; the loopback listeners are reached over TCP. */
static const struct role_promises promises = {
    .promises = LOCKDOWN_FILES | LOCKDOWN_NET_INET | LOCKDOWN_NET_UNIX | LOCKDOWN_THREADS,
    .network = true,
};

enum { FIRST_RUN_MS = 1500 };

struct posture {
    struct role *role;
    struct kube_memory *memory;
    struct serve *serve;
    struct runner *runner;
};

static const struct kube_kind *const kinds[] = {&kube_control, NULL};

/* ------------------------------------------------------------------ the objects */

static char *name_of(const struct control *control)
{
    char *name = mem_strdup(control->id);

    for (char *c = name; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return name;
}

static int put_control(struct posture *posture, const struct control *control, json_t *status,
                       struct err *err)
{
    CLEANUP_FREE char *name = name_of(control);
    CLEANUP_JSON json_t *object = json_pack(
        "{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s, s:s}, s:o}", "apiVersion", "drun.io/v1", "kind",
        "Control", "metadata", "name", name, "spec", "id", control->id, "title", control->title,
        "titleZh", control->title_zh, "chapter", control->chapter, "status", status);

    INVARIANT(object != NULL);
    return kube_object_put(serve_kube(posture->serve), &kube_control, object, err);
}

static int put_result(struct posture *posture, const struct runner_result *result, struct err *err)
{
    char now[CLOCK_TEXT_SIZE];

    /* With its fraction: a proof that runs twice in a second must be seen to have run twice. */
    clock_format_ns(clock_wall_ns(), now);
    return put_control(posture, result->control,
                       json_pack("{s:s, s:s, s:s, s:I}", "verdict",
                                 proof_verdict_name(result->verdict), "evidence", result->evidence,
                                 "checkedAt", now, "durationMs", (json_int_t)result->duration_ms),
                       err);
}

/* The verdict before, or NULL. */
static char *verdict_of(struct posture *posture, const struct control *control)
{
    CLEANUP_FREE char *name = name_of(control);
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;

    if (kube_object_get(serve_kube(posture->serve), &kube_control, "", name, &object, &err) < 0)
        return NULL;
    const char *verdict = json_string_value(codec_json_at(object, "status", "verdict", NULL));
    return verdict == NULL ? NULL : mem_strdup(verdict);
}

static void record_change(struct posture *posture, const struct runner_result *result,
                          const char *before)
{
    CLEANUP_FREE char *reason = mem_printf("%s -> %s", before == NULL ? "not proved yet" : before,
                                           proof_verdict_name(result->verdict));
    struct audit_event event = {
        .time_ns = clock_wall_ns(),
        .event = span_str(AUDIT_CONTROL_CHANGED),
        .outcome = result->verdict == PROOF_FAILED ? AUDIT_FAILURE : AUDIT_SUCCESS,
        .actor = {.name = span_str("system:drun:posture"), .source = AUDIT_SOURCE_ROLE},
        .action = {.verb = span_str("probe"),
                   .api_group = span_str("drun.io"),
                   .resource = span_str("controls"),
                   .name = span_str(result->control->id)},
        .reason = span_str(reason),
    };

    serve_record(posture->serve, &event);
}

static void on_result(void *ctx, const struct runner_result *result)
{
    struct posture *posture = ctx;
    CLEANUP_FREE char *before = verdict_of(posture, result->control);
    struct err err = ERR_INIT;

    if (put_result(posture, result, &err) < 0)
        log_error("posture.control", &err);
    if (before == NULL || strcmp(before, proof_verdict_name(result->verdict)) != 0)
        record_change(posture, result, before);
    if (result->verdict == PROOF_FAILED)
        log_event(LOG_WARN, "posture.failed",
                  LOG_FIELDS(LOG_STR("control", result->control->id),
                             LOG_STR("evidence", result->evidence)));
}

/* ------------------------------------------------------------------ running */

/* Those of one control, or of all when it is NULL; `out` (may be NULL) gets their names as JSON. */
static void run(struct posture *posture, const struct control *one, struct buf *out)
{
    size_t count = 0;

    for (const struct control *control = controls; control->id != NULL; control++) {
        if (control->prove == NULL || (one != NULL && one != control))
            continue;
        runner_add(posture->runner, control);
        CLEANUP_FREE char *name = name_of(control);
        if (out != NULL)
            buf_printf(out, "%s\"%s\"", count++ > 0 ? "," : "", name);
    }
}

static void run_all(void *ctx)
{
    run(ctx, NULL, NULL);
}

static const struct control *find(const char *name, size_t len)
{
    for (const struct control *control = controls; control->id != NULL; control++) {
        CLEANUP_FREE char *own = name_of(control);
        if (strlen(own) == len && strncmp(own, name, len) == 0)
            return control;
    }
    return NULL;
}

/* POST /apis/drun.io/v1/controls/NAME/probe; NAME "all" runs every proof. Answers 202 at once with
 * the names of what it started: the result is the object's status, which can be watched. */
static bool on_route(void *ctx, struct serve_request *request)
{
    static const char prefix[] = "/apis/drun.io/v1/controls/";
    struct posture *posture = ctx;
    const char *path = request->http->path;
    const char *name = path + strlen(prefix);
    struct err err = ERR_INIT;

    if (strcmp(request->http->method, "POST") != 0 || strncmp(path, prefix, strlen(prefix)) != 0)
        return false;
    const char *end = strstr(name, "/probe");
    if (end == NULL || strcmp(end, "/probe") != 0)
        return false;
    struct span id = span_of(name, (size_t)(end - name));
    bool all = span_eq_str(id, "all");
    const struct control *control = all ? NULL : find(name, id.len);
    const struct serve_action action = {.verb = "probe",
                                        .group = "drun.io",
                                        .resource = "controls",
                                        .subresource = "",
                                        .namespace = "",
                                        .name = control != NULL ? control->id : ""};
    if (serve_authenticate(request) < 0 || !serve_authorize(request, &action))
        return true;
    if (!all && (control == NULL || control->prove == NULL)) {
        err_set(&err, ERR_NOT_FOUND, "there is no proof \"%.*s\"", SPAN_ARG(id));
        serve_answer_error(request, &err);
        return true;
    }
    buf_put_str(&request->answer->body, "{\"started\":[");
    run(posture, control, &request->answer->body);
    buf_put_str(&request->answer->body, "]}\n");
    serve_answer(request, 202, "application/json");
    return true;
}

/* ------------------------------------------------------------------ start */

static int put_absent(struct posture *posture, struct err *err)
{
    for (const struct control *control = controls; control->id != NULL; control++)
        TRY(put_control(posture, control,
                        json_pack("{s:s, s:s}", "verdict", "absent", "evidence",
                                  control->prove == NULL ? "there is no proof of it in this version"
                                                         : "not proved yet"),
                        err));
    return 0;
}

static int start(struct posture *posture, struct err *err)
{
    struct fetch_options options = {0};
    CLEANUP(fetch_free_ptr) struct fetch *loads_libcurl = NULL;
    struct serve_config config = {
        .role = posture->role, .kinds = kinds, .route = on_route, .ctx = posture};

    TRY(fetch_new(&options, &loads_libcurl, err));
    TRY(role_lock_down(posture->role, &promises, err));
    posture->memory = kube_memory_new();
    config.storage = kube_memory_storage(posture->memory);
    TRY(serve_new(&config, &posture->serve, err));
    return put_absent(posture, err);
}

static int begin(struct posture *posture, struct err *err)
{
    struct loop *loop = role_loop(posture->role);
    uint64_t period_ms = role_settings(posture->role)->posture_period_ms;

    TRY(runner_new(posture->role, on_result, posture, &posture->runner, err));
    return loop_add_timer(loop, FIRST_RUN_MS, period_ms, run_all, posture, NULL, err);
}

/* What cli_role() would do, for an end in the middle of a proof. */
static int finish(int result, const struct err *err)
{
    if (result == 0)
        return 0;
    log_error("role.failed", err);
    control_tell_failure(err);
    return 1;
}

int posture_main(struct role *role, struct err *err)
{
    struct posture posture = {.role = role};
    int result = start(&posture, err);

    if (result == 0)
        result = begin(&posture, err);
    if (result == 0)
        result = role_run(role, err);
    serve_free(posture.serve);
    kube_memory_free(posture.memory);
    /* A proof that is cut off begins anew at the next start, and clears away what it left; the role
     * has nothing that could be lost with it. */
    if (!runner_end(posture.runner))
        _exit(finish(result, err));
    return result;
}
