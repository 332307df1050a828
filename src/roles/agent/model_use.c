/* SPDX-License-Identifier: Apache-2.0 */
/* Model files in the clear, in memory, for the services that use them. */
#include "agent/models_internal.h"
#include "base/mem.h"

#include <string.h>

static struct clear *find_clear(const struct models *models, const uint8_t *digest)
{
    struct clear *clear;

    LIST_FOREACH (clear, &models->clears, entry)
        if (memcmp(clear->digest, digest, MODEL_DIGEST_LEN) == 0)
            return clear;
    return NULL;
}

void models_clear_free(struct models *models, struct clear *clear)
{
    if (models->unsealing == clear)
        models->unsealing = NULL;
    else
        vault_clear_remove(models->vault, clear->digest);
    LIST_REMOVE(clear, entry);
    free(clear->path);
    free(clear);
}

static void on_unsealed(void *ctx, const uint8_t digest[MODEL_DIGEST_LEN], const struct err *err)
{
    struct models *models = ctx;
    struct clear *clear = models->unsealing;

    models->unsealing = NULL;
    if (clear == NULL) {
        vault_clear_remove(models->vault, digest);
    } else if (err != NULL) {
        clear->state = CLEAR_FAILED;
        clear->why = *err;
        vault_clear_remove(models->vault, digest);
    } else {
        clear->state = CLEAR_READY;
    }
    models_work_next(models);
    services_step(models->agent->services);
}

/* A service that wanted it may be gone by now. */
void models_drop_unused(struct models *models)
{
    struct clear *clear, *next;

    for (clear = LIST_FIRST(&models->clears); clear != NULL; clear = next) {
        next = LIST_NEXT(clear, entry);
        if (clear->users == 0 && clear->state == CLEAR_READY)
            models_clear_free(models, clear);
    }
}

void models_unseal(struct models *models, struct clear *clear)
{
    clear->state = CLEAR_WORKING;
    models->unsealing = clear;
    if (vault_unseal(models->vault, clear->digest, on_unsealed, models, &clear->why) == 0)
        return;
    models->unsealing = NULL;
    clear->state = CLEAR_FAILED;
}

/* ------------------------------------------------------------------ use */

static int use_clear(struct models *models, const struct model *model, char **out_path,
                     struct err *err)
{
    struct clear *clear = find_clear(models, model->digest);

    if (clear == NULL) {
        clear = mem_new(sizeof(*clear));
        memcpy(clear->digest, model->digest, MODEL_DIGEST_LEN);
        clear->path = vault_clear_path(models->vault, model->digest);
        LIST_INSERT_HEAD(&models->clears, clear, entry);
        models_work_next(models);
    }
    if (clear->state == CLEAR_FAILED) {
        *err = clear->why;
        if (clear->users == 0)
            models_clear_free(models, clear); /* the next one who asks tries again */
        return -1;
    }
    if (clear->state != CLEAR_READY) {
        err_set(err, ERR_UNAVAILABLE, "unsealing the model %s", model->name);
        return 1;
    }
    clear->users++;
    *out_path = mem_strdup(clear->path);
    return 0;
}

int models_use(struct models *models, const char *namespace, const char *name, char **out_path,
               char **out_file_name, struct err *err)
{
    struct model *model = models_find(models, namespace, name);
    char file_name[MODEL_NAME_SIZE];

    if (model == NULL) {
        err_set(err, ERR_NOT_FOUND, "there is no Model %s in this namespace", name);
        return 1;
    }
    if (model->phase == MODEL_FAILED)
        return err_set(err, ERR_CORRUPT, "the Model %s failed: %s", name, model->message);
    if (model->artifact == NULL)
        return err_set(err, ERR_INVALID, "the Model %s has no artifact, so no engine can run it",
                       name);
    if (model->phase != MODEL_READY) {
        err_set(err, ERR_UNAVAILABLE, "the Model %s: %s", name, model->message);
        return 1;
    }
    int result = use_clear(models, model, out_path, err);
    if (result == 0) {
        model_file_name(codec_json_text(model->artifact, "path", "model"), file_name);
        *out_file_name = mem_strdup(file_name);
    }
    return result;
}

void models_digest(const struct models *models, const char *namespace, const char *name, char *out,
                   size_t size)
{
    const struct model *model = models_find(models, namespace, name);
    char text[MODEL_DIGEST_TEXT_SIZE];

    if (model == NULL || model->phase != MODEL_READY)
        return;
    model_digest_put(model->digest, text);
    snprintf(out, size, "%s", text);
}

void models_release(struct models *models, const char *path)
{
    struct clear *clear;

    LIST_FOREACH (clear, &models->clears, entry)
        if (strcmp(clear->path, path) == 0)
            break;
    INVARIANT(clear != NULL && clear->users > 0);
    if (--clear->users == 0)
        models_clear_free(models, clear);
}
