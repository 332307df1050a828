/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time-based one-time passwords (RFC 6238) as every authenticator app makes them: SHA-1, 6 digits,
 * 30 seconds. liboath computes them; here is which are taken: those of this step, the one before
 * and the one after, and none of a step that was used or is older than a used one.
 */
#ifndef DRUN_OTP_TOTP_H
#define DRUN_OTP_TOTP_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

enum {
    TOTP_SECRET_LEN = 20, /* RFC 4226 section 4 R6: 160 bits */
    TOTP_STEP_SEC = 30,
    TOTP_DRIFT = 1, /* steps */
    TOTP_DIGITS = 6,
    TOTP_TEXT_SIZE = 33, /* the secret in base32 */
};

/* *step becomes the one of the code, to be kept as `last`. ERR_UNAUTHENTICATED: not now, or used;
 * which of the two is not said. `last` 0: none was used. */
int totp_check(struct span secret, const char *code, int64_t now_sec, int64_t last, int64_t *step,
               struct err *err) MUST_USE;
/* The code of a step, for tests and proofs. */
int totp_code(struct span secret, int64_t step, char out[TOTP_DIGITS + 1],
              struct err *err) MUST_USE;

/* What a person types into the app: base32 (RFC 4648 section 6) without padding. */
void totp_secret_text(struct span secret, char out[TOTP_TEXT_SIZE]);
/* The reverse, in either case; ERR_INVALID. */
int totp_secret_parse(const char *text, uint8_t out[TOTP_SECRET_LEN], struct err *err) MUST_USE;
/* otpauth://totp/ISSUER:ACCOUNT?secret=…&issuer=ISSUER…, the content of a QR code. */
void totp_put_uri(const char *issuer, const char *account, struct span secret, struct buf *out);

#endif
