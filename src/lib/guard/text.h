/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as the detectors see it: look-alikes of ASCII are ASCII (full-width forms, mathematical
 * letters, Cyrillic and Greek twins), invisible characters are gone; and where each byte of it
 * came from. For this folder.
 */
#ifndef DRUN_GUARD_TEXT_H
#define DRUN_GUARD_TEXT_H

#include "guard/guard.h"

/* What was seen before; zeroed at the start of a text. */
struct text_state {
    uint32_t before;    /* the last character that is to be seen */
    bool right_to_left; /* there was one from a script of that kind */
    bool flag;          /* within the tags of a flag (UTS #51) */
    uint8_t selectors;  /* variation selectors in a row */
    unsigned unseen;    /* invisible characters in a row */
};

enum text_hidden { TEXT_SEEN, TEXT_INVISIBLE, TEXT_BIDI };

/* The character at p, its length in bytes; 0 when the text ends in the middle of it. What is no
 * UTF-8 is a character of one byte with `point` 0xFFFD. */
size_t text_decode(const uint8_t *p, size_t left, uint32_t *point);

/* What stands for the character, as UTF-8 in out[4]; returns its length: 0 for one that nobody
 * sees; a crowd of those is a blank. *hidden says whether that is suspicious here. */
size_t text_normalise(struct text_state *state, uint32_t point, uint8_t out[4],
                      enum text_hidden *hidden);

/* The same for a run of ASCII, by its last character: it stands for itself. */
void text_saw_plain(struct text_state *state, uint8_t last);

#endif
