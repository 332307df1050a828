/* SPDX-License-Identifier: Apache-2.0 */
/* An engine and its transactions from the inside. */
#ifndef DRUN_WAF_RUN_H
#define DRUN_WAF_RUN_H

#include "waf/body/body.h"
#include "waf/compile/phrases.h"
#include "waf/image.h"
#include "waf/run/traits.h"

#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <hs/hs.h>
#include <pcre2.h>

enum { CAPTURES = 10, PAIRS_MAX = 64, NUMBER_SIZE = 24 };

/* ------------------------------------------------------------------ engine */

/* A pattern, compiled when it is first needed: of a thousand, a worker needs few. */
struct pattern {
    const struct image_pattern *image;
    struct span bytes;
    pcre2_code *code;
    bool wide;       /* its rules look at all values of a collection */
    uint64_t *slots; /* of a key: TX variables whose names it is in; NULL: not asked yet */
};

/* Values that some rule of a partition looks at: all of a variable, or those of a key. */
struct look {
    enum waf_var var;
    bool keyed;
    struct span key;
};

struct partition {
    const struct image_partition *image;
    hs_database_t *database; /* NULL: its patterns are looked for one by one */
    uint64_t traits;         /* without any of them no chain changes anything */
    uint64_t needs;          /* without any of them a text has none of its patterns */
    uint64_t asks;           /* without any of them no text that is made of a value has one */
    uint64_t *all;           /* its chains */
    struct look *looks;
    size_t look_count;
};

/* What is looked at before a rule runs, close together: most rules need no more. */
struct step {
    /* A rule that compares a TX variable with a number, such as a paranoia level, or two (it
     * matches when one does); 1 +, or 0. */
    uint32_t slots[2];
    uint32_t pattern;   /* of a rule that does nothing when it is in no value; 1 +, or 0 */
    uint32_t partition; /* 1 +, or 0 */
    uint32_t limit;     /* a TX variable that has the number; 1 +, or 0 */
    uint8_t op;         /* enum waf_op */
    bool negate;
    bool counts[2]; /* how often the variable is there: 0 or 1 */
    bool plain;     /* when it is so, its actions run and nothing else happens */
    int64_t number;
};

struct waf_engine {
    const struct snapshot *image;
    struct waf_engine_options options;
    struct waf_store store;
    bool has_store;
    const struct image_head *head;
    const struct image_rule *rules;
    const struct image_target *targets;
    const struct image_part *parts;
    const struct image_action *actions;
    const struct image_chain *chains;
    const uint32_t *indexes;
    uint32_t rule_count;
    uint32_t chain_count;
    uint32_t chain_words; /* of a set of chains */
    uint32_t slot_count;
    uint32_t pattern_count;
    uint32_t partition_count;
    uint32_t xpath_count;
    struct pattern *patterns;
    struct partition *partitions;
    struct waf_op_state **states;    /* by rule */
    struct step *steps;              /* by rule */
    uint64_t *chain_traits;          /* the bytes without which a chain changes nothing */
    bool uses[VAR_COUNT];            /* some rule looks at it */
    enum waf_var scalars[VAR_COUNT]; /* that are used, and no collections */
    uint32_t scalar_count;
    const struct waf_unicode_map *map;
    struct waf_geo *geo;
    hs_scratch_t *scratch;
    pcre2_match_context *limits;
    pcre2_match_data *found;
    uint32_t groups; /* of the last match, the whole of it too */
    pcre2_jit_stack *stack;
};

/* Whether the text has the pattern. engine->found then says where, for a regular expression. */
enum regex_result { REGEX_NO, REGEX_YES, REGEX_LIMIT };
enum regex_result pattern_match(struct waf_engine *engine, struct pattern *pattern,
                                struct span text) MUST_USE;
enum regex_result regex_match(struct waf_engine *engine, const pcre2_code *code,
                              struct span text) MUST_USE;

/* ------------------------------------------------------------------ values */

/* What a step made of a text: chains that differ in steps that changed nothing share it. */
struct made {
    struct made *next;
    enum waf_transform step;
    struct span in;
    struct span out;
};

struct results {
    struct made *made;
    struct span by_chain[]; /* p == NULL: not made yet */
};

