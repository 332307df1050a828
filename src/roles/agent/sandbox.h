/* SPDX-License-Identifier: Apache-2.0 */
/* One engine in its sandbox, from the bundle to the exit. */
#ifndef DRUN_AGENT_SANDBOX_H
#define DRUN_AGENT_SANDBOX_H

#include "agent/agent_internal.h"

struct sandbox;

/* Once, when its first process has ended; then only sandbox_free() is left. `how` is one phrase:
 * "exited with status 1", "was ended by signal 9". */
typedef void sandbox_exit_fn(void *ctx, const char *how);

struct sandbox_config {
    struct agent *agent;
    const char *namespace;
    const char *name;
    const json_t *spec; /* of the ModelService */
    const char *model_path;
    const char *file_name;
    unsigned place; /* from 0; which engine of the service it is */
    unsigned slot;  /* from 1; no other that runs has it */
    unsigned run;   /* makes the id of each start another one */
    sandbox_exit_fn *on_exit;
    void *ctx;
};

int sandbox_start(const struct sandbox_config *config, struct sandbox **out,
                  struct err *err) MUST_USE;
/* Asks it to end, and ends it when it does not. */
void sandbox_stop(struct sandbox *sandbox);
/* Ends it now, and removes all that is left of it. */
void sandbox_free(struct sandbox *sandbox);

const char *sandbox_id(const struct sandbox *sandbox);
pid_t sandbox_pid(const struct sandbox *sandbox);
const char *sandbox_socket(const struct sandbox *sandbox);
const char *sandbox_health_path(const struct sandbox *sandbox);
/* True from when the engine listens. From then on it can no longer change its folder, so that what
 * others connect to stays what it is. -1: what is there is no socket that the gateway may use. */
int sandbox_listens(struct sandbox *sandbox, struct err *err) MUST_USE;
/* How many are connected to its socket; -1: nobody knows. */
int sandbox_connections(const struct sandbox *sandbox) MUST_USE;
/* What the engine says; the second takes it away, before sandbox_free(). */
struct oci_ring;
const struct oci_ring *sandbox_log(const struct sandbox *sandbox);
struct oci_ring *sandbox_take_log(struct sandbox *sandbox) MUST_USE;
/* What the engine said last, for people. */
void sandbox_last_line(const struct sandbox *sandbox, char *out, size_t size);
/* Runs a program inside with the engine's rights. */
int sandbox_exec(struct sandbox *sandbox, const char *const *args, struct buf *output,
                 struct err *err) MUST_USE;
/* Where drun-probe is inside. */
extern const char sandbox_probe[];

#endif
