/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object's status while it is made: conditions as in Kubernetes, whose lastTransitionTime stays
 * while the status stays, and the memory of what api was last told.
 */
#ifndef DRUN_REPORT_REPORT_H
#define DRUN_REPORT_REPORT_H

#include "codec/json.h"
#include "ipc/ipc.h"

#include <stdbool.h>

struct report {
    json_t *conditions; /* those of the last status */
    char *told;         /* the last status that api has */
};

void report_free(struct report *report);
/* Takes the conditions that api knew before this agent started. */
void report_adopt(struct report *report, const json_t *status);
/* Adds a condition to a status under way. */
void report_condition(struct report *report, json_t *status, const char *type, bool is_true,
                      const char *reason, const char *message, json_int_t generation);

/* Tells api the whole status of an object, unless that is what it was told last. What cannot be
 * told is logged under `log_name` and told again with the next one; an object that is gone
 * meanwhile is no failure. */
void report_tell(struct report *report, struct ipc_client *api, const char *log_name,
                 const char *kind, const char *namespace, const char *name, json_t *status);

#endif
