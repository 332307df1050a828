/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCIM 2.0 without its transport: the schemas of users and groups (RFC 7643), filters, paths, PATCH
 * and the choice of attributes (RFC 7644). Resources are JSON objects whose members are named as
 * the schema writes them; scim_read() makes one of what a client sent.
 *
 * Where a function fails because of the client, *type is the scimType of the answer (RFC 7644
 * section 3.12), a static text.
 */
#ifndef DRUN_SCIM_SCIM_H
#define DRUN_SCIM_SCIM_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <jansson.h>
#include <stdbool.h>

enum {
    SCIM_FILTER_MAX = 4096,
    SCIM_DEPTH_MAX = 16,
    SCIM_TERMS_MAX = 128,
    SCIM_OPERATIONS_MAX = 1000
};

/* ------------------------------------------------------------------ schemas (RFC 7643) */

enum scim_type {
    SCIM_STRING,
    SCIM_BOOLEAN,
    SCIM_INTEGER,
    SCIM_DATETIME,
    SCIM_REFERENCE,
    SCIM_BINARY,
    SCIM_COMPLEX
};
enum scim_mutability { SCIM_READ_WRITE, SCIM_READ_ONLY, SCIM_IMMUTABLE, SCIM_WRITE_ONLY };
enum scim_returned { SCIM_BY_DEFAULT, SCIM_ALWAYS, SCIM_NEVER };

/* Section 7. Tables end with a name NULL. */
struct scim_attribute {
    const char *name;
    const char *doc;
    enum scim_type type;
    bool many;
    bool required;
    bool case_exact;
    bool unique; /* within the server */
    enum scim_mutability mutability;
    enum scim_returned returned;
    const struct scim_attribute *sub; /* of a complex one */
    const char *refers;               /* a reference: to this type of resource; NULL: a URI */
    const char *canonical;            /* the one value that it has; NULL: any */
};

struct scim_schema {
    const char *urn;
    const char *name;
    const char *doc;
    const struct scim_attribute *attributes;
};

/* Section 6. */
struct scim_resource {
    const char *name;     /* "User" */
    const char *endpoint; /* "/Users" */
    const struct scim_schema *schema;
    const struct scim_schema *extension; /* NULL: none */
};

extern const struct scim_resource scim_user, scim_group;

/* The answers of /Schemas and /ResourceTypes for one: new values. */
json_t *scim_schema_json(const struct scim_schema *schema, const char *base_url) MUST_USE;
json_t *scim_resource_json(const struct scim_resource *resource, const char *base_url) MUST_USE;

/* What a client may set of a resource, as the schema writes it: names in any case become the
 * schema's, what is read-only is left out, "True" and "False" become booleans. ERR_INVALID for an
 * attribute that no schema has, for a wrong type, for a required one that is missing. */
int scim_read(const struct scim_resource *resource, const json_t *body, json_t **out,
              const char **type, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ filters (RFC 7644 3.4.2.2) */

struct scim_filter;

/* In the arena. ERR_INVALID (invalidFilter) with the column. */
int scim_filter_parse(const struct scim_resource *resource, struct span text, struct arena *arena,
                      const struct scim_filter **out, struct err *err) MUST_USE;
bool scim_filter_matches(const struct scim_filter *filter, const json_t *resource);
/* The text that the filter demands of a top attribute with "eq", when nothing can match otherwise:
 * so that a look-up by userName need not read all users. NULL: read all. */
const char *scim_filter_demands(const struct scim_filter *filter, const char *attribute);

/* ------------------------------------------------------------------ paths */

/* attribute, attribute.sub, attribute[filter], attribute[filter].sub; behind a schema's URN or not.
 */
struct scim_path {
    const struct scim_schema *schema; /* where the attribute is; NULL: common to all resources */
    bool extension;                   /* it is in the member that the schema's URN names */
    const struct scim_attribute *attribute; /* NULL: the extension as a whole */
    const struct scim_attribute *sub;       /* NULL: none */
    const struct scim_filter *filter;       /* NULL: none */
};

/* In the arena. ERR_INVALID (invalidPath; invalidFilter within the brackets). */
int scim_path_parse(const struct scim_resource *resource, struct span text, struct arena *arena,
                    struct scim_path *out, const char **type, struct err *err) MUST_USE;

/* Orders two resources by an attribute (RFC 7644 section 3.4.2.3): below, at or above 0. What has
 * no value comes last. */
int scim_compare(const struct scim_path *path, const json_t *a, const json_t *b);

/* ------------------------------------------------------------------ PATCH (RFC 7644 3.5.2) */

/* Changes the resource as the message demands; all or nothing. What comes from Entra ID and Okta is
 * understood too: operations in capitals, booleans as texts, values named by a path, members to
 * remove in `value`. */
int scim_patch(const struct scim_resource *resource, json_t *target, const json_t *message,
               const char **type, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ what is answered */

/* The parameters attributes and excludedAttributes (RFC 7644 section 3.9), comma-separated, "" for
 * none: removes from the resource what is not asked for and what is never returned. ERR_INVALID for
 * an unknown attribute. */
int scim_project(const struct scim_resource *resource, json_t *target, const char *attributes,
                 const char *excluded, struct arena *arena, struct err *err) MUST_USE;

#endif
