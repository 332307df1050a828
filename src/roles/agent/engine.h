/* SPDX-License-Identifier: Apache-2.0 */
/* From the spec of a ModelService to the command that runs in its sandbox. */
#ifndef DRUN_AGENT_ENGINE_H
#define DRUN_AGENT_ENGINE_H

#include "agent/agent_internal.h"
#include "oci/files.h"

enum { ENGINE_ARGS_MAX = 384 };

struct engine {
    char *program; /* absolute, without links */
    char *args[ENGINE_ARGS_MAX + 1];
    size_t arg_count;
    char *env[ENGINE_ARGS_MAX + 1];
    size_t env_count;
    struct oci_limits limits;
    struct oci_files files; /* the program with its libraries */
    const char *health_path;
};

/* `file_name` is the model's in /model. */
int engine_of(const struct host *host, const char *namespace, const char *name, const json_t *spec,
              const char *file_name, struct engine *out, struct err *err) MUST_USE;
void engine_free(struct engine *engine); /* for CLEANUP */

#endif
