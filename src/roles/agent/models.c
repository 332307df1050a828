/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model objects. A file is imported once for each generation of its Model; from then on the sealed
 * copy is what is served. Work waits in line for the vault: unsealing first, because services wait
 * for it.
 */
#include "agent/models_internal.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"

#include <string.h>

enum { PROGRESS_MS = 1000 };

static const char *const phase_names[] = {"Pending", "Importing", "Ready", "Failed"};

/* ------------------------------------------------------------------ status */

static void tell(struct models *models, struct model *model)
{
    CLEANUP_JSON json_t *status = json_pack("{s:s}", "phase", phase_names[model->phase]);
    char digest[MODEL_DIGEST_TEXT_SIZE];

    if (model->phase == MODEL_READY && model->artifact != NULL) {
        model_digest_put(model->digest, digest);
        json_object_set_new(status, "digest", json_string(digest));
        json_object_set_new(status, "sizeBytes", json_integer((json_int_t)model->size));
    }
    report_condition(&model->report, status, "Ready", model->phase == MODEL_READY, model->reason,
                     model->message, model->generation);
    report_tell(&model->report, role_peer(models->agent->role, ROLE_API), "agent.status", "Model",
                model->namespace, model->name, status);
}

void models_tell_again(struct models *models)
{
    struct model *model;

    LIST_FOREACH (model, &models->list, entry)
        if (model->report.told == NULL && model->reason != NULL)
            tell(models, model);
}

static void set(struct models *models, struct model *model, enum model_phase phase,
                const char *reason, const char *message)
{
    model->phase = phase;
    model->reason = reason;
    snprintf(model->message, sizeof(model->message), "%s", message);
    tell(models, model);
    services_step(models->agent->services);
}

static void fail(struct models *models, struct model *model, const char *reason,
                 const struct err *why)
{
    struct err err = ERR_INIT;

    if (agent_audit(models->agent, "drun.model.refused", AUDIT_DENIED, "models", model->namespace,
                    model->name, why->msg, &err) < 0)
        log_error("agent.audit", &err);
    set(models, model, MODEL_FAILED, reason, why->msg);
}

/* ------------------------------------------------------------------ finding */

struct model *models_find(const struct models *models, const char *namespace, const char *name)
{
    struct model *model;

    LIST_FOREACH (model, &models->list, entry)
        if (strcmp(model->namespace, namespace) == 0 && strcmp(model->name, name) == 0)
            return model;
    return NULL;
}

static void model_free(struct models *models, struct model *model)
{
    if (models->importing == model)
        models->importing = NULL;
    LIST_REMOVE(model, entry);
    json_decref(model->artifact);
    report_free(&model->report);
    free(model->namespace);
    free(model->name);
    free(model);
}

/* ------------------------------------------------------------------ import */

static void on_imported(void *ctx, const uint8_t digest[MODEL_DIGEST_LEN], const struct err *err)
{
    struct models *models = ctx;
    struct model *model = models->importing;
    struct err why = ERR_INIT;

    loop_rearm(models->progress, 1ULL << 40, 0);
    models->importing = NULL;
    if (model == NULL || model->generation != models->importing_generation) {
        models->sweep = true;
    } else if (err != NULL) {
        fail(models, model, err->code == ERR_CORRUPT ? "DigestMismatch" : "ImportFailed", err);
    } else if (agent_audit(models->agent, "drun.model.verified", AUDIT_SUCCESS, "models",
                           model->namespace, model->name, "", &why) < 0) {
        fail(models, model, "AuditUnavailable", &why);
    } else {
        memcpy(model->digest, digest, MODEL_DIGEST_LEN);
        if (vault_has(models->vault, digest, &model->size, &why) < 0)
            fail(models, model, "ImportFailed", &why);
        else
            set(models, model, MODEL_READY, "Verified", "the file is sealed and its digest known");
    }
    models_work_next(models);
}

/* Below one of the folders that the operator allows, or the one where the posture role keeps the
 * file with which it tries us. */
