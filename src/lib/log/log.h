/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process says about itself, for operators; security-relevant facts go to the audit log
 * instead. One event a line on stderr, in logfmt, with the OpenTelemetry severities:
 *
 *     time=2026-11-22T10:38:44.123456Z level=error role=kms event=kms.unseal error=denied msg="..."
 *
 * Values are escaped, so that a line is always one line. Never give a secret as a value.
 */
#ifndef DRUN_LOG_LOG_H
#define DRUN_LOG_LOG_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* `role` must live as long as the process. */
void log_init(const char *role, enum log_level least);

/* A field of an event. Keys are constants in snake_case or OpenTelemetry names. */
struct log_field {
    const char *key;
    struct span value;
};

#define LOG_STR(k, text)   ((struct log_field){(k), span_str(text)})
#define LOG_SPAN(k, bytes) ((struct log_field){(k), (bytes)})
#define LOG_FIELDS(...)                                                                            \
    (const struct log_field[])                                                                     \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* `event` is a constant, "store.open"; `fields` ends with a zeroed one, or is NULL. */
void log_event(enum log_level level, const char *event, const struct log_field *fields);
/* An event at level error with the code and the message of err. */
void log_error(const char *event, const struct err *err);
/* An event with one sentence. */
void log_say(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
