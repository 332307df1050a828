/* SPDX-License-Identifier: Apache-2.0 */
/* From the model to the image; inside the compiler. */
#ifndef DRUN_WAF_COMPILE_H
#define DRUN_WAF_COMPILE_H

#include "snapshot/writer.h"
#include "waf/image.h"

struct compiler {
    struct model *model;
    struct snapshot_writer *writer;
    const struct waf_compile_options *options;
    struct image_head head;
    struct vec flat; /* struct model_rule of each rule of the image, in its order */
    struct buf scratch;
};

/* Bytes with nothing before them, or aligned on 8. */
struct snapshot_ref compile_bytes(struct compiler *c, struct span bytes) MUST_USE;
struct snapshot_ref compile_aligned(struct compiler *c, struct span bytes) MUST_USE;
/* The number of a TX variable; a new one when there is none. */
uint32_t compile_slot(struct compiler *c, struct span name);
uint32_t compile_chain_step(struct compiler *c, uint32_t parent, enum waf_transform step) MUST_USE;
uint32_t compile_pattern(struct compiler *c, enum image_pattern_kind kind, uint32_t chain,
                         struct span bytes) MUST_USE;
/* compile_text.c: a text with macros. */
struct snapshot_ref compile_parts(struct compiler *c, struct span text, bool *has_macros) MUST_USE;

/* compile_rule.c: fills in everything but next, jump and partition. */
int compile_rule(struct compiler *c, const struct model_rule *rule, struct image_rule *out,
                 struct err *err) MUST_USE;
/* One target; rule is where its XML namespaces come from, or NULL. */
int compile_target(struct compiler *c, const struct model_target *target,
                   const struct model_rule *rule, const struct place *at, struct image_target *out,
                   struct err *err) MUST_USE;
/* compile_action.c: false when the action does nothing when rules run. */
int compile_action(struct compiler *c, const struct model_action *action, struct image_action *out,
                   bool *on_match, bool *kept, struct err *err) MUST_USE;
/* compile_operator.c */
int compile_operator(struct compiler *c, const struct model_rule *rule, struct image_rule *out,
                     struct err *err) MUST_USE;
/* compile_scan.c: the databases, when all rules are in the image. */
int compile_partitions(struct compiler *c, struct err *err) MUST_USE;
/* The flags of the expression: as v3 has them, dot matches all and $ each line's end. */
int compile_check_regex(struct span pattern, const struct place *at, struct err *err) MUST_USE;

#endif
