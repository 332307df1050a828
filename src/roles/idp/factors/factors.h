/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person has beside the password, and what a sign-in still needs. docs/PROTOCOL.session has
 * the paths and bodies.
 */
#ifndef DRUN_IDP_FACTORS_H
#define DRUN_IDP_FACTORS_H

#include "idp/idp_internal.h"

/* Bits. */
enum factor {
    FACTOR_TOTP = 1,
    FACTOR_PASSKEY = 2,
    FACTOR_SMS = 4,
    FACTOR_RECOVERY = 8,
    FACTOR_PASSWORD = 16, /* asked for again */
    FACTOR_SECOND = FACTOR_TOTP | FACTOR_PASSKEY | FACTOR_SMS,
};

const char *factor_name(enum factor factor); /* "totp", "webauthn", "sms", "recovery", "password" */
enum factor factor_by_name(const char *name); /* 0 */
/* An array of names. */
json_t *factor_names(unsigned factors);

/* Second factors that can be set up on this platform. */
unsigned factors_there(const struct idp *idp);

/* ------------------------------------------------------------------ cookies.c */

/* HttpOnly, Secure, SameSite=Lax; the name should begin with __Host-. */
void cookie_put(struct serve_request *request, const char *name, const char *value,
                int64_t seconds);
void cookie_drop(struct serve_request *request, const char *name);
/* The random text that idp_random() made; false when it is not there or cannot be one. */
bool cookie_get(const struct serve_request *request, const char *name, char out[IDP_SECRET_SIZE]);

/* ------------------------------------------------------------------ factors.c: the record */

struct factors {
    const char *user, *uid; /* the account's */
    json_t *record;
    unsigned have; /* enum factor */
};

void factors_free(struct factors *factors);
/* An account without any has an empty record. */
int factors_load(struct idp *idp, const struct account *account, struct factors *out,
                 struct err *err) MUST_USE;
int factors_save(struct idp *idp, struct factors *factors, struct err *err) MUST_USE;
/* Shows which there are in the User's status. */
int factors_publish(struct idp *idp, const char *user, unsigned have, struct err *err) MUST_USE;
/* All of the user's: the record, passkeys and devices. */
int factors_drop_all(struct idp *idp, const char *user, struct err *err) MUST_USE;

/* TOTP: a secret is begun, and holds from its first code on. Appends the URI. */
int factors_begin_totp(struct idp *idp, struct factors *factors, char secret[64], struct buf *uri,
                       struct err *err) MUST_USE;
int factors_confirm_totp(struct factors *factors, const char *code, struct err *err) MUST_USE;
/* Each marks what it takes as used, in the record. ERR_UNAUTHENTICATED. */
int factors_take_totp(struct factors *factors, const char *code, struct err *err) MUST_USE;
int factors_take_recovery(struct factors *factors, const char *code, struct err *err) MUST_USE;
/* Ten new ones; the old ones are void. An array of texts, shown once. */
int factors_make_recovery(struct factors *factors, json_t **codes, struct err *err) MUST_USE;
size_t factors_recovery_left(const struct factors *factors);

/* ------------------------------------------------------------------ recovery.c: codes */

/* "xxxx-xxxx-xxxx-xxxx": 80 random bits in Crockford's base32. */
enum { RECOVERY_COUNT = 10, RECOVERY_SIZE = 20 };
int recovery_make(char out[RECOVERY_SIZE], struct err *err) MUST_USE;
/* As it was made, whatever case, blanks and hyphens somebody typed, o for 0, i and l for 1; false
 * when it cannot be one. */
bool recovery_normal(const char *typed, char out[RECOVERY_SIZE]);

/* ------------------------------------------------------------------ mfa_policy.c: who needs what
 */

struct mfa_rule {
    bool required;
    enum auth_level level; /* when it is; AUTH_LEVEL_MFA at least */
    int64_t grace_sec;     /* from the first sign-in at which something was missing */
    unsigned allowed;      /* enum factor */
};

struct mfa_facts {
    struct mfa_rule rule;
    unsigned have;
    enum auth_level level; /* proved so far in this sign-in */
    bool device_trusted;
    bool recovered;          /* by a recovery code */
    int64_t now, grace_from; /* 0: the grace has not begun */
};

enum mfa_step { MFA_DONE, MFA_FACTOR, MFA_ENROL, MFA_GRACE /* done, but something is missing */ };

/* Of the user, the groups and the settings: the strictest counts. */
int mfa_rule_of(struct idp *idp, const struct account *account, struct mfa_rule *out,
                struct err *err) MUST_USE;
/* The same for one source: a User's or a Group's spec.mfa; NULL changes nothing. */
void mfa_rule_add(struct mfa_rule *rule, const json_t *spec);
enum mfa_step mfa_next(const struct mfa_facts *facts);

