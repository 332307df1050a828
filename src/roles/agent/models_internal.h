/* SPDX-License-Identifier: Apache-2.0 */
/* For models.c, which brings Model objects to sealed files, and model_use.c, which has those in
 * memory that services use. */
#ifndef DRUN_AGENT_MODELS_INTERNAL_H
#define DRUN_AGENT_MODELS_INTERNAL_H

#include "agent/agent_internal.h"
#include "agent/model_file.h"
#include "agent/vault.h"

#include <sys/queue.h>

enum model_phase { MODEL_PENDING, MODEL_IMPORTING, MODEL_READY, MODEL_FAILED };

struct model {
    char *namespace;
    char *name;
    json_t *artifact; /* NULL: an outside model */
    json_int_t generation;
    enum model_phase phase;
    const char *reason;
    char message[384];
    uint8_t digest[MODEL_DIGEST_LEN];
    uint64_t size;
    struct report report;
    bool seen;
    LIST_ENTRY(model) entry;
};

/* A clear file in memory, for all services of one digest. */
struct clear {
    uint8_t digest[MODEL_DIGEST_LEN];
    char *path;
    unsigned users;
    enum { CLEAR_WANTED, CLEAR_WORKING, CLEAR_READY, CLEAR_FAILED } state;
    struct err why;
    LIST_ENTRY(clear) entry;
};

struct models {
    struct agent *agent;
    struct vault *vault;
    struct loop_source *progress;
    struct model *importing; /* NULL also when it was deleted meanwhile */
    struct clear *unsealing;
    json_int_t importing_generation;
    bool sweep; /* sealed files that no model wants are to be removed */
    LIST_HEAD(, model) list;
    LIST_HEAD(, clear) clears;
};

struct model *models_find(const struct models *models, const char *namespace, const char *name);
/* Begins what is next in line, when the vault is free. */
void models_work_next(struct models *models);
void models_unseal(struct models *models, struct clear *clear);
void models_clear_free(struct models *models, struct clear *clear);

#endif
