/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled patterns: PCRE2 decides, Vectorscan says beforehand which are worth asking. For this
 * folder. */
#ifndef DRUN_GUARD_RULES_H
#define DRUN_GUARD_RULES_H

#include "guard/detectors.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <hs/hs.h>
#include <pcre2.h>

/* Detectors by their number, then encodings. */
enum { RULES_MAX = GUARD_DETECTORS_MAX + ENCODING_COUNT };

struct guard_rules {
    pcre2_code *code[RULES_MAX]; /* NULL: no pattern */
    size_t count;
    bool sound; /* libhs can be relied on */
    hs_database_t *all;
    hs_scratch_t *scratch; /* of the one thread that looks */
    pcre2_match_context *limits;
};

/* One look for one pattern. */
enum found { FOUND_NOTHING, FOUND_MATCH, FOUND_PARTIAL };
struct look {
    const uint8_t *text;
    size_t len;
    size_t from;
    bool last; /* nothing comes behind the text */
};
/* *start and *end of a match; for FOUND_PARTIAL *start is where a match may begin. */
enum found rules_look(const struct guard_rules *rules, pcre2_match_data *data, size_t number,
                      const struct look *look, size_t *start, size_t *end);

/* Sets candidates[number] for the patterns that may match somewhere in the text; false when that
 * cannot be told, and all must be asked. */
bool rules_candidates(const struct guard_rules *rules, struct span text,
                      bool candidates[RULES_MAX]);

#endif