static int open_file(struct models *models, const char *path, uint64_t *size, struct err *err)
{
    struct role *role = models->agent->role;
    CLEANUP_FREE char *probes = mem_printf("%s/posture/models", role_run_dir(role));
    const struct opt_list probe_dirs = {.items = &probes, .count = 1};
    struct err ignored = ERR_INIT;

    int fd = model_file_open(&role_settings(role)->model_dirs, path, size, err);
    if (fd >= 0 || err->code != ERR_DENIED)
        return fd;
    fd = model_file_open(&probe_dirs, path, size, &ignored);
    if (fd >= 0)
        err_clear(err);
    return fd;
}

static int begin_import(struct models *models, struct model *model, struct err *err)
{
    const char *path = codec_json_text(model->artifact, "path", "");
    const char *digest = codec_json_text(model->artifact, "digest", "");
    json_int_t demanded = json_integer_value(json_object_get(model->artifact, "sizeBytes"));
    uint8_t expected[MODEL_DIGEST_LEN];
    uint64_t size;

    if (path[0] == '\0')
        return err_set(err, ERR_UNSUPPORTED,
                       "only files on this machine (artifact.path) are taken "
                       "over, not those behind a url");
    CLEANUP_FD int fd = open_file(models, path, &size, err);
    TRY(fd);
    if (demanded > 0 && (uint64_t)demanded != size)
        return err_set(err, ERR_CORRUPT, "the file has %llu bytes and should have %lld",
                       (unsigned long long)size, (long long)demanded);
    if (digest[0] != '\0')
        TRY(model_digest_parse(digest, expected, err));
    models->importing_generation = model->generation;
    TRY(vault_import(models->vault, &fd, size, digest[0] != '\0' ? expected : NULL, on_imported,
                     models, err));
    models->importing = model;
    return 0;
}

static void import(struct models *models, struct model *model)
{
    struct err err = ERR_INIT;

    set(models, model, MODEL_IMPORTING, "Importing", "importing 0 %");
    if (begin_import(models, model, &err) < 0) {
        fail(models, model,
             err.code == ERR_DENIED    ? "PathRefused"
             : err.code == ERR_CORRUPT ? "SizeMismatch"
                                       : "ImportFailed",
             &err);
        return;
    }
    loop_rearm(models->progress, PROGRESS_MS, PROGRESS_MS);
}

static void on_progress(void *ctx)
{
    struct models *models = ctx;
    char text[64];

    if (models->importing == NULL)
        return;
    snprintf(text, sizeof(text), "importing %u %%", vault_percent(models->vault));
    set(models, models->importing, MODEL_IMPORTING, "Importing", text);
}

/* ------------------------------------------------------------------ the line */

static bool is_wanted(void *ctx, const char *blob_name)
{
    const struct models *models = ctx;
    struct model *model;
    struct clear *clear;
    char name[2 * MODEL_DIGEST_LEN + 1];

    LIST_FOREACH (model, &models->list, entry) {
        vault_blob_name(models->vault, model->digest, name);
        if (model->phase == MODEL_READY && strcmp(name, blob_name) == 0)
            return true;
    }
    LIST_FOREACH (clear, &models->clears, entry) {
        vault_blob_name(models->vault, clear->digest, name);
        if (strcmp(name, blob_name) == 0)
            return true;
    }
    return false;
}

static void sweep(struct models *models)
{
    struct err err = ERR_INIT;

    models->sweep = false;
    if (vault_sweep(models->vault, is_wanted, models, &err) < 0)
        log_error("agent.models", &err);
}

void models_work_next(struct models *models)
{
    struct clear *clear;
    struct model *model, *next;

    LIST_FOREACH (clear, &models->clears, entry)
        if (clear->state == CLEAR_WANTED && !vault_busy(models->vault))
            models_unseal(models, clear);
    for (model = LIST_FIRST(&models->list); model != NULL; model = next) {
        next = LIST_NEXT(model, entry);
        if (model->phase == MODEL_PENDING && !vault_busy(models->vault))
            import(models, model);
    }
    if (models->sweep && !vault_busy(models->vault))
        sweep(models);
}

