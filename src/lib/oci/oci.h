/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sandboxes by an OCI runtime (Runtime Specification 1.0). A sandbox is described by a struct; from
 * it come a bundle, which is config.json and an empty tree of mount points, and the runtime's
 * commands. No distribution image: a sandbox sees the files that are mounted into it, read-only,
 * and nothing else.
 *
 * Every sandbox has, without a way to ask for less: own user, process, IPC, UTS, mount, network and
 * cgroup namespaces; no capability; no-new-privileges; a read-only root; a seccomp allow-list
 * without any socket but Unix ones (seccomp.c); no core dumps.
 *
 *     TRY(oci_bundle_make(dir, &sandbox, err));
 *     TRY(oci_create(runtime, sandbox.id, dir, log_fd, &pid, err));
 *     TRY(oci_start(runtime, sandbox.id, err));
 *     ...
 *     TRY(oci_delete(runtime, sandbox.id, err));
 *     TRY(oci_bundle_remove(dir, err));
 *
 * Other headers of this folder: elf_info.h (what an ELF file needs), files.h (a program with its
 * libraries), runtime.h (which runtime works here), ring.h (what an engine says).
 */
#ifndef DRUN_OCI_OCI_H
#define DRUN_OCI_OCI_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oci_mount {
    const char *source; /* a file or a folder of the host */
    const char *at;     /* absolute, where it appears */
    bool writable;
    bool executable;
};

/* 0: no limit. */
struct oci_limits {
    uint64_t memory_bytes;
    uint64_t cpu_milli; /* 1000 is one CPU */
    uint64_t pids;
};

/* `count` ids from `inside` in the sandbox are those from `outside` on the host. */
struct oci_map {
    uint32_t inside;
    uint32_t outside;
    uint32_t count;
};

struct oci_sandbox {
    const char *id;       /* letters, digits, '-', '_', '.' */
    const char *hostname; /* a DNS label */
    const char *const *args;
    const char *const *env; /* "NAME=value"; nothing else is in the environment. NULL: empty */
    uint32_t uid;           /* inside */
    uint32_t gid;
    struct oci_map uids;
    struct oci_map gids;
    const struct oci_mount *mounts;
    size_t mount_count;
    struct oci_limits limits;
    const char *cgroup;     /* absolute; NULL: the host grants none, and limits are not set */
    uint64_t tmp_max_bytes; /* of /tmp, in memory */
};

enum { OCI_CONFIG_MAX = 512 * 1024 };

/* The bytes of config.json; the root is the folder "rootfs" beside it. */
int oci_config_put(const struct oci_sandbox *sandbox, struct buf *out, struct err *err) MUST_USE;

/* Makes `dir` (which must not be there) with config.json and rootfs. Every folder above `dir` must
 * let everybody pass, because the sandbox's own root walks there: ERR_UNSUPPORTED names the one
 * that does not, when `outside` is not our own user. */
int oci_bundle_make(const char *dir, const struct oci_sandbox *sandbox, struct err *err) MUST_USE;
/* Removes the folder with all that is in it, without following links or entering other file
 * systems. A missing one is no error. */
int oci_remove_tree(const char *dir, struct err *err) MUST_USE;

#endif
