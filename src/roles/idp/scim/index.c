/* SPDX-License-Identifier: Apache-2.0 */
/* Whose name this is, without reading everybody: clients ask that before each creation. A record
 * under the hash of attribute and text names the object; it is looked at again before it counts. */
#include "idp/scim/scim_api.h"

#include "base/mem.h"
#include "codec/json.h"

#include <ctype.h>

static void id_of(const struct kube_kind *kind, const char *attribute, const char *text,
                  char id[IDP_ID_SIZE])
{
    CLEANUP_FREE char *key = mem_printf("%s %s %s", kind->plural, attribute, text);

    /* externalId alone tells case apart; one record for both does no harm. */
    for (char *at = key; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    idp_id_of(key, id);
}

/* What is not the object's name already. */
static const char *indexed(const struct kube_kind *kind, const json_t *object, bool external)
{
    const json_t *spec = json_object_get(object, "spec");

    if (kind == &kube_user)
        return codec_json_text(json_object_get(spec, "profile"),
                               external ? "externalId" : "userName", "");
    return codec_json_text(spec, external ? "externalId" : "displayName", "");
}

static const char *naming_of(const struct kube_kind *kind, bool external)
{
    if (external)
        return "externalId";
    return kind == &kube_user ? "userName" : "displayName";
}

/* Two may say the same, of which one is written over the other: then all are read. */
static int add(struct idp *idp, const char *id, const char *name, struct err *err)
{
    CLEANUP_JSON json_t *before = NULL;
    CLEANUP_JSON json_t *record = json_pack("{s:s}", "name", name);

    if (record_get(idp, SCIM_INDEX, id, &before, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
    } else if (strcmp(codec_json_text(before, "name", ""), name) != 0) {
        json_object_set_new(record, "many", json_true());
    }
    return record_put(idp, SCIM_INDEX, id, record, NULL, err);
}

static int drop(struct idp *idp, const char *id, const char *name, struct err *err)
{
    CLEANUP_JSON json_t *before = NULL;

    if (record_get(idp, SCIM_INDEX, id, &before, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    bool own = strcmp(codec_json_text(before, "name", ""), name) == 0;
    return own && !json_is_true(json_object_get(before, "many"))
               ? record_delete(idp, SCIM_INDEX, id, err)
               : 0;
}

static const char *name_of(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "name", "");
}

static int index_one(struct idp *idp, const struct kube_kind *kind, const json_t *old,
                     const json_t *object, bool external, struct err *err)
{
    const char *before = indexed(kind, old, external);
    const char *after = indexed(kind, object, external);
    char id[IDP_ID_SIZE];

    if (strcmp(before, after) == 0)
        return 0;
    if (before[0] != '\0') {
        id_of(kind, naming_of(kind, external), before, id);
        TRY(drop(idp, id, name_of(old), err));
    }
    if (after[0] == '\0')
        return 0;
    id_of(kind, naming_of(kind, external), after, id);
    return add(idp, id, name_of(object), err);
}

int scim_index(struct idp *idp, const struct kube_kind *kind, const json_t *old,
               const json_t *object, struct err *err)
{
    TRY(index_one(idp, kind, old, object, false, err));
    return index_one(idp, kind, old, object, true, err);
}

/* ------------------------------------------------------------------ those from before */

struct first {
    struct idp *idp;
    const struct kube_kind *kind;
};

static int index_first(void *ctx, const json_t *object, struct err *err)
{
    const struct first *first = ctx;

    return scim_index(first->idp, first->kind, NULL, object, err);
}

int scim_index_start(struct idp *idp, struct err *err)
{
    CLEANUP_JSON json_t *done = NULL;

    if (record_get(idp, "meta", SCIM_INDEX, &done, err) == 0)
        return 0;
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    for (const struct scim_binding *one = scim_bindings; one->resource != NULL; one++) {
        struct first first = {.idp = idp, .kind = one->kind};
        TRY(kube_object_each(serve_kube(idp->serve), one->kind, NULL, index_first, &first, err));
    }
    done = json_pack("{s:b}", "done", 1);
    TRY(record_put(idp, "meta", SCIM_INDEX, done, NULL, err));
    return store_flush(idp->store, err);
}

/* ------------------------------------------------------------------ finding */

static json_t *get(struct scim *scim, const struct scim_binding *binding, const char *name)
{
    json_t *object = NULL;
    struct err err = ERR_INIT;

    if (name[0] == '\0' || kube_format_check(binding->kind->name_format, name) != NULL ||
        kube_object_get(serve_kube(scim->idp->serve), binding->kind, "", name, &object, &err) < 0)
        return NULL;
    return object;
}

bool scim_index_find(struct scim *scim, const struct scim_binding *binding, const char *attribute,
                     const char *text, json_t *out[2])
{
    bool external = strcmp(attribute, "externalId") == 0;
    CLEANUP_JSON json_t *record = NULL;
    struct err err = ERR_INIT;
    char id[IDP_ID_SIZE], name[254];
    size_t count = 0;

    out[0] = out[1] = NULL;
    if (!external && strcmp(attribute, binding->naming) != 0)
        return false;
    id_of(binding->kind, attribute, text, id);
    bool there = record_get(scim->idp, SCIM_INDEX, id, &record, &err) == 0;
    if (json_is_true(json_object_get(record, "many")))
        return false;
    if (there)
        out[count] = get(scim, binding, codec_json_text(record, "name", ""));
    count += out[count] != NULL;
    if (external)
        return true;
    scim_make_name(binding, text, name);
    if (strcmp(name, codec_json_text(record, "name", "")) != 0)
        out[count] = get(scim, binding, name);
    return true;
}
