/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_AGENT_INTERNAL_H
#define DRUN_AGENT_INTERNAL_H

#include "audit/audit.h"
#include "codec/json.h"
#include "oci/runtime.h"
#include "report/report.h"
#include "role/role.h"
#include "role/settings.h"

struct bans;
struct follow;
struct host;
struct engine_log;
struct models;
struct search;
struct services;

struct agent {
    struct role *role;
    struct host *host;             /* runtimes, folders, programs */
    struct models *models;         /* Model objects: import, unseal */
    struct services *services;     /* ModelService objects: sandboxes */
    struct follow *follow;         /* api's orders */
    struct engine_log *engine_log; /* who reads what engines say */
    struct search *search;         /* of the disk, under way; or NULL */
    struct bans *bans;             /* in the kernel */
};

/* ------------------------------------------------------------------ follow.c */

/* Begins to ask api what there is. */
int agent_follow(struct agent *agent, struct err *err) MUST_USE;

/* An audit event about one object; ERR_UNAVAILABLE when the log cannot be written. */
int agent_audit(struct agent *agent, const char *event, enum audit_outcome outcome,
                const char *resource, const char *namespace, const char *name, const char *reason,
                struct err *err) MUST_USE;

/* ------------------------------------------------------------------ host.c */

/* Before the lockdown, because it changes the process itself (oci_prepare_process()). */
int host_new(struct role *role, struct host **out, struct err *err) MUST_USE;
void host_free(struct host *host);
/* Tries the runtimes that settings allow and removes what a killed agent left. No runtime at all is
 * no error: services then say so. */
int host_start(struct host *host, struct err *err) MUST_USE;
/* The runtime of this name, or the chosen one for NULL. */
int host_runtime(struct host *host, const char *name, struct oci_runtime **out,
                 struct err *err) MUST_USE;
const char *host_bundle_dir(const struct host *host);
const char *host_probe(const struct host *host);
/* The absolute path, without links, of an engine's program: `name` in one of the engine folders, or
 * a path below one of them. The caller frees it. */
int host_engine(const struct host *host, const char *name, char **out, struct err *err) MUST_USE;
/* What is in force and what this host did not grant. */
json_t *host_describe(const struct host *host) MUST_USE;

/* ------------------------------------------------------------------ models.c */

int models_new(struct agent *agent, struct models **out, struct err *err) MUST_USE;
void models_free(struct models *models);
void models_put(struct models *models, const char *namespace, const char *name,
                const json_t *object);
void models_delete(struct models *models, const char *namespace, const char *name);
/* Everything that api knows has come: what was not put since models_mark() is gone. */
void models_mark(struct models *models);
void models_settle(struct models *models);
/* What api could not be told is told again. */
void models_tell_again(struct models *models);

/* The model's file in memory, for one more user until models_release(). 0: there it is, and its
 * path stays valid until then. 1: not yet, and services_step() is called when that changes; `err`
 * says how far it is. -1: it cannot be had, as `err` says. */
int models_use(struct models *models, const char *namespace, const char *name, char **out_path,
               char **out_file_name, struct err *err) MUST_USE;
/* The model's digest as text; `out` stays as it is while that is not known. */
void models_digest(const struct models *models, const char *namespace, const char *name, char *out,
                   size_t size);
void models_release(struct models *models, const char *path);
/* After all services had the chance to take what they waited for. */
void models_drop_unused(struct models *models);

/* ------------------------------------------------------------------ services.c */

int services_new(struct agent *agent, struct services **out, struct err *err) MUST_USE;
/* Stops every sandbox. */
void services_free(struct services *services);
void services_put(struct services *services, const char *namespace, const char *name,
                  const json_t *object);
void services_delete(struct services *services, const char *namespace, const char *name);
void services_mark(struct services *services);
void services_settle(struct services *services);
/* Something that services wait for has changed: they look at the end of this wake-up. */
void services_step(struct services *services);

#endif
