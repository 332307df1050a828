/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the claims of an outside account become here, by the `mapping` of an IdentityProvider:
 *
 *     {claim: groups, match: "eng-*", template: "engineering-{1}"}
 *
 * A claim is a name, or with a slash at its beginning a JSON Pointer (RFC 6901). A list gives each
 * of its texts. In `match` a star stands for any run of characters, in `template` {0} is the whole
 * value and {1} to {9} are what the stars were. Nothing else: no code. All of it works on hostile
 * claims.
 */
#ifndef DRUN_IDP_MAPPING_H
#define DRUN_IDP_MAPPING_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

enum { MAPPING_STARS_MAX = 9, MAPPING_TEXT_MAX = 253, MAPPING_GROUPS_MAX = 64 };

/* What a person's claims became. Texts are "" for none. */
struct person {
    char subject[256];                    /* names the account at its provider, for good */
    char user_name[MAPPING_TEXT_MAX + 1]; /* fits a User's metadata.name */
    char display[129];
    char email[255];
    bool email_verified;
    json_t *groups; /* owned; texts, each once */
};

void person_free(struct person *person);

/* The value at a claim's name or pointer; NULL. */
const json_t *mapping_find(const json_t *claims, const char *claim);
/* Appends the template filled in; false when the value does not match. */
bool mapping_apply(const char *match, const char *template, const char *value, struct buf *out);
/* A name of a person as that of a User, in place: Alice@Corp.Example becomes alice-corp.example. */
void mapping_make_name(char *name);
/* May a user be put into a group of this name by a provider? */
bool mapping_group_is_good(const char *group);
/* Is the template a text of its own, whatever the value is? */
bool mapping_is_fixed(const char *template);

/* `spec` is an IdentityProvider's. The claims of a directory's entry are its attributes. The
 * subject is left alone. ERR_DENIED when no user name comes out. */
int mapping_run(const json_t *spec, const json_t *claims, struct person *out,
                struct err *err) MUST_USE;

#endif
