/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operators of SecLang (`@streq`), as ModSecurity v3 does them (DIFFERENCES.md has the rest).
 * All but rx, rxGlobal, pm and pmFromFile, which the engine compiles into its own databases: their
 * names are known here, nothing more.
 *
 * An operator lives three times. prepare, when rules are compiled: reads the argument (and the
 * files that it names) into a blob, which is part of the rules' image. load, once in each worker:
 * what cannot lie in an image, such as a compiled pattern. match, for each value.
 */
#ifndef DRUN_WAF_OPERATOR_H
#define DRUN_WAF_OPERATOR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum waf_op {
    /* The engine's own; waf_op_prepare() refuses them with ERR_UNSUPPORTED. */
    WAF_OP_RX,
    WAF_OP_RX_GLOBAL,
    WAF_OP_PM,
    WAF_OP_PM_FROM_FILE,

    WAF_OP_BEGINS_WITH,
    WAF_OP_CONTAINS,
    WAF_OP_CONTAINS_WORD,
    WAF_OP_DETECT_SQLI,
    WAF_OP_DETECT_XSS,
    WAF_OP_ENDS_WITH,
    WAF_OP_EQ,
    WAF_OP_FUZZY_HASH, /* refused by waf_op_prepare() */
    WAF_OP_GE,
    WAF_OP_GEO_LOOKUP,
    WAF_OP_GSB_LOOKUP, /* refused */
    WAF_OP_GT,
    WAF_OP_INSPECT_FILE, /* refused */
    WAF_OP_IP_MATCH,
    WAF_OP_IP_MATCH_FROM_FILE,
    WAF_OP_LE,
    WAF_OP_LT,
    WAF_OP_NO_MATCH,
    WAF_OP_RBL,  /* refused */
    WAF_OP_RSUB, /* refused */
    WAF_OP_STREQ,
    WAF_OP_STRMATCH,
    WAF_OP_UNCONDITIONAL_MATCH,
    WAF_OP_VALIDATE_BYTE_RANGE,
    WAF_OP_VALIDATE_DTD,
    WAF_OP_VALIDATE_HASH, /* refused */
    WAF_OP_VALIDATE_SCHEMA,
    WAF_OP_VALIDATE_URL_ENCODING,
    WAF_OP_VALIDATE_UTF8_ENCODING,
    WAF_OP_VERIFY_CC,
    WAF_OP_VERIFY_CPF,
    WAF_OP_VERIFY_SSN,
    WAF_OP_VERIFY_SVNR,
    WAF_OP_WITHIN,
    WAF_OP_COUNT
};

/* The name without "@"; letters' case does not matter. False: there is no such operator. */
bool waf_op_by_name(struct span name, enum waf_op *out) MUST_USE;
/* As the documentation spells it, without "@"; static. */
const char *waf_op_name(enum waf_op op);
/* Whether macros (%{tx.x}) in the argument are expanded for each match; in the others they are
 * plain text. */
bool waf_op_expands_macros(enum waf_op op) MUST_USE;
/* Whether the rule must give an argument, may, or must not (then it is ignored, as in v3). */
enum waf_op_arity { WAF_OP_ARG_REQUIRED, WAF_OP_ARG_OPTIONAL, WAF_OP_ARG_NONE };
enum waf_op_arity waf_op_arity(enum waf_op op) MUST_USE;

/* ------------------------------------------------------------------ compile time */

/*
 * Reads `argument` as it stands in the rule (macros unexpanded) and appends the operator's blob to
 * `blob`, which the caller keeps and gives back to the calls below at an address that is a multiple
 * of 8. Offsets inside are relative, so it may be written to a file and mapped elsewhere. It may be
 * empty. Files in the argument are read here and never again; `dir` is where relative names begin
 * (the rules file's folder). -1: ERR_INVALID (argument), ERR_NOT_FOUND and the like (file),
 * ERR_UNSUPPORTED (refused; the message says why and what to use instead).
 */
int waf_op_prepare(enum waf_op op, struct span argument, const char *dir, struct buf *blob,
                   struct err *err) MUST_USE;

/* ------------------------------------------------------------------ one worker */

/* Heap memory behind a blob: compiled patterns, schemas. *out is NULL when the operator needs none.
 * Immutable when made, but for one thread: matching uses scratch memory inside. */
struct waf_op_state;
int waf_op_load(enum waf_op op, struct span blob, struct waf_op_state **out,
                struct err *err) MUST_USE;
void waf_op_state_free(struct waf_op_state *state);
void waf_op_state_free_ptr(struct waf_op_state **state);

/* A MaxMind database (SecGeoLookupDb), mapped. */
struct waf_geo;
int waf_geo_open(const char *path, struct waf_geo **out, struct err *err) MUST_USE;
void waf_geo_free(struct waf_geo *geo);
void waf_geo_free_ptr(struct waf_geo **geo);

/* What geoLookup puts into GEO; p == NULL: the database does not say. */
enum waf_geo_field {
    WAF_GEO_COUNTRY_CODE,
    WAF_GEO_COUNTRY_NAME,
    WAF_GEO_COUNTRY_CONTINENT,
    WAF_GEO_CITY,
    WAF_GEO_POSTAL_CODE,
    WAF_GEO_LATITUDE,
    WAF_GEO_LONGITUDE,
    WAF_GEO_COUNT
};
/* "COUNTRY_CODE"; static. */
const char *waf_geo_field_name(enum waf_geo_field field);

/* ------------------------------------------------------------------ matching */

struct waf_xml; /* body.h */

/* What a match may look at beside the value. */
struct waf_op_run {
    struct arena *arena;
    const struct waf_geo *geo;             /* NULL: geoLookup never matches */
    struct waf_xml *xml;                   /* the request's body; NULL: it is no XML */
    struct span geo_record[WAF_GEO_COUNT]; /* out: by the last geoLookup that matched */
};

/* Where and what. */
struct waf_op_found {
    size_t offset; /* the part of the value that matched; all of it where no part is to blame */
    size_t len;
    struct span capture; /* what the action `capture` puts into TX.0: the fingerprint of detectSQLi,
                            the number of verifyCC; p == NULL: nothing */
};

/*
 * `argument`: as prepared, or with its macros expanded when waf_op_expands_macros(). `state`: by
 * waf_op_load() from the same blob. *found is written when it matches. Negation (`!@`) is the
 * caller's. Never fails: what cannot be looked at (no database, no XML document) follows v3:
 * geoLookup does not match, validateDTD and validateSchema match.
 */
bool waf_op_match(enum waf_op op, struct span blob, struct waf_op_state *state,
                  struct span argument, struct span value, struct waf_op_run *run,
                  struct waf_op_found *found) MUST_USE;

/* The number that eq, ge, gt, le and lt see in a text. As strtoll(3) reads a prefix of it: blanks,
 * a sign, digits; 0 when there are none; saturated. */
int64_t waf_op_number(struct span text) MUST_USE;

#endif
