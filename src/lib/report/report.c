/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

#include "base/clock.h"
#include "log/log.h"
#include "wire/orders.h"

#include <string.h>

void report_free(struct report *report)
{
    json_decref(report->conditions);
    free(report->told);
    *report = (struct report){.conditions = NULL};
}

void report_adopt(struct report *report, const json_t *status)
{
    json_t *conditions = json_object_get(status, "conditions");

    if (report->conditions == NULL && json_is_array(conditions))
        report->conditions = json_deep_copy(conditions);
}

static const json_t *find(const json_t *conditions, const char *type)
{
    size_t i;
    json_t *condition;

    json_array_foreach (conditions, i, condition)
        if (strcmp(codec_json_text(condition, "type", ""), type) == 0)
            return condition;
    return NULL;
}

void report_condition(struct report *report, json_t *status, const char *type, bool is_true,
                      const char *reason, const char *message, json_int_t generation)
{
    const char *value = is_true ? "True" : "False";
    const json_t *before = find(report->conditions, type);
    char now[CLOCK_TEXT_SIZE];

    clock_format_sec(clock_wall_sec(), now);
    if (before != NULL && strcmp(codec_json_text(before, "status", ""), value) == 0)
        snprintf(now, sizeof(now), "%s", codec_json_text(before, "lastTransitionTime", now));
    json_t *condition =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "type", type, "status", value, "reason", reason,
                  "message", message, "lastTransitionTime", now, "observedGeneration", generation);
    json_t *conditions = json_object_get(status, "conditions");
    if (conditions == NULL) {
        conditions = json_array();
        json_object_set_new(status, "conditions", conditions);
    }
    if (condition != NULL)
        json_array_append_new(conditions, condition);
}

void report_tell(struct report *report, struct ipc_client *api, const char *log_name,
                 const char *kind, const char *namespace, const char *name, json_t *status)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(IPC_BODY_MAX);
    CLEANUP(buf_free) struct buf body = BUF_INIT(IPC_BODY_MAX);
    struct err err = ERR_INIT;

    codec_json_put(status, &text);
    if (report->told != NULL && strcmp(report->told, buf_text(&text)) == 0)
        return;
    json_decref(report->conditions);
    report->conditions = json_deep_copy(json_object_get(status, "conditions"));
    CLEANUP_JSON json_t *message = json_pack("{s:s, s:s, s:s, s:O}", "kind", kind, "namespace",
                                             namespace, "name", name, "status", status);
    codec_json_put(message, &body);
    free(report->told);
    report->told = NULL;
    if (ipc_call(api, API_STATUS, buf_span(&body), NULL, NULL, &err) == 0)
        report->told = buf_take(&text);
    else if (err.code != ERR_UNAVAILABLE && err.code != ERR_NOT_FOUND)
        log_error(log_name, &err);
}
