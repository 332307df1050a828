/* SPDX-License-Identifier: Apache-2.0 */
/* The variables of SecLang: their names, and what may be said about them. */
#ifndef DRUN_WAF_VARIABLE_H
#define DRUN_WAF_VARIABLE_H

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* In the order of the table in variable.c: by name. */
enum waf_var {
    VAR_ARGS,
    VAR_ARGS_COMBINED_SIZE,
    VAR_ARGS_GET,
    VAR_ARGS_GET_NAMES,
    VAR_ARGS_NAMES,
    VAR_ARGS_POST,
    VAR_ARGS_POST_NAMES,
    VAR_AUTH_TYPE,
    VAR_DURATION,
    VAR_ENV,
    VAR_FILES,
    VAR_FILES_COMBINED_SIZE,
    VAR_FILES_NAMES,
    VAR_FILES_SIZES,
    VAR_FILES_TMP_CONTENT,
    VAR_FILES_TMPNAMES,
    VAR_FULL_REQUEST,
    VAR_FULL_REQUEST_LENGTH,
    VAR_GEO,
    VAR_GLOBAL,
    VAR_HIGHEST_SEVERITY,
    VAR_INBOUND_DATA_ERROR,
    VAR_IP,
    VAR_MATCHED_VAR,
    VAR_MATCHED_VAR_NAME,
    VAR_MATCHED_VARS,
    VAR_MATCHED_VARS_NAMES,
    VAR_MODSEC_BUILD,
    VAR_MSC_PCRE_ERROR,
    VAR_MSC_PCRE_LIMITS_EXCEEDED,
    VAR_MULTIPART_BOUNDARY_QUOTED,
    VAR_MULTIPART_BOUNDARY_WHITESPACE,
    VAR_MULTIPART_CRLF_LF_LINES,
    VAR_MULTIPART_DATA_AFTER,
    VAR_MULTIPART_DATA_BEFORE,
    VAR_MULTIPART_FILE_LIMIT_EXCEEDED,
    VAR_MULTIPART_FILENAME,
    VAR_MULTIPART_HEADER_FOLDING,
    VAR_MULTIPART_INVALID_HEADER_FOLDING,
    VAR_MULTIPART_INVALID_PART,
    VAR_MULTIPART_INVALID_QUOTING,
    VAR_MULTIPART_LF_LINE,
    VAR_MULTIPART_MISSING_SEMICOLON,
    VAR_MULTIPART_NAME,
    VAR_MULTIPART_PART_HEADERS,
    VAR_MULTIPART_STRICT_ERROR,
    VAR_MULTIPART_UNMATCHED_BOUNDARY,
    VAR_OUTBOUND_DATA_ERROR,
    VAR_PATH_INFO,
    VAR_QUERY_STRING,
    VAR_REMOTE_ADDR,
    VAR_REMOTE_HOST,
    VAR_REMOTE_PORT,
    VAR_REMOTE_USER,
    VAR_REQBODY_ERROR,
    VAR_REQBODY_ERROR_MSG,
    VAR_REQBODY_PROCESSOR,
    VAR_REQBODY_PROCESSOR_ERROR,
    VAR_REQBODY_PROCESSOR_ERROR_MSG,
    VAR_REQUEST_BASENAME,
    VAR_REQUEST_BODY,
    VAR_REQUEST_BODY_LENGTH,
    VAR_REQUEST_COOKIES,
    VAR_REQUEST_COOKIES_NAMES,
    VAR_REQUEST_FILENAME,
    VAR_REQUEST_HEADERS,
    VAR_REQUEST_HEADERS_NAMES,
    VAR_REQUEST_LINE,
    VAR_REQUEST_METHOD,
    VAR_REQUEST_PROTOCOL,
    VAR_REQUEST_URI,
    VAR_REQUEST_URI_RAW,
    VAR_RESOURCE,
    VAR_RESPONSE_BODY,
    VAR_RESPONSE_CONTENT_LENGTH,
    VAR_RESPONSE_CONTENT_TYPE,
    VAR_RESPONSE_HEADERS,
    VAR_RESPONSE_HEADERS_NAMES,
    VAR_RESPONSE_PROTOCOL,
    VAR_RESPONSE_STATUS,
    VAR_RULE,
    VAR_SERVER_ADDR,
    VAR_SERVER_NAME,
    VAR_SERVER_PORT,
    VAR_SESSION,
    VAR_SESSIONID,
    VAR_STATUS,
    VAR_STATUS_LINE,
    VAR_TIME,
    VAR_TIME_DAY,
    VAR_TIME_EPOCH,
    VAR_TIME_HOUR,
    VAR_TIME_MIN,
    VAR_TIME_MON,
    VAR_TIME_SEC,
    VAR_TIME_WDAY,
    VAR_TIME_YEAR,
    VAR_TX,
    VAR_UNIQUE_ID,
    VAR_URLENCODED_ERROR,
    VAR_USER,
    VAR_USERID,
    VAR_WEBAPPID,
    VAR_XML,
    VAR_COUNT
};

enum waf_var_flag {
    VAR_COLLECTION = 1, /* takes a selector: NAME:key */
    /* Its values do not change while the rules of a phase run, so they are scanned ahead. */
    VAR_FIXED = 2,
    VAR_PERSISTENT = 4, /* lives in a waf_store, under the key of initcol */
    /* Not a list of values in the transaction, but worked out when it is asked for. */
    VAR_COMPUTED = 8,
};

bool waf_var_by_name(struct span name, enum waf_var *out) MUST_USE;
const char *waf_var_name(enum waf_var var);
unsigned waf_var_flags(enum waf_var var);

/* Without regard to the case of ASCII letters. */
bool span_eq_nocase(struct span a, struct span b);
bool span_eq_word(struct span a, const char *word);

#endif
