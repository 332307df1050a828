/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind as const data. One table is the only source for validation, defaults, strategic merge,
 * OpenAPI, `kubectl explain`, discovery and table output; a new kind is a new table under kinds/.
 */
#ifndef DRUN_KUBE_SCHEMA_H
#define DRUN_KUBE_SCHEMA_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <jansson.h>

struct kube_principal;
struct kube_terms;

enum kube_type {
    KUBE_STRING = 1,
    KUBE_BOOL,
    KUBE_INT32,
    KUBE_INT64,
    KUBE_OBJECT,
    KUBE_LIST,
    KUBE_MAP, /* names of any kind to values of one type */
    KUBE_ANY, /* kept as it comes */
};

enum kube_format {
    KUBE_PLAIN,
    KUBE_BYTES,         /* base64, padded */
    KUBE_TIME,          /* RFC 3339 */
    KUBE_QUANTITY,      /* 500m, 2Gi, 1e3; a number is turned into text */
    KUBE_DNS_LABEL,     /* RFC 1123, at most 63 characters */
    KUBE_DNS_SUBDOMAIN, /* RFC 1123, at most 253 characters */
    KUBE_PATH_SEGMENT,  /* what fits between two slashes: system:admin */
    KUBE_LABEL_KEY,     /* [prefix/]name */
    KUBE_LABEL_VALUE,
    KUBE_CONFIG_KEY, /* names in Secret and ConfigMap */
    KUBE_URL,        /* http or https, without user or fragment */
    KUBE_EMAIL,
    KUBE_CIDR,
    KUBE_DIGEST,        /* sha256: and 64 hex digits */
    KUBE_MODEL_PATTERN, /* namespace/name, one namespace, or all */
};

/* How two lists of one field are merged (x-kubernetes-list-type). */
enum kube_list { KUBE_ATOMIC, KUBE_SET, KUBE_KEYED };

enum kube_field_flags {
    KUBE_REQUIRED = 1,
    KUBE_IMMUTABLE = 2,
    KUBE_DROPPED = 4,    /* accepted and forgotten */
    KUBE_NOT_EMPTY = 8,  /* an empty text or list is as bad as a missing one */
    KUBE_WRITE_ONLY = 16 /* taken on input, never stored */
};

struct kube_shape;

struct kube_field {
    const char *name;
    enum kube_type type;
    const char *doc;
    const struct kube_shape *shape; /* of an object, or of the objects in a list or map */
    enum kube_type item;            /* of a list or map; KUBE_OBJECT goes with a shape */
    enum kube_format format;        /* of a text, or of the texts in a list or map */
    enum kube_format key_format;    /* of a map's names */
    unsigned flags;
    enum kube_list list;
    const char *merge_key;     /* for KUBE_KEYED */
    const char *const *values; /* the only texts allowed; ends with NULL */
    const char *fallback;      /* the default, as JSON */
    int64_t min, max;          /* of a number, or a length in characters or items; both 0: none */
    unsigned wire;             /* its number in Kubernetes' protobuf; 0: not there */
};

struct kube_shape {
    const char *name; /* in OpenAPI: "io.drun.v1.User" */
    const char *doc;
    const struct kube_field *fields; /* ends with a zeroed one */
};

/* A cell of `kubectl get`. Without a function the value at the path is shown. */
typedef json_t *kube_cell_fn(const json_t *object, int64_t now_sec);
struct kube_column {
    const char *name;
    const char *type; /* string, integer, boolean, date */
    const char *doc;
    const char *path; /* "spec.replicas" */
    kube_cell_fn *cell;
    int priority; /* above 0 only with -o wide */
};

enum kube_verbs {
    KUBE_CREATE = 1,
    KUBE_GET = 2,
    KUBE_LISTING = 4,
    KUBE_WATCH = 8,
    KUBE_UPDATE = 16,
    KUBE_PATCH = 32,
    KUBE_DELETE = 64,
    KUBE_DELETE_COLLECTION = 128,
    KUBE_READ_ONLY_VERBS = KUBE_GET | KUBE_LISTING | KUBE_WATCH,
    KUBE_ALL_VERBS = 255,
};

