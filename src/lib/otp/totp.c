/* SPDX-License-Identifier: Apache-2.0 */
#include "otp/totp.h"

#include "base/enc.h"
#include "base/mem.h"

#include <liboath/oath.h>
#include <stdio.h>
#include <stdlib.h>

static int init(struct err *err)
{
    static bool done;

    if (!done && oath_init() != OATH_OK)
        return err_set(err, ERR_UNAVAILABLE, "liboath cannot be used");
    done = true;
    return 0;
}

int totp_code(struct span secret, int64_t step, char out[TOTP_DIGITS + 1], struct err *err)
{
    TRY(init(err));
    if (oath_hotp_generate((const char *)secret.p, secret.len, (uint64_t)step, TOTP_DIGITS, false,
                           OATH_HOTP_DYNAMIC_TRUNCATION, out) != OATH_OK)
        return err_set(err, ERR_INTERNAL, "a one-time password cannot be computed");
    return 0;
}

/* Six digits; apps show a blank in the middle. */
static bool read_code(const char *text, char out[TOTP_DIGITS + 1])
{
    size_t len = 0;

    for (; *text != '\0'; text++) {
        if (*text == ' ')
            continue;
        if (*text < '0' || *text > '9' || len == TOTP_DIGITS)
            return false;
        out[len++] = *text;
    }
    out[len] = '\0';
    return len == TOTP_DIGITS;
}

int totp_check(struct span secret, const char *code, int64_t now_sec, int64_t last, int64_t *step,
               struct err *err)
{
    int64_t now = now_sec / TOTP_STEP_SEC;
    char given[TOTP_DIGITS + 1];
    bool found = false;

    if (!read_code(code, given))
        return err_set(err, ERR_UNAUTHENTICATED, "a code has %d digits", TOTP_DIGITS);
    /* All are computed, whichever fits. */
    for (int64_t at = now - TOTP_DRIFT; at <= now + TOTP_DRIFT; at++) {
        char wanted[TOTP_DIGITS + 1];
        TRY(totp_code(secret, at, wanted, err));
        bool same = mem_equal_ct(given, wanted, TOTP_DIGITS);
        if (same && at > last) {
            *step = at;
            found = true;
        }
        mem_wipe(wanted, sizeof(wanted));
    }
    return found ? 0 : err_set(err, ERR_UNAUTHENTICATED, "the code is wrong, or was used before");
}

void totp_secret_text(struct span secret, char out[TOTP_TEXT_SIZE])
{
    char *text = NULL;
    size_t len = 0;

    INVARIANT(secret.len == TOTP_SECRET_LEN &&
              oath_base32_encode((const char *)secret.p, secret.len, &text, &len) == OATH_OK &&
              len == TOTP_TEXT_SIZE - 1);
    memcpy(out, text, len + 1);
    mem_wipe(text, len);
    free(text);
}

int totp_secret_parse(const char *text, uint8_t out[TOTP_SECRET_LEN], struct err *err)
{
    char *bytes = NULL;
    size_t len = 0;
    bool good =
        oath_base32_decode(text, strlen(text), &bytes, &len) == OATH_OK && len == TOTP_SECRET_LEN;

    if (good)
        memcpy(out, bytes, len);
    if (bytes != NULL)
        mem_wipe(bytes, len);
    free(bytes);
    return good ? 0
                : err_set(err, ERR_INVALID, "the text is no secret of %d bits in base32",
                          8 * TOTP_SECRET_LEN);
}

void totp_put_uri(const char *issuer, const char *account, struct span secret, struct buf *out)
{
    char text[TOTP_TEXT_SIZE];

    totp_secret_text(secret, text);
    buf_put_str(out, "otpauth://totp/");
    enc_percent_put(issuer, out);
    buf_put_u8(out, ':');
    enc_percent_put(account, out);
    buf_printf(out, "?secret=%s&issuer=", text);
    enc_percent_put(issuer, out);
    buf_printf(out, "&algorithm=SHA1&digits=%d&period=%d", TOTP_DIGITS, TOTP_STEP_SEC);
    mem_wipe(text, sizeof(text));
}
