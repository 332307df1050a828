/* SPDX-License-Identifier: Apache-2.0 */
/* The table of detectors. For this folder. */
#ifndef DRUN_GUARD_DETECTORS_H
#define DRUN_GUARD_DETECTORS_H

#include "guard/guard.h"

typedef bool guard_check_fn(struct span text);

/* What follows a match and belongs to it, however long. */
enum guard_tail { TAIL_NONE, TAIL_TOKEN, TAIL_PEM };

struct detector {
    struct guard_detector about;
    const char *pattern; /* PCRE2, over normalised text; NULL: characters, see text.c */
    /* Something simple that is in every match, which libhs looks for beforehand; NULL: the pattern.
     * libhs takes a tenth of a second to compile the patterns, and milliseconds for these. */
    const char *hint;
    guard_check_fn *check; /* may be NULL */
    enum guard_tail tail;
};

extern const struct detector guard_table[];
extern const size_t guard_table_len;

/* Characters that are found while the text is normalised. */
size_t guard_number_invisible(void);
size_t guard_number_bidi(void);

/* Runs that may be text in another encoding. */
enum guard_encoding { ENCODING_BASE64, ENCODING_HEX, ENCODING_PERCENT, ENCODING_COUNT };
extern const char *const guard_encoding_patterns[ENCODING_COUNT];
extern const char *const guard_encoding_hints[ENCODING_COUNT];
/* False when what comes out is no text. */
bool guard_decode(enum guard_encoding encoding, struct span run, struct buf *out);

/* ------------------------------------------------------------------ checks.c */

guard_check_fn guard_check_luhn;     /* ISO/IEC 7812-1 */
guard_check_fn guard_check_cn_id;    /* GB 11643: date and ISO 7064 MOD 11-2 */
guard_check_fn guard_check_iban;     /* ISO 13616 */
guard_check_fn guard_check_password; /* not one that a manual would show */

#endif