enum kube_special {
    KUBE_STORED,           /* an ordinary kind */
    KUBE_ACCESS_SELF,      /* SelfSubjectAccessReview */
    KUBE_ACCESS_SUBJECT,   /* SubjectAccessReview, LocalSubjectAccessReview */
    KUBE_RULES_SELF,       /* SelfSubjectRulesReview */
    KUBE_WHO_AM_I,         /* SelfSubjectReview */
    KUBE_TOKEN_REVIEW,     /* TokenReview */
    KUBE_SUBRESOURCE_KIND, /* only the body of a subresource */
};

/* What a rule finds: "spec.limits", a reason such as FieldValueInvalid, and the sentence. */
struct kube_causes {
    json_t *list;
};
void kube_cause(struct kube_causes *causes, const char *reason, const char *path, const char *fmt,
                ...) PRINTF_LIKE(4, 5);

struct kube_kind {
    const char *group; /* "" for the core group */
    const char *version;
    const char *kind;
    const char *plural;
    const char *singular;
    const char *const *short_names; /* ends with NULL, or NULL */
    const char *const *categories;
    bool namespaced;
    bool has_status;
    unsigned verbs;
    enum kube_format name_format;
    enum kube_special special;
    const struct kube_shape *shape;
    const struct kube_column *columns; /* between NAME and AGE, which every kind has */
    const char *const *selectable;     /* paths for field selectors beside the two of metadata */
    /* Of these, texts by which a list need not look at every object. */
    const char *const *indexed;
    /* What else the owner finds objects by (kube_object_each_by()); with the indexed fields at most
     * KUBE_TERMS_MAX for one object. NULL: nothing. */
    void (*terms)(const json_t *object, struct kube_terms *terms);
    const struct kube_subresource *others; /* beside status; ends with a zeroed one, or NULL */
    /* Defaults that need more than a constant. `old` is NULL for a new object. */
    void (*prepare)(json_t *object, const json_t *old, const struct kube_principal *by);
    /* Rules over several fields. */
    void (*validate)(const json_t *object, const json_t *old, struct kube_causes *causes);
};

struct kube_subresource {
    const char *name;
    const struct kube_kind *body;
    unsigned verbs; /* for discovery; the role's own route answers what lib/kube does not */
};

/* The three names that every object begins with. */
extern const struct kube_shape kube_shape_meta;
#define KUBE_TOP_FIELDS                                                                            \
    {"apiVersion", KUBE_STRING,                                                                    \
     "Group and version of the schema that this object is written in."},                           \
        {"kind", KUBE_STRING, "The kind of this object, in camel case."},                          \
    {                                                                                              \
        "metadata", KUBE_OBJECT, "What every object has: its name, labels and history.",           \
            .shape = &kube_shape_meta, .wire = 1                                                   \
    }

#define KUBE_NAMES(...)                                                                            \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* Every kind of the platform, whoever serves it; ends with NULL. */
extern const struct kube_kind *const kube_kinds[];

const struct kube_kind *kube_kind_find(const char *group, const char *version, const char *plural);
const struct kube_kind *kube_kind_by_name(const char *group, const char *kind);
/* "drun.io/v1", "v1"; lives as long as the process. */
const char *kube_kind_api_version(const struct kube_kind *kind);
/* "users.drun.io", "secrets": the resource's name in storage, errors and authorization. */
const char *kube_kind_resource(const struct kube_kind *kind);
/* NULL when the shape has no such field. */
const struct kube_field *kube_shape_field(const struct kube_shape *shape, const char *name);

/* Removes what the schema does not know and every null. `unknown`, when not NULL, gets the path of
 * each unknown name. */
void kube_schema_prune(const struct kube_shape *shape, json_t *object, json_t *unknown);
/* Fills in constant defaults; an object that is missing is not made for its members' sake. */
void kube_schema_defaults(const struct kube_shape *shape, json_t *object);
/* Types, required names, ranges, formats, immutable fields. `old` may be NULL. */
void kube_schema_validate(const struct kube_shape *shape, const json_t *object, const json_t *old,
                          struct kube_causes *causes);

/* Kubernetes' protobuf, as clients send built-in kinds: "k8s", NUL, an envelope, the object. -1
 * with ERR_INVALID when it is none; the members of *out are those that the schema numbers. */
int kube_protobuf_parse(struct span bytes, const struct kube_shape *shape, json_t **out,
                        struct err *err) MUST_USE;

/* NULL when the text is good, otherwise a sentence that says what is allowed. */
const char *kube_format_check(enum kube_format format, const char *text);

#endif
