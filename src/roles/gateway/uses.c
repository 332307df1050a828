/* SPDX-License-Identifier: Apache-2.0 */
#include "uses.h"

#include "audit/audit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "limit/budget.h"
#include "log/log.h"
#include "role/settings.h"
#include "wire/orders.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 5000, RULES_MAX = 400, REASON_MAX = 400 };

/* What the parts of a label are; the gateway's workers write them (module/budgets.c). */
enum { NAMESPACE, UID, POLICY, RULE, MEASURE, WINDOW, SHARE, OWNER };

struct uses {
    struct role *role;
    struct limit_budgets *budgets;
    char *told; /* what api has; NULL: nothing for certain */
};

/* One look: the rules that are used, each with the owner who has used most. */
struct view {
    struct uses *uses;
    json_t *rules; /* "uid/policy/rule/measure/window/share": an entry of the message */
};

/* ------------------------------------------------------------------ alerts */

static const char *part(const struct limit_budget_use *use, int which)
{
    return (const char *)use->label[which].p;
}

static void raise_alert(struct uses *uses, const struct limit_budget_use *use)
{
    struct ipc_client *audit = role_peer(uses->role, ROLE_AUDIT);
    CLEANUP_FREE char *actor = mem_printf("system:drun:%s", role_name(role_self(uses->role)));
    bool is_cost = strcmp(part(use, MEASURE), "cost") == 0;
    bool has_owner = use->label[OWNER].len > 0;
    struct err err = ERR_INIT;
    char reason[REASON_MAX];
    char ends[CLOCK_TEXT_SIZE];

    clock_format_sec(use->ends_sec, ends);
    snprintf(reason, sizeof(reason),
             "%s: %u%% of %" PRIu64 " %s a %s are used%s%s (%" PRIu64 "); it begins anew at %s",
             part(use, RULE), use->alert, use->limit,
             is_cost ? "millionths of cost" : part(use, MEASURE), part(use, WINDOW),
             has_owner ? " by " : "", part(use, OWNER), use->settled + use->elsewhere, ends);
    struct audit_event event = {
        .time_ns = clock_wall_ns(),
        .event = span_str(AUDIT_BUDGET_ALERT),
        .outcome = AUDIT_SUCCESS,
        .actor = {.name = span_str(actor), .source = AUDIT_SOURCE_ROLE},
        .action = {.verb = span_str("watch"),
                   .api_group = span_str("drun.io"),
                   .resource = span_str("limitpolicies"),
                   .namespace = use->label[NAMESPACE],
                   .name = use->label[POLICY]},
        .reason = span_str(reason),
    };
    log_say(LOG_WARN, AUDIT_BUDGET_ALERT, "%s/%s: %s", part(use, NAMESPACE), part(use, POLICY),
            reason);
    /* What the log did not take is raised again at the next look. */
    if (audit_send(audit, &event, 1, &err) < 0)
        log_error("gateway.audit", &err);
    else
        limit_budget_noted(uses->budgets, use);
}

/* ------------------------------------------------------------------ what is told */

static json_int_t number(const json_t *entry, const char *name)
{
    return json_integer_value(json_object_get(entry, name));
}

static bool has_used_more(const struct limit_budget_use *use, const json_t *entry)
{
    return entry == NULL || use->settled + use->elsewhere + use->reserved >
                                (uint64_t)(number(entry, "used") + number(entry, "elsewhere") +
                                           number(entry, "reserved"));
}

/* How many owners have used something, and of how many other gateways have told something, too. */
static json_t *entry_of(const struct limit_budget_use *use, json_int_t owners, json_int_t common)
{
    json_t *entry = json_object();

    json_object_set_new(entry, "namespace", json_string(part(use, NAMESPACE)));
    json_object_set_new(entry, "uid", json_string(part(use, UID)));
    json_object_set_new(entry, "policy", json_string(part(use, POLICY)));
    json_object_set_new(entry, "rule", json_string(part(use, RULE)));
    json_object_set_new(entry, "measure", json_string(part(use, MEASURE)));
    json_object_set_new(entry, "window", json_string(part(use, WINDOW)));
    json_object_set_new(entry, "per", json_string(part(use, SHARE)));
    json_object_set_new(entry, "owner", json_string(part(use, OWNER)));
    json_object_set_new(entry, "owners", json_integer(owners));
    json_object_set_new(entry, "common", json_integer(common));
    json_object_set_new(entry, "used", json_integer((json_int_t)use->settled));
    json_object_set_new(entry, "elsewhere", json_integer((json_int_t)use->elsewhere));
    json_object_set_new(entry, "reserved", json_integer((json_int_t)use->reserved));
    json_object_set_new(entry, "ends", json_integer(use->ends_sec));
    return entry;
}

static void see(void *ctx, const struct limit_budget_use *use)
{
    struct view *view = ctx;
    CLEANUP_FREE char *name =
        mem_printf("%s/%s/%s/%s/%s/%s", part(use, UID), part(use, POLICY), part(use, RULE),
                   part(use, MEASURE), part(use, WINDOW), part(use, SHARE));
    json_t *known = json_object_get(view->rules, name);
    json_int_t owners = number(known, "owners") + 1;
    json_int_t common = number(known, "common") + (use->elsewhere > 0);

    if (use->alert > 0)
        raise_alert(view->uses, use);
    if (known == NULL && json_object_size(view->rules) == RULES_MAX)
        return;
    if (has_used_more(use, known)) {
        json_object_set_new(view->rules, name, entry_of(use, owners, common));
        return;
    }
    json_object_set_new(known, "owners", json_integer(owners));
    json_object_set_new(known, "common", json_integer(common));
}

static void tell(struct uses *uses, const json_t *rules)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(IPC_BODY_MAX);
    struct ipc_client *api = role_peer(uses->role, ROLE_API);
    struct err err = ERR_INIT;

    codec_json_put_canonical(rules, &body);
    if (api == NULL || buf_check(&body, "the use of budgets", &err) < 0 ||
        (uses->told != NULL && strcmp(uses->told, buf_text(&body)) == 0))
        return;
    free(uses->told);
    uses->told = NULL;
    if (ipc_call(api, API_BUDGETS, buf_span(&body), NULL, NULL, &err) < 0)
        log_error("gateway.budgets", &err);
    else
        uses->told = mem_strdup(buf_text(&body));
}

static void on_look(void *ctx)
{
    struct uses *uses = ctx;
    CLEANUP_JSON json_t *rules = json_object();
    struct view view = {.uses = uses, .rules = rules};

    limit_budgets_look(uses->budgets, clock_wall_sec(), see, &view);
    tell(uses, rules);
}

/* ------------------------------------------------------------------ start */

int uses_new(struct role *role, struct uses **out, struct err *err)
{
    struct uses *uses = mem_new(sizeof(*uses));
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_data_dir(role), err);

    uses->role = role;
    *out = uses;
    TRY(dir_fd);
    TRY(limit_budgets_open(dir_fd, "budgets", false, &uses->budgets, err));
    if (settings_gateways(role_settings(role)) > 1)
        limit_budgets_share(uses->budgets, NULL, NULL);
    return loop_add_timer(role_loop(role), LOOK_MS, LOOK_MS, on_look, uses, NULL, err);
}

void uses_free(struct uses *uses)
{
    if (uses == NULL)
        return;
    limit_budgets_close(uses->budgets);
    free(uses->told);
    free(uses);
}

void uses_tell_anew(struct uses *uses)
{
    if (uses == NULL)
        return;
    free(uses->told);
    uses->told = NULL;
}
