/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as they were read: what the parser fills and the compiler reads. Everything lies in the
 * model's arena but for the vectors of pointers, which are the model's own. */
#ifndef DRUN_WAF_MODEL_H
#define DRUN_WAF_MODEL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "waf/body/body.h"
#include "waf/operator/operator.h"
#include "waf/seclang/variable.h"
#include "waf/transform/transform.h"
#include "waf/waf.h"

enum { MODEL_MEMORY_MAX = 512 * 1024 * 1024, PHASES = 5 };

struct vec {
    void **items;
    size_t count;
    size_t cap;
};

void vec_add(struct vec *vec, void *item);
void vec_free(struct vec *vec);

/* Where something was said. */
struct place {
    const char *file;
    unsigned line;
    unsigned column;
};

/* Sets the error to "file:line:column: text"; -1. */
int place_err(const struct place *place, enum err_code code, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

struct model_target {
    enum waf_var var;
    bool count;
    bool exclude;
    bool is_regex;
    struct span selector; /* p == NULL: none, the whole collection */
};

enum action_kind {
    ACTION_ACCURACY,
    ACTION_ALLOW,
    ACTION_AUDITLOG,
    ACTION_BLOCK,
    ACTION_CAPTURE,
    ACTION_CHAIN,
    ACTION_CTL,
    ACTION_DENY,
    ACTION_DEPRECATEVAR,
    ACTION_DROP,
    ACTION_EXPIREVAR,
    ACTION_ID,
    ACTION_INITCOL,
    ACTION_LOG,
    ACTION_LOGDATA,
    ACTION_MATURITY,
    ACTION_MSG,
    ACTION_MULTIMATCH,
    ACTION_NOAUDITLOG,
    ACTION_NOLOG,
    ACTION_PASS,
    ACTION_PHASE,
    ACTION_REDIRECT,
    ACTION_REFUSED, /* known, but not done here; the parser says why */
    ACTION_REV,
    ACTION_SANITISE,
    ACTION_SETENV,
    ACTION_SETRSC,
    ACTION_SETSID,
    ACTION_SETUID,
    ACTION_SETVAR,
    ACTION_SEVERITY,
    ACTION_SKIP,
    ACTION_SKIPAFTER,
    ACTION_STATUS,
    ACTION_T,
    ACTION_TAG,
    ACTION_VER,
    ACTION_XMLNS,
};

struct model_action {
    enum action_kind kind;
    struct span arg;
    struct place at;
    unsigned number; /* of id, phase, status, severity, skip, accuracy, maturity; enum waf_transform
                        of t */
};

struct model_rule {
    struct place at;
    struct span text;   /* the whole directive */
    const char *marker; /* of SecMarker; then nothing else is there */
    bool unconditional; /* SecAction */
    bool removed;
    uint32_t id;    /* 0: a chained rule, or none */
    unsigned phase; /* 1 to 5 */
    struct vec targets;
    enum waf_op op;
    bool negate;
    struct span argument;
    struct place argument_at;
    struct vec actions;
    struct model_rule *next; /* of the chain */
    struct vec *defaults;    /* SecDefaultAction of its phase that was in force; NULL: none */
};

enum engine_mode { ENGINE_OFF, ENGINE_ON, ENGINE_DETECT };

/* Settings, as the directives gave them. */
struct model_settings {
    unsigned engine;
    unsigned request_body_access;
    unsigned response_body_access;
    unsigned request_limit_action; /* 0 reject, 1 process partial */
    unsigned response_limit_action;
    unsigned argument_separator;
    unsigned unicode_codepage;
    uint64_t request_body_limit;
    uint64_t request_no_files_limit;
    uint64_t response_body_limit;
    uint64_t json_depth_limit;
    uint64_t arguments_limit;
    uint64_t upload_file_limit;
    uint64_t pcre_match_limit;
    uint64_t collection_timeout;
    const char *unicode_map;
    const char *geo_database;
    const char *web_app_id;
    const char *signature;
};

struct model {
    struct arena *arena;
    struct vec rules;              /* starters, markers and SecActions, in order */
    struct vec exceptions;         /* struct model_exception */
    struct vec *defaults[PHASES];  /* struct model_action, of the SecDefaultAction in force */
    struct vec kept;               /* struct vec *: defaults that rules still point at */
    struct vec response_types;     /* const char *: SecResponseBodyMimeType */
    struct model_rule *open_chain; /* the next SecRule continues it */
    struct model_settings settings;
};

enum exception_kind {
    EXCEPT_REMOVE_ID,
    EXCEPT_REMOVE_TAG,
    EXCEPT_REMOVE_MSG,
    EXCEPT_TARGET_ID,
    EXCEPT_TARGET_TAG,
    EXCEPT_TARGET_MSG,
    EXCEPT_ACTION_ID,
};

struct model_exception {
    enum exception_kind kind;
    struct place at;
    uint32_t first;
    uint32_t last;
    struct span text; /* tag or message */
    struct vec targets;
    struct vec actions;
};

struct model *model_new(void) MUST_USE;
void model_free(struct model *model);
void model_free_ptr(struct model **model);

/* ------------------------------------------------------------------ reading (lex.c) */

enum { LEX_ARGS_MAX = 16, LEX_DEPTH_MAX = 32 };

/* Where the lines of a directive began in its joined text. */
struct lex_map {
    const char *file;
    unsigned first; /* line */
    const size_t *starts;
    size_t count;
};

struct lex_word {
    struct span text;
    struct place at;
    bool quoted;
    const struct lex_map *map; /* NULL: the text lies behind `at` */
    size_t start;              /* of the text in the directive */
};

/* The place of a byte of the word; a column is short by the backslashes that were taken out. */
struct place lex_place(const struct lex_word *word, const uint8_t *p) MUST_USE;

/* A directive with its arguments; the bytes lie in the model's arena. */
struct lex_directive {
    struct lex_word name;
    struct lex_word args[LEX_ARGS_MAX];
    size_t arg_count;
    struct span text;
    const char *dir; /* of its file */
    unsigned depth;
};

/* Calls directive_run() for each directive of the source. */
int lex_source(struct model *model, const struct waf_source *source, unsigned depth,
               struct err *err) MUST_USE;
int lex_include(struct model *model, const struct lex_directive *directive, bool optional,
                struct err *err) MUST_USE;
int lex_read_file(struct arena *arena, const char *path, size_t max, struct span *out,
                  struct err *err) MUST_USE;
/* The name as it is, when absolute; else in the folder. */
const char *lex_path(struct arena *arena, const char *dir, struct span name) MUST_USE;

/* ------------------------------------------------------------------ understanding */

int directive_run(struct model *model, const struct lex_directive *directive,
                  struct err *err) MUST_USE;
/* SecRule, SecAction, SecDefaultAction, SecMarker (rule_parse.c). */
int rule_parse(struct model *model, const struct lex_directive *directive,
               struct err *err) MUST_USE;
int action_directive_parse(struct model *model, const struct lex_directive *directive,
                           struct err *err) MUST_USE;
int default_action_parse(struct model *model, const struct lex_directive *directive,
                         struct err *err) MUST_USE;
int marker_parse(struct model *model, const struct lex_directive *directive,
                 struct err *err) MUST_USE;
/* SecRuleRemove..., SecRuleUpdate... (exception.c). */
int exception_parse(struct model *model, enum exception_kind kind,
                    const struct lex_directive *directive, struct err *err) MUST_USE;
int exceptions_apply(struct model *model, struct err *err) MUST_USE;

/* "ARGS|!ARGS:x|&TX:y" into struct model_target (target_parse.c). */
int targets_parse(struct arena *arena, const struct lex_word *word, struct vec *out,
                  struct err *err) MUST_USE;
/* "id:1,phase:2,t:none" into struct model_action (action_parse.c). */
int actions_parse(struct arena *arena, const struct lex_word *word, struct vec *out,
                  struct err *err) MUST_USE;
const struct model_action *action_find(const struct vec *actions, enum action_kind kind);
bool action_is_disruptive(enum action_kind kind);

/* A range "1-5" or a number. */
bool id_range_parse(struct span text, uint32_t *first, uint32_t *last) MUST_USE;
struct span span_trim(struct span text);

#endif
