/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtimes of this host. Which one works, and whether limits can be set, is found by
 * running a tiny program in a sandbox; what the host refuses is kept as a sentence for `posture`.
 *
 * As root the ids of a sandbox are a range of the host that nobody else has, and limits are cgroups
 * (v1, hybrid or v2). As an ordinary user the sandbox has one id, the user's own, and no limits.
 */
#ifndef DRUN_OCI_RUNTIME_H
#define DRUN_OCI_RUNTIME_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "oci/oci.h"

#include <sys/types.h>

enum oci_cgroups { OCI_CGROUPS_NONE, OCI_CGROUPS_V1, OCI_CGROUPS_HYBRID, OCI_CGROUPS_V2 };

enum oci_cgroups oci_cgroups_here(void);
const char *oci_cgroups_name(enum oci_cgroups cgroups);
/* Removes the empty cgroup "/NAME" wherever it is. */
void oci_cgroup_remove(const char *cgroup);

/* Once, while the process has one thread, and after oci_cgroups_here() was asked: becomes the
 * parent that orphaned sandboxes fall to, so that their exit is seen; and on a hybrid host gives
 * the process a mount namespace in which the unified hierarchy is not mounted, because crun refuses
 * to work beside it. */
int oci_prepare_process(struct err *err) MUST_USE;

/* Orphans that are nobody's, such as what a runtime's exec leaves, are to be buried: a sandbox
 * whose dead are not does not end. `is_known` says whose end somebody else waits for. */
void oci_bury_orphans(bool (*is_known)(void *ctx, pid_t pid), void *ctx);

struct oci_runtime;

struct oci_runtime_config {
    const char *name;       /* "crun", "runc", "runsc" */
    const char *state_dir;  /* the runtime's own notes; made when missing; in memory */
    const char *bundle_dir; /* where a bundle for the trial may be made */
    const char *probe;      /* the static program to try with (drun-probe) */
    const char *cgroup;     /* the parent of the sandboxes' cgroups: "/drun-INSTANCE" */
    uint32_t outside_id;    /* first of two host ids of the trial sandbox, as root */
};

/* Finds the program and tries it. ERR_NOT_FOUND when it is not installed, ERR_UNSUPPORTED when it
 * does not work here. */
int oci_runtime_open(const struct oci_runtime_config *config, struct oci_runtime **out,
                     struct err *err) MUST_USE;
void oci_runtime_free(struct oci_runtime *runtime);

const char *oci_runtime_name(const struct oci_runtime *runtime);
/* False with the reason when the host grants no limits. */
bool oci_runtime_limits(const struct oci_runtime *runtime, const char **out_why_not);
/* Fills in the ids, and the cgroup "<parent>/<id>" when there may be one; *out_cgroup is its text,
 * which the caller frees after the sandbox was described. `slot` picks the range of host ids:
 * sandboxes that run at the same time need different ones. */
void oci_runtime_fit(const struct oci_runtime *runtime, unsigned slot, struct oci_sandbox *sandbox,
                     char **out_cgroup);

enum oci_status { OCI_CREATING, OCI_CREATED, OCI_RUNNING, OCI_PAUSED, OCI_STOPPED, OCI_MISSING };

/* The sandbox's first process waits, with stdout and stderr on output_fd. */
int oci_create(struct oci_runtime *runtime, const char *id, const char *bundle, int output_fd,
               pid_t *out_pid, struct err *err) MUST_USE;
int oci_start(struct oci_runtime *runtime, const char *id, struct err *err) MUST_USE;
int oci_kill(struct oci_runtime *runtime, const char *id, int signo, struct err *err) MUST_USE;
/* Also of one that runs, then it is killed. A missing one is no error. */
int oci_delete(struct oci_runtime *runtime, const char *id, struct err *err) MUST_USE;
int oci_state(struct oci_runtime *runtime, const char *id, enum oci_status *out,
              struct err *err) MUST_USE;
/* Runs another program inside with the same rights; returns its exit status. */
int oci_exec(struct oci_runtime *runtime, const char *id, const char *const *args,
             struct buf *output, struct err *err) MUST_USE;
/* Deletes every sandbox that the notes know: those that a killed process left behind. Returns how
 * many. */
int oci_delete_all(struct oci_runtime *runtime, struct err *err) MUST_USE;

#endif