struct value {
    struct span key;
    struct span text;
    struct results *results;
    uint64_t *hits; /* patterns that the databases found; NULL: none */
    uint64_t traits;
    uint32_t partition; /* 1 + the last that it was scanned for */
    bool is_fixed;      /* lies in a list, so `hits` tells of it */
};

struct list {
    struct value **items;
    uint32_t count;
    uint32_t cap;
};

/* A value that matched. */
struct match {
    enum waf_var var;
    struct span key;
    struct span text; /* transformed */
    size_t at;
    size_t len;
};

struct removal {
    struct snapshot_ref indexes; /* rules, ascending */
    const struct image_target *target;
};

struct extra {
    struct span name;
    struct span text; /* p == NULL: unset again */
};

struct extras {
    struct extra *items;
    size_t count;
    size_t cap;
};

enum allow { ALLOW_NONE, ALLOW_PHASE, ALLOW_REQUEST, ALLOW_ALL };
enum processor { PROCESS_URLENCODED, PROCESS_MULTIPART, PROCESS_JSON, PROCESS_XML, PROCESS_NONE };

struct hits {
    struct waf_hit *items;
    size_t count;
    size_t cap;
};

struct waf_tx {
    struct waf_engine *engine;
    struct arena *arena;
    struct buf request_body;
    struct buf response_body;
    struct buf text; /* where macros are put together */
    uint64_t start_ns;
    uint64_t work_left;
    unsigned events;
    unsigned phase;
    struct waf_verdict verdict;
    enum allow allow;
    struct hits hits;

    /* settings that ctl changes */
    uint32_t mode; /* enum engine_mode */
    bool request_access;
    bool response_access;
    bool force_body;
    bool audit_off;
    uint64_t request_limit;
    uint64_t response_limit;
    enum processor processor;
    bool processor_forced;

    /* variables */
    struct list lists[VAR_COUNT];
    struct list *xpaths; /* by XPath expression */
    bool *xpath_done;
    struct span *slots; /* TX; p == NULL: unset */
    struct extras tx_extra;
    struct extras env;
    struct span collection_keys[VAR_COUNT]; /* of persistent ones; p == NULL: no initcol */
    struct match *matched;                  /* MATCHED_VARS */
    size_t matched_count;
    size_t matched_cap;
    struct waf_xml *xml;
    struct waf_op_run op; /* its geo_record is what GEO has */
    unsigned highest_severity;
    uint64_t args_size;
    uint64_t files_size;
    struct span client_addr;
    struct span content_type;
    struct span host;

    /* while rules run */
    uint8_t *scanned; /* by partition: enum scan_state */
    uint64_t *active; /* patterns that some value has */
    struct joined *joined;
    uint64_t *removed; /* rules */
    bool has_removed;
    struct removal *removals;
    size_t removal_count;
    size_t removal_cap;
    const struct image_rule *rule; /* that is evaluated; of its chain, the first */
    struct value **gathered;
    size_t gathered_count;
    size_t gathered_cap;
    const uint64_t *accept; /* chains, for the callback of a scan */
    struct value *scanning;
    int64_t time_sec; /* of `local`; 0: not asked yet */
    struct tm local;
};

/* Memory of the transaction; NULL when it is used up, which is an event. */
void *tx_alloc(struct waf_tx *tx, size_t size) MUST_USE;
/* A copy; empty when there is no room. Never p == NULL. */
struct span tx_copy(struct waf_tx *tx, struct span text) MUST_USE;
struct span tx_number(struct waf_tx *tx, int64_t number) MUST_USE;
/* Room for one more element of `size` behind `count`; false: no room. */
bool tx_grow(struct waf_tx *tx, void *items, size_t count, size_t *cap, size_t size) MUST_USE;
/* False once the work or the memory of the transaction is used up. */
bool tx_work(struct waf_tx *tx, size_t bytes);