/* ------------------------------------------------------------------ objects */

/* True when this generation was imported before this agent started. That the bytes of a digest are
 * sealed here is not enough: they may be another tenant's, and who names a digest must have the
 * file.
 */
static bool is_sealed_here(struct models *models, struct model *model, const json_t *object)
{
    const json_t *status = json_object_get(object, "status");
    const json_t *condition = json_array_get(json_object_get(status, "conditions"), 0);
    const char *sealed = codec_json_text(status, "digest", "");
    const char *demanded = codec_json_text(model->artifact, "digest", sealed);
    struct err ignored = ERR_INIT;

    return json_integer_value(json_object_get(condition, "observedGeneration")) ==
               model->generation &&
           strcmp(codec_json_text(condition, "reason", ""), "Verified") == 0 &&
           strcmp(demanded, sealed) == 0 &&
           model_digest_parse(sealed, model->digest, &ignored) == 0 &&
           vault_has(models->vault, model->digest, &model->size, &ignored) == 0;
}

void models_put(struct models *models, const char *namespace, const char *name,
                const json_t *object)
{
    struct model *model = models_find(models, namespace, name);
    json_int_t generation =
        json_integer_value(codec_json_at(object, "metadata", "generation", NULL));

    if (model != NULL && model->generation == generation) {
        model->seen = true;
        return;
    }
    if (model == NULL) {
        model = mem_new(sizeof(*model));
        model->namespace = mem_strdup(namespace);
        model->name = mem_strdup(name);
        report_adopt(&model->report, json_object_get(object, "status"));
        LIST_INSERT_HEAD(&models->list, model, entry);
    }
    json_decref(model->artifact);
    model->artifact = json_deep_copy(codec_json_at(object, "spec", "artifact", NULL));
    model->generation = generation;
    model->seen = true;
    if (model->artifact == NULL)
        set(models, model, MODEL_READY, "Outside", "the model is not a file of this machine");
    else if (is_sealed_here(models, model, object))
        set(models, model, MODEL_READY, "Verified", "the file is sealed and its digest known");
    else
        set(models, model, MODEL_PENDING, "Waiting", "waiting for another import");
    models_work_next(models);
}

void models_delete(struct models *models, const char *namespace, const char *name)
{
    struct model *model = models_find(models, namespace, name);

    if (model == NULL)
        return;
    model_free(models, model);
    models->sweep = true;
    services_step(models->agent->services);
    models_work_next(models);
}

void models_mark(struct models *models)
{
    struct model *model;

    LIST_FOREACH (model, &models->list, entry)
        model->seen = false;
}

void models_settle(struct models *models)
{
    struct model *model, *next;

    for (model = LIST_FIRST(&models->list); model != NULL; model = next) {
        next = LIST_NEXT(model, entry);
        if (!model->seen)
            model_free(models, model);
    }
    models->sweep = true;
    services_step(models->agent->services);
    models_work_next(models);
}

int models_new(struct agent *agent, struct models **out, struct err *err)
{
    struct models *models = mem_new(sizeof(*models));

    models->agent = agent;
    LIST_INIT(&models->list);
    LIST_INIT(&models->clears);
    *out = models;
    TRY(vault_open(agent->role, &models->vault, err));
    return loop_add_timer(role_loop(agent->role), 1ULL << 40, 0, on_progress, models,
                          &models->progress, err);
}

void models_free(struct models *models)
{
    if (models == NULL)
        return;
    models->importing = NULL;
    while (!LIST_EMPTY(&models->list))
        model_free(models, LIST_FIRST(&models->list));
    while (!LIST_EMPTY(&models->clears))
        models_clear_free(models, LIST_FIRST(&models->clears));
    vault_free(models->vault);
    free(models);
}
