/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes by text message, through the HTTPS gateway that the settings sms-… name; the exporter sends
 * the request (egress/egress.h). The weakest of the factors: numbers are taken over, messages are
 * read on the way. And the only one that costs money with each try, so that there are limits per
 * number, account, client network and country.
 */
#ifndef DRUN_IDP_SMS_H
#define DRUN_IDP_SMS_H

#include "idp/factors/factors.h"

enum { SMS_NUMBER_SIZE = 17, SMS_CODE_DIGITS = 6, SMS_CODE_SEC = 300 };

/* ------------------------------------------------------------------ sms_text.c */

/* E.164 of what somebody typed: '+' or 00 and a country code, 8 to 15 digits, with blanks, hyphens,
 * points and parentheses anywhere. */
bool sms_number(const char *typed, char out[SMS_NUMBER_SIZE]);
/* "+49…678": enough for its owner. */
void sms_mask(const char *number, char out[SMS_NUMBER_SIZE]);
/* The request's body: {to} and {text} of the template, escaped for JSON when it begins with '{',
 * and for a form otherwise. */
void sms_put_body(const char *template, const char *number, const char *text, struct buf *out);
const char *sms_content_type(const char *template);

/* ------------------------------------------------------------------ sms.c */

/* Reads the settings; before the process is locked down. Without sms-url there is none. */
int sms_start(struct idp *idp, struct err *err) MUST_USE;
void sms_free(struct sms *sms);
bool sms_is_there(const struct idp *idp);

/* Sends a code to the number and answers the request: 202, 429, 503. The caller has put *code's
 * record where it keeps it. */
int sms_allow(struct idp *idp, struct serve_request *request, const char *user, const char *number,
              struct err *err) MUST_USE;
/* A new code, and {"hash", "until"} of it. */
int sms_code(struct idp *idp, const char *number, char code[SMS_CODE_DIGITS + 1], json_t **record,
             struct err *err) MUST_USE;
void sms_send(struct idp *idp, struct serve_request *request, const char *number, const char *code);
/* ERR_UNAUTHENTICATED. */
int sms_check(const struct idp *idp, const json_t *record, const char *number, const char *code,
              struct err *err) MUST_USE;

#endif