/* lists.c */
struct value *list_add(struct waf_tx *tx, enum waf_var var, struct span key, struct span text);
void list_share(struct waf_tx *tx, enum waf_var var, struct value *value);
void list_set(struct waf_tx *tx, enum waf_var var, struct span text);
void list_set_number(struct waf_tx *tx, enum waf_var var, int64_t number);
/* The first with the key; p == NULL: none. */
struct span list_find(const struct waf_tx *tx, enum waf_var var, const char *key) MUST_USE;
void tx_add_argument(struct waf_tx *tx, bool get, struct span name, struct span value);
void xpath_load(struct waf_tx *tx, uint32_t index);

/* gather.c: puts what a target names behind tx->gathered; how many there were before. */
size_t gather(struct waf_tx *tx, const struct image_rule *rule,
              const struct image_target *target) MUST_USE;
bool target_covers(struct waf_tx *tx, const struct image_target *target, enum waf_var var,
                   struct span key) MUST_USE;
/* computed.c: variables that are no lists; `key`: NULL for all. */
void gather_computed(struct waf_tx *tx, const struct image_rule *rule,
                     const struct image_target *target);
void gather_add(struct waf_tx *tx, struct span key, struct span text);
/* The first value of a variable; p == NULL: it has none. */
struct span variable_first(struct waf_tx *tx, const struct image_rule *rule, enum waf_var var,
                           uint32_t slot, struct span key) MUST_USE;

/* transforms.c */
struct span transformed(struct waf_tx *tx, struct value *value, uint32_t chain) MUST_USE;

/* scan.c, and joined.c for values that are short: many are scanned as one text. */
enum scan_state { SCAN_NOT_YET, SCAN_DONE, SCAN_FAILED };
void scan_partition(struct waf_tx *tx, uint32_t partition);
static inline bool partition_changes(const struct partition *partition, const struct value *value)
{
    return (value->traits & partition->traits) != 0 || partition->traits == TRAITS_ALWAYS;
}
static inline bool partition_may_find(const struct partition *partition, uint64_t traits)
{
    return (traits & partition->needs) != 0 || partition->needs == TRAITS_ALWAYS;
}
bool scan_alone(struct waf_tx *tx, const struct partition *partition, struct value *value) MUST_USE;
/* The pattern may be in the value. */
bool note_found(struct waf_tx *tx, struct value *value, uint32_t pattern) MUST_USE;
/* Puts the value to those that are scanned next, or scans it; false: could not be looked at. */
bool join_value(struct waf_tx *tx, const struct partition *partition, struct value *value) MUST_USE;
bool join_scan(struct waf_tx *tx, const struct partition *partition) MUST_USE;
static inline bool bit_is_set(const uint64_t *bits, uint32_t at)
{
    return (bits[at / 64] >> (at % 64) & 1) != 0;
}
static inline void bit_set(uint64_t *bits, uint32_t at)
{
    bits[at / 64] |= UINT64_C(1) << (at % 64);
}

/* macro.c: lives until the transaction ends. */
struct span expand(struct waf_tx *tx, const struct image_rule *rule,
                   struct snapshot_ref parts) MUST_USE;
int64_t to_number(struct span text) MUST_USE;
struct span match_name(struct waf_tx *tx, enum waf_var var, struct span key) MUST_USE;

/* tx_vars.c */
void tx_var_set(struct waf_tx *tx, struct span name, uint32_t slot, struct span text);
struct span tx_var_get(const struct waf_tx *tx, struct span name, uint32_t slot) MUST_USE;
void extras_set(struct waf_tx *tx, struct extras *extras, struct span name, struct span text);
struct span extras_get(const struct extras *extras, struct span name) MUST_USE;

/* act.c */
void run_actions(struct waf_tx *tx, const struct image_rule *rule, struct snapshot_ref actions);
void run_disruptive(struct waf_tx *tx, const struct image_rule *rule);

/* evaluate.c: a rule with those chained to it. */
bool run_rule(struct waf_tx *tx, const struct image_rule *rule);
/* steps.c */
void find_steps(struct waf_engine *engine);
/* What the comparison of a step says of the variable now. */
bool step_holds(const struct waf_tx *tx, const struct step *step) MUST_USE;
/* phase.c */
const struct waf_verdict *run_phase(struct waf_tx *tx, unsigned phase);

/* request_body.c */
void process_request_body(struct waf_tx *tx);

#endif
