/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCIM 2.0 (RFC 7643, 7644) at /scim/v2: another way to the objects User and Group, through the
 * object API as the caller, so that RBAC, admission and what follows a change are the same. An
 * object's id here is NAME~UID: found at once, and never given twice. Decision 0028.
 *
 *     http.c      paths, headers, answers
 *     run.c       one operation: create, read, replace, PATCH, delete
 *     list.c      filters, order, pages
 *     bulk.c      many operations in one request
 *     resource.c  an object as a resource and back
 *     index.c     who has a userName, displayName or externalId
 */
#ifndef DRUN_IDP_SCIM_API_H
#define DRUN_IDP_SCIM_API_H

#include "idp/idp_internal.h"
#include "scim/scim.h"

#define SCIM_PREFIX "/scim/v2"
#define SCIM_SCOPE  "scim" /* of OAuth tokens that are good here alone */
#define SCIM_INDEX  "scimindex"

enum {
    SCIM_ID_SIZE = 300,
    SCIM_PAGE = 100,
    SCIM_PAGE_MAX = 200,
    SCIM_SORT_MAX = 10000,
    SCIM_BULK_OPERATIONS = 1000,
    SCIM_BULK_BYTES = 1024 * 1024,
    SCIM_PROFILE_MAX = 64 * 1024,
};

struct scim {
    struct idp *idp;
    struct serve_request *request;
    struct arena *arena; /* the request's */
};

/* Which resources are which objects. */
struct scim_binding {
    const struct scim_resource *resource;
    const struct kube_kind *kind;
    /* A new resource without meta. */
    json_t *(*to_scim)(struct scim *scim, const json_t *object);
    /* What the object becomes: `object` is a copy of the old one, or a new one without a name. */
    int (*from_scim)(struct scim *scim, const json_t *resource, json_t *object, const char **type,
                     struct err *err);
    const char *naming; /* the attribute that a new object's name comes from */
};

extern const struct scim_binding scim_bindings[];                 /* ends with resource NULL */
const struct scim_binding *scim_binding_of(const char *endpoint); /* "Users"; NULL */

/* ------------------------------------------------------------------ resource.c */

void scim_id_of(const json_t *object, char out[SCIM_ID_SIZE]);
/* The object; ERR_NOT_FOUND also when its name is another one's now. */
int scim_find(struct scim *scim, const struct scim_binding *binding, const char *id, json_t **out,
              struct err *err) MUST_USE;
/* With schemas, id and meta. */
json_t *scim_show(struct scim *scim, const struct scim_binding *binding, const json_t *object);
/* W/"…", of an object. */
void scim_version(const json_t *object, char out[64]);
/* The attribute's text as the name of a new object. */
void scim_make_name(const struct scim_binding *binding, const char *text, char out[254]);

/* ------------------------------------------------------------------ index.c */

/* A User or Group was written or is gone (object NULL). */
int scim_index(struct idp *idp, const struct kube_kind *kind, const json_t *old,
               const json_t *object, struct err *err) MUST_USE;
/* At the first start: those that are there already. */
int scim_index_start(struct idp *idp, struct err *err) MUST_USE;
/* The objects that may have this text as the attribute: at most two, new; there is no other. False:
 * the attribute has no index, or several have the text. */
bool scim_index_find(struct scim *scim, const struct scim_binding *binding, const char *attribute,
                     const char *text, json_t *out[2]);

/* ------------------------------------------------------------------ run.c */

struct scim_op {
    const char *method; /* POST, GET, PUT, PATCH, DELETE */
    const struct scim_binding *binding;
    const char *id; /* "" for POST */
    const json_t *data;
    const char *if_match, *if_none_match; /* NULL: none */
    const char *attributes, *excluded;    /* "" for none */
};

struct scim_outcome {
    unsigned status;
    json_t *body; /* owned; NULL for none */
    char location[1024];
    char version[64];
    char id[SCIM_ID_SIZE];
};

void scim_outcome_free(struct scim_outcome *outcome);
void scim_run(struct scim *scim, const struct scim_op *op, struct scim_outcome *out);
/* An error as RFC 7644 section 3.12 writes it. `type` NULL: none. */
void scim_refuse(struct scim_outcome *out, unsigned status, const char *type, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void scim_refuse_err(struct scim_outcome *out, const char *type, const struct err *err);
/* False when it was refused. */
bool scim_may(struct scim *scim, const char *verb, const struct scim_binding *binding,
              const char *name, struct scim_outcome *out);

/* ------------------------------------------------------------------ list.c, bulk.c, http.c */

/* `search` is the body of a .search, or NULL for a query. `binding` NULL: all kinds. */
void scim_list(struct scim *scim, const struct scim_binding *binding, const json_t *search,
               struct scim_outcome *out);
void scim_bulk(struct scim *scim, const json_t *body, struct scim_outcome *out);
bool scim_route(struct idp *idp, struct serve_request *request);

#endif