/* ------------------------------------------------------------------ amr.c: methods (RFC 8176) */

enum { AMR_SIZE = 64 };
/* Adds the words of `more` that are not there yet; "mfa" too when something known and something
 * held are together. */
void amr_add(char amr[AMR_SIZE], const char *more);

/* ------------------------------------------------------------------ devices.c: browsers that are
 * known */

struct device {
    char id[IDP_ID_SIZE]; /* "" when it is not known */
    bool trusted;         /* a second factor was shown here, and is not asked for again yet */
};

/* By the request's cookie. */
void device_find(struct idp *idp, const struct serve_request *request, const char *uid,
                 struct device *out);
/* The account signed in here. */
int device_note(struct idp *idp, struct serve_request *request, const struct account *account,
                bool trust, struct err *err) MUST_USE;
/* Trust alone: the devices stay known. */
int device_untrust_all(struct idp *idp, const char *user, struct err *err) MUST_USE;
int device_drop_all(struct idp *idp, const char *user, struct err *err) MUST_USE;
idp_handler_fn device_list, device_revoke;

/* ------------------------------------------------------------------ passkeys.c,
 * passkey_ceremonies.c */

#define PASSKEYS "passkeys"
enum { PASSKEY_NAME_MAX = 64 };

struct passkey {
    char id[IDP_ID_SIZE];
    json_t *record;
};

void passkey_free(struct passkey *passkey);
/* Loads who may vouch for authenticators; before the process is locked down. */
int passkeys_start(struct idp *idp, struct err *err) MUST_USE;
int passkeys_count(struct idp *idp, const struct account *account, size_t *out,
                   struct err *err) MUST_USE;
/* An array of what a list shows. */
int passkeys_list(struct idp *idp, const struct account *account, json_t **out,
                  struct err *err) MUST_USE;
/* Arguments of navigator.credentials.create() and .get(), as JSON (WebAuthn Level 3 section 5.1.8
 * and 5.1.9). `account` NULL: whoever has a discoverable one. */
int passkeys_create_options(struct idp *idp, const struct account *account, const char *challenge,
                            json_t **out, struct err *err) MUST_USE;
int passkeys_get_options(struct idp *idp, const struct account *account, const char *challenge,
                         json_t **out, struct err *err) MUST_USE;
/* What the browser made of them. `name` is what the person calls it. */
int passkey_register(struct idp *idp, const struct account *account, const char *challenge,
                     const char *name, const json_t *credential, json_t **shown,
                     struct err *err) MUST_USE;
/* ERR_DENIED, or whose it is and how it was used: `amr` gets the words. `account` NULL: anybody's,
 * which needs the person to be verified. */
int passkey_assert(struct idp *idp, const struct account *account, const char *challenge,
                   const json_t *credential, struct passkey *out, char amr[AMR_SIZE],
                   struct err *err) MUST_USE;
int passkey_rename(struct idp *idp, const struct account *account, const char *id, const char *name,
                   struct err *err) MUST_USE;
int passkey_drop(struct idp *idp, const struct account *account, const char *id,
                 struct err *err) MUST_USE;
int passkeys_drop_all(struct idp *idp, const char *user, struct err *err) MUST_USE;

/* Shared by the two files. */
int passkey_put(struct idp *idp, const char *id, const json_t *record, struct err *err) MUST_USE;
json_t *passkey_shown(const char *id, const json_t *record);
int passkey_check_name(const char *name, struct err *err) MUST_USE;
/* The user handle of an account, as browsers give it. */
json_t *passkey_handle(const char *uid);

/* ------------------------------------------------------------------ password_policy.c */

/* Opens the list of breached passwords, if one is set; before the process is locked down. */
int password_policy_start(struct idp *idp, struct err *err) MUST_USE;
/* ERR_INVALID says what is wrong with it. */
int password_check(const struct idp *idp, const char *name, const char *password,
                   struct err *err) MUST_USE;
void password_refuse_breached(struct err *err);

/* ------------------------------------------------------------------ breached_service.c */

/* Reads the settings; before the process is locked down. Without breached-url there is none. */
int breached_service_start(struct idp *idp, struct err *err) MUST_USE;
void breached_service_free(struct breached_service *service);
/* Hashes a password that password_check() took, after the service was asked, if there is one: fn
 * gets ERR_INVALID for a breached one, and ERR_UNAVAILABLE where that must be known and is not.
 * 0: fn runs once, from the loop; the request must be kept until then (serve_later()). */
int password_hash(struct idp *idp, struct serve_request *request, const char *password,
                  hasher_fn *fn, void *ctx, struct err *err) MUST_USE;

#endif
