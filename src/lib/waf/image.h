/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in an image (waf.snap): a snapshot of lib/snapshot, which checks every reference when
 * the file is loaded. Native byte order; a file never leaves its machine.
 *
 * The rules of a phase lie one behind the other; SecMarkers are gone, skipAfter is a rule's number.
 * Chained rules lie behind those of all phases and are linked by `next`, which only grows.
 */
#ifndef DRUN_WAF_IMAGE_H
#define DRUN_WAF_IMAGE_H

#include "snapshot/view.h"
#include "waf/seclang/model.h"

enum image_section {
    IMAGE_TEXT = SNAPSHOT_TEXT,
    IMAGE_HEAD,
    IMAGE_BYTES,
    IMAGE_RULES,
    IMAGE_TARGETS,
    IMAGE_PARTS,
    IMAGE_ACTIONS,
    IMAGE_TAGS,
    IMAGE_INDEXES,
    IMAGE_CHAINS,
    IMAGE_SLOTS,
    IMAGE_PATTERNS,
    IMAGE_PARTITIONS,
    IMAGE_XPATHS,
    IMAGE_NAMESPACES,
    IMAGE_TYPES,
    IMAGE_SECTION_COUNT
};

enum { IMAGE_NUMBER = 3, IMAGE_FORMAT = 2 };

struct image_head {
    uint32_t engine; /* enum engine_mode */
    uint32_t request_body_access;
    uint32_t response_body_access;
    uint32_t request_limit_action;
    uint32_t response_limit_action;
    uint32_t argument_separator;
    uint64_t request_body_limit;
    uint64_t request_no_files_limit;
    uint64_t response_body_limit;
    uint64_t json_depth_limit;
    uint64_t arguments_limit;
    uint64_t upload_file_limit;
    uint64_t pcre_match_limit;
    uint64_t collection_timeout;
    struct snapshot_ref phases[PHASES]; /* rules */
    struct snapshot_ref unicode_map;    /* bytes; count 0: none */
    struct snapshot_ref geo_database;   /* text */
    struct snapshot_ref web_app_id;     /* text */
    struct snapshot_ref types;          /* of answers whose body is looked at; count 0: all */
};

enum image_rule_flag {
    IMAGE_NEGATE = 1,
    IMAGE_CAPTURE = 2,
    IMAGE_MULTIMATCH = 4,
    IMAGE_LOG = 8,
    IMAGE_AUDIT = 16,
    IMAGE_UNCONDITIONAL = 32,
    IMAGE_MACRO = 64,   /* the operator's argument has macros */
    IMAGE_CTL = 128,    /* one of its actions changes what later rules see */
    IMAGE_SILENT = 256, /* without its pattern being found, nothing happens: may be passed over */
};

enum image_disruptive {
    IMAGE_DO_PASS,
    IMAGE_DO_ALLOW,
    IMAGE_DO_ALLOW_PHASE,
    IMAGE_DO_ALLOW_REQUEST,
    IMAGE_DO_DENY,
    IMAGE_DO_DROP,
    IMAGE_DO_REDIRECT,
};

struct image_rule {
    uint32_t id;
    uint32_t line;
    uint32_t phase;
    uint32_t flags;
    uint32_t op;
    uint32_t chain;     /* of transformations */
    uint32_t next;      /* 1 + the next rule of the chain */
    uint32_t pattern;   /* 1 + of rx and pm without macros */
    uint32_t partition; /* 1 + whose database holds the pattern */
    uint32_t disruptive;
    uint32_t status;
    uint32_t jump; /* 1 + where skip or skipAfter goes on: a rule, or one behind the last */
    uint32_t severity;
    uint32_t maturity;
    uint32_t accuracy;
    struct snapshot_ref targets;
    struct snapshot_ref excludes;
    struct snapshot_ref argument; /* parts */
    struct snapshot_ref blob;     /* bytes, aligned on 8: by waf_op_prepare() */
    struct snapshot_ref on_match; /* actions: setvar */
    struct snapshot_ref on_chain; /* actions, when the whole chain has matched */
    struct snapshot_ref msg;      /* parts, as the next ones */
    struct snapshot_ref logdata;
    struct snapshot_ref redirect;
    struct snapshot_ref tags;
    struct snapshot_ref ver; /* bytes, as the next ones */
    struct snapshot_ref rev;
    struct snapshot_ref file;
    struct snapshot_ref text;
};

