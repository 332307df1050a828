/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of `drun up`: one option table (settings.c) makes the parser of the file and of
 * --set, the sample file and the man page. Every role gets the whole file and reads what is its
 * own. */
#ifndef DRUN_ROLE_SETTINGS_H
#define DRUN_ROLE_SETTINGS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct settings {
    char *listen;          /* address and port of the gateway, "127.0.0.1:8443" */
    char *public_url;      /* what browsers use; empty: https://LISTEN */
    uint64_t workers;      /* of the gateway; 0: one a core */
    char *unseal;          /* "key-file" or "passphrase" */
    char *unseal_key_file; /* outside the data directory */
    char *store;           /* "sqlite" or a PostgreSQL connection string */
    char *run_dir;         /* empty: chosen; must be on a tmpfs */
    char *console_dir;     /* the built console; empty: beside the binary */
    char *module_dir;      /* nginx module; empty: beside the binary */
    char *nginx;           /* the nginx program */
    char *runtime;         /* OCI runtime: "auto", "crun", "runc", "runsc" */
    char *model_dirs;      /* folders, split by ':', from which model files may be taken */
    char *log_level;       /* debug, info, warn, error */
    uint64_t uid_base;     /* first of the roles' users where root */
    uint64_t certificate_ttl_sec;
    uint64_t posture_period_sec;
    char *audit_failure; /* of model calls: "closed" or "open" */
};

int settings_load(struct span yaml, const char *what, struct settings **out,
                  struct err *err) MUST_USE;
int settings_set(struct settings *settings, const char *assignment, struct err *err) MUST_USE;
/* As YAML that settings_load() reads back to the same. */
void settings_put(const struct settings *settings, struct buf *out);
void settings_put_sample(struct buf *out);
void settings_free(struct settings *settings);
void settings_free_ptr(struct settings **settings);

#endif
