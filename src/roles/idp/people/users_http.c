/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What administrators do for users, beside the object itself:
 *
 *     GET, DELETE  /apis/drun.io/v1/users/NAME/factors        look; remove all of them
 *     GET, DELETE  /apis/drun.io/v1/users/NAME/sessions       look; end all of them and what was
 * issued POST         /apis/drun.io/v1/users/NAME/passwordlink   {"url"}: a one-time link for a new
 * password
 *
 * Each is a subresource for RBAC. Whoever could take an account over by that must have its groups
 * himself, or the right to impersonate them.
 */
#include "idp/factors/signin.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

#define PREFIX "/apis/drun.io/v1/users/"

struct task {
    struct idp *idp;
    struct serve_request *request;
    struct account account;
};

typedef void task_fn(struct task *task);

/* ------------------------------------------------------------------ tasks */

static void answer(struct task *task, const struct err *err)
{
    if (err->code != ERR_NONE)
        serve_answer_error(task->request, err);
    else
        reply_empty(task->request, 204);
}

static void show_factors(struct task *task)
{
    CLEANUP(factors_free) struct factors factors = {0};
    CLEANUP_JSON json_t *passkeys = NULL;
    struct err err = ERR_INIT;

    if (factors_load(task->idp, &task->account, &factors, &err) < 0 ||
        passkeys_list(task->idp, &task->account, &passkeys, &err) < 0) {
        serve_answer_error(task->request, &err);
        return;
    }
    CLEANUP_JSON json_t *body =
        json_pack("{s:o, s:I, s:O}", "factors", factor_names(factors.have), "recoveryCodesLeft",
                  (json_int_t)factors_recovery_left(&factors), "passkeys", passkeys);
    reply_json(task->request, 200, body);
}

static void drop_factors(struct task *task)
{
    struct err err = ERR_INIT;

    task->request->event.event = span_str("drun.auth.factors.reset");
    /* Who held them has no business in a session any more. */
    if (factors_drop_all(task->idp, task->account.name, &err) == 0 &&
        account_sign_out(task->idp, task->account.name, &err) == 0)
        err_clear(&err);
    answer(task, &err);
}

static void show_sessions(struct task *task)
{
    CLEANUP_JSON json_t *items = NULL;
    struct err err = ERR_INIT;

    if (sessions_of(task->idp, &task->account, "", &items, &err) < 0) {
        serve_answer_error(task->request, &err);
        return;
    }
    CLEANUP_JSON json_t *body = json_pack("{s:O}", "items", items);
    reply_json(task->request, 200, body);
}

static void end_sessions(struct task *task)
{
    struct err err = ERR_INIT;

    task->request->event.event = span_str(AUDIT_LOGOUT);
    if (account_sign_out(task->idp, task->account.name, &err) == 0)
        err_clear(&err);
    answer(task, &err);
}

static void make_link(struct task *task)
{
    char url[IDP_URL_SIZE];
    struct err err = ERR_INIT;

    task->request->event.event = span_str("drun.auth.passwordlink");
    if (link_renew(task->idp, task->account.name, task->account.uid, IDP_LINK_SEC, url, &err) < 0) {
        serve_answer_error(task->request, &err);
        return;
    }
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "url", url);
    mem_wipe(url, sizeof(url));
    reply_json(task->request, 201, body);
}

static const struct row {
    const char *method, *subresource, *verb;
    task_fn *run;
    bool changes;
} rows[] = {
    {"GET", "factors", "get", show_factors, false},
    {"DELETE", "factors", "delete", drop_factors, true},
    {"GET", "sessions", "get", show_sessions, false},
    {"DELETE", "sessions", "delete", end_sessions, true},
    {"POST", "passwordlink", "create", make_link, true},
};

/* ------------------------------------------------------------------ may he? */

static int check_rank(struct task *task, struct err *err)
{
    struct idp_caller caller;

    idp_caller_of(task->request->principal, &caller);
    return rank_check(task->idp, &caller.who, task->account.name, task->account.groups, err);
}

/* A disabled user can be looked after, too. */
static int load(struct task *task, const char *name, struct err *err)
{
    return account_load_any(task->idp, name, &task->account, err);
}

static void run(struct task *task, const struct row *row, const struct serve_action *action)
{
    struct err err = ERR_INIT;

    if (serve_authenticate(task->request) < 0 || !serve_authorize(task->request, action))
        return;
    if (row->changes && !serve_step_up(task->request))
        return;
    if (load(task, action->name, &err) < 0 || (row->changes && check_rank(task, &err) < 0)) {
        serve_answer_error(task->request, &err);
        return;
    }
    row->run(task);
}

bool users_route(struct idp *idp, struct serve_request *request)
{
    const char *path = request->http->path;
    struct serve_action action = {
        .verb = "", .group = "drun.io", .resource = "users", .namespace = ""};

    if (strncmp(path, PREFIX, strlen(PREFIX)) != 0)
        return false;
    path += strlen(PREFIX);
    const char *slash = strchr(path, '/');
    if (slash == NULL)
        return false;
    action.name = arena_copy(request->http->arena, span_of(path, (size_t)(slash - path)));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(slash + 1, rows[i].subresource) != 0 ||
            strcmp(request->http->method, rows[i].method) != 0)
            continue;
        struct task task = {.idp = idp, .request = request};
        action.verb = rows[i].verb;
        action.subresource = rows[i].subresource;
        if (action.name == NULL || kube_format_check(KUBE_DNS_SUBDOMAIN, action.name) != NULL)
            return false;
        run(&task, &rows[i], &action);
        account_free(&task.account);
        return true;
    }
    return false;
}