enum image_target_flag { IMAGE_COUNT = 1, IMAGE_KEYED = 2 };

struct image_target {
    uint32_t var;
    uint32_t flags;
    uint32_t pattern;        /* 1 + of the key: /regex/ */
    uint32_t slot;           /* 1 + of a TX variable */
    uint32_t xpath;          /* 1 + */
    struct snapshot_ref key; /* bytes, when IMAGE_KEYED */
};

enum { IMAGE_LITERAL = VAR_COUNT };

/* A piece of a text with macros. */
struct image_part {
    uint32_t var; /* or IMAGE_LITERAL */
    uint32_t slot;
    struct snapshot_ref text; /* the literal, or the key */
};

enum image_action_kind {
    IMAGE_SETVAR,
    IMAGE_ADDVAR,
    IMAGE_SUBVAR,
    IMAGE_UNSETVAR,
    IMAGE_EXPIREVAR,
    IMAGE_INITCOL, /* and setsid, setuid, setrsc */
    IMAGE_SETENV,
    IMAGE_CTL_ENGINE,
    IMAGE_CTL_REQUEST_BODY_ACCESS,
    IMAGE_CTL_RESPONSE_BODY_ACCESS,
    IMAGE_CTL_REQUEST_BODY_LIMIT,
    IMAGE_CTL_RESPONSE_BODY_LIMIT,
    IMAGE_CTL_PROCESSOR,
    IMAGE_CTL_FORCE_BODY,
    IMAGE_CTL_AUDIT,
    IMAGE_CTL_REMOVE_RULES,
    IMAGE_CTL_REMOVE_TARGET,
    IMAGE_ACTION_KIND_COUNT
};

struct image_action {
    uint32_t kind;
    uint32_t var;  /* the collection */
    uint32_t slot; /* 1 + of a TX variable whose name has no macros */
    uint32_t number;
    uint32_t target;             /* 1 + of ctl:ruleRemoveTarget... */
    struct snapshot_ref name;    /* parts */
    struct snapshot_ref value;   /* parts */
    struct snapshot_ref indexes; /* rules, ascending: of ctl:ruleRemove... */
};

struct image_tag {
    struct snapshot_ref parts;
};

/* A chain of transformations is another one with a step behind it; the first has none. */
struct image_chain {
    uint32_t parent; /* less than its own number */
    uint32_t step;   /* enum waf_transform */
    uint32_t depth;
};

struct image_slot {
    struct snapshot_ref name; /* bytes */
};

enum image_pattern_kind { IMAGE_REGEX, IMAGE_PHRASES };
enum { IMAGE_NEEDS = 256 / 32 };

struct image_pattern {
    uint32_t kind;
    uint32_t chain;
    uint32_t multi;            /* multiMatch: looked for behind each step of the chain */
    struct snapshot_ref bytes; /* the expression, or a trie of phrases (phrases.h) */
    /* A bit for each byte: every text with the pattern has one of them. All: nothing is known. */
    uint32_t needs[IMAGE_NEEDS];
};

/*
 * Patterns that are looked for together: those of the rules of one phase that are switched on and
 * off by the same guard, such as a paranoia level. In the database a pattern's number is its number
 * in the image.
 */
struct image_partition {
    uint32_t phase;
    uint32_t separator;           /* a byte: what ends a line when values are joined (lines.h) */
    struct snapshot_ref database; /* bytes, serialised by Vectorscan; count 0: could not be made */
    struct snapshot_ref chains;   /* indexes: chains of its patterns, ascending */
    struct snapshot_ref xpaths;   /* the same: of its rules' targets */
};

struct image_xpath {
    struct snapshot_ref text;
    struct snapshot_ref namespaces;
};

struct image_namespace {
    struct snapshot_ref prefix;
    struct snapshot_ref href;
};

struct image_type {
    struct snapshot_ref text; /* bytes, lower case */
};

static inline struct span image_bytes(const struct snapshot *image, struct snapshot_ref ref)
{
    return span_of((const uint8_t *)snapshot_records(image, IMAGE_BYTES) + ref.at, ref.count);
}

/* What the loader of lib/snapshot does not know: numbers that only grow, enums. */
int image_check(const struct snapshot *image, struct err *err) MUST_USE;

#endif
