/* SPDX-License-Identifier: Apache-2.0 */
/* What engines say, for who asks api for it. */
#ifndef DRUN_AGENT_ENGINE_LOG_H
#define DRUN_AGENT_ENGINE_LOG_H

#include "agent/agent_internal.h"

struct engine_log;

int engine_log_new(struct agent *agent, struct engine_log **out, struct err *err) MUST_USE;
void engine_log_free(struct engine_log *logs);
/* `order`: {"id", "follow", "previous", "tailLines", "replica"}; without tailLines all that is
 * kept, without replica (its place) the newest engine. */
void engine_log_order(struct engine_log *logs, const char *namespace, const char *name,
                      const json_t *order);

#endif
