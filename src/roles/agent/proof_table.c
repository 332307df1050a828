/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/proof_table.h"

#include "agent/audit_file.h"
#include "agent/bans.h"
#include "agent/job.h"
#include "agent/scan.h"
#include "agent/service.h"
#include "base/clock.h"
#include "base/mem.h"
#include "wire/bans.h"
#include "wire/proofs.h"

#include <string.h>

enum { SEARCH_MS = 8000 }; /* less than a caller waits */

static struct sandbox *pick(struct agent *agent, struct span body, struct err *err)
{
    CLEANUP_JSON json_t *question = NULL;
    struct sandbox *sandbox = NULL;

    if (body.len == 0) {
        sandbox = services_sandbox(agent->services, NULL);
    } else {
        if (codec_json_parse(body, "the question", &question, err) < 0)
            return NULL;
        struct service *service =
            services_find(agent->services, codec_json_text(question, "namespace", ""),
                          codec_json_text(question, "name", ""));
        sandbox = service == NULL ? NULL : services_sandbox(agent->services, service);
    }
    if (sandbox == NULL)
        err_set(err, ERR_NOT_FOUND, "no such engine runs now");
    return sandbox;
}

static int handle_probe(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct agent *agent = ctx;
    const char *const args[] = {sandbox_probe, "attack", NULL};
    CLEANUP(buf_free) struct buf output = BUF_INIT(64 * 1024);
    CLEANUP_JSON json_t *answer = NULL;
    struct sandbox *sandbox = pick(agent, request->body, err);

    if (sandbox == NULL)
        return -1;
    int status = sandbox_exec(sandbox, args, &output, err);
    TRY(status);
    if (status != 0)
        return err_set(err, ERR_UNAVAILABLE, "the probe ended with status %d: %.200s", status,
                       buf_text(&output));
    TRY(codec_json_parse(buf_span(&output), "the probe's answer", &answer, err));
    json_object_set_new(answer, "sandbox", json_string(sandbox_id(sandbox)));
    json_object_set_new(answer, "host", host_describe(agent->host));
    codec_json_put(answer, reply);
    return IPC_ANSWER;
}

static int handle_audit_file(void *ctx, struct ipc_request *request, struct buf *reply,
                             struct err *err)
{
    struct agent *agent = ctx;
    struct cursor cursor = cursor_of(request->body);
    uint32_t number = cursor_u32(&cursor);

    TRY(cursor_done(&cursor, "the question", err));
    request->reply_fds->fd[0] = audit_file_open(agent, number, reply, err);
    TRY(request->reply_fds->fd[0]);
    request->reply_fds->count = 1;
    return IPC_ANSWER;
}

/* ------------------------------------------------------------------ searching the disk */

struct search {
    struct agent *agent;
    struct ipc_ticket ticket;
    struct scan *scan;
    struct job *job;
    uint64_t deadline_ns;
};

static void search_free(struct search *search)
{
    search->agent->search = NULL;
    scan_free(search->scan);
    free(search);
}

void proofs_cancel(struct agent *agent)
{
    if (agent->search == NULL)
        return;
    job_cancel(agent->search->job);
    search_free(agent->search);
}

static bool is_over(void *ctx)
{
    const struct search *search = ctx;

    return job_cancelled(search->job) || clock_mono_ns() > search->deadline_ns;
}

static int run_search(struct job *job UNUSED, void *ctx, struct err *err)
{
    struct search *search = ctx;

    return scan_run(search->scan, is_over, search, err);
}

static void on_searched(void *ctx, const struct err *err)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(IPC_BODY_MAX);
    struct search *search = ctx;

    if (err != NULL) {
        ipc_reply_error(&search->ticket, err);
    } else {
        CLEANUP_JSON json_t *answer = scan_answer(search->scan);
        codec_json_put(answer, &reply);
        ipc_reply(&search->ticket, buf_span(&reply));
    }
    search_free(search);
}

/* In a thread: a data directory may be large, and engines want to be looked after meanwhile. */
static int handle_scan(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                       struct err *err)
{
    struct agent *agent = ctx;
    CLEANUP_JSON json_t *question = NULL;
    CLEANUP(scan_free_ptr) struct scan *scan = NULL;
    CLEANUP_FREE char *data_dir = mem_strdup(role_data_dir(agent->role));

    if (agent->search != NULL)
        return err_set(err, ERR_LIMITED, "one search at a time");
    TRY(codec_json_parse(request->body, "the question", &question, err));
    *strrchr(data_dir, '/') = '\0'; /* the folders of all roles */
    TRY(scan_new(data_dir, json_object_get(question, "needles"), &scan, err));
    struct search *search = mem_new(sizeof(*search));
    *search = (struct search){.agent = agent,
                              .ticket = request->ticket,
                              .scan = scan,
                              .deadline_ns = clock_mono_ns() + SEARCH_MS * 1000000ULL};
    scan = NULL;
    agent->search = search;
    if (job_start(role_loop(agent->role), run_search, on_searched, search, &search->job, err) < 0) {
        search_free(search);
        return -1;
    }
    return IPC_LATER;
}

static int handle_set_bans(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                           struct err *err)
{
    struct agent *agent = ctx;

    TRY(bans_set(agent->bans, (enum role_id)request->peer, request->body, err));
    return IPC_ANSWER;
}

/* ------------------------------------------------------------------ the table */

static const struct ipc_message messages[] = {
    {AGENT_PROBE_SANDBOX, "probe_sandbox", IPC_FROM(ROLE_POSTURE), 1024, 0, handle_probe},
    {AGENT_SCAN_FILES, "scan_files", IPC_FROM(ROLE_POSTURE), 16 * 1024, 0, handle_scan},
    {AGENT_AUDIT_FILE, "audit_file", IPC_FROM(ROLE_POSTURE), 4, 0, handle_audit_file},
    {AGENT_SET_BANS, "set_bans", ROLE_GATEWAYS, BANS_MAX *BANS_ENTRY_LEN, 0, handle_set_bans},
    {0},
};

const struct ipc_table agent_table = {.server = "agent", .messages = messages};
