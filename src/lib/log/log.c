/* SPDX-License-Identifier: Apache-2.0 */
#include "log/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* With its end a line is what a pipe takes in one piece, so those of several roles do not mix. */
enum { LINE_MAX_BYTES = PIPE_BUF - 1 };

static const char *process_role = "drun";
static enum log_level least_level = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(const char *role, enum log_level least)
{
    process_role = role;
    least_level = least;
}

/* How many bytes a control character has here, 0 when there is none: those of ASCII, and U+0080 to
 * U+009F, which some terminals obey and some viewers take for a line end. */
static size_t control_len(struct span value, size_t at)
{
    uint8_t c = value.p[at];

    if (c < ' ' || c == 0x7f)
        return 1;
    return c == 0xc2 && at + 1 < value.len && value.p[at + 1] >= 0x80 && value.p[at + 1] < 0xa0 ? 2
                                                                                                : 0;
}

static bool needs_quotes(struct span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (memchr(" \"=\\", value.p[i], 4) != NULL || control_len(value, i) > 0)
            return true;
    return value.len == 0;
}

static void put_char(struct buf *line, uint8_t c)
{
    if (c == '"' || c == '\\')
        buf_put_u8(line, '\\');
    buf_put_u8(line, c);
}

static void put_value(struct buf *line, struct span value)
{
    if (!needs_quotes(value)) {
        buf_put_span(line, value);
        return;
    }
    buf_put_u8(line, '"');
    for (size_t i = 0; i < value.len;) {
        size_t control = control_len(value, i);
        if (control == 0)
            put_char(line, value.p[i++]);
        for (; control > 0; control--)
            buf_printf(line, "\\x%02x", value.p[i++]);
    }
    buf_put_u8(line, '"');
}

static void put_field(struct buf *line, const char *key, struct span value)
{
    if (line->len > 0)
        buf_put_u8(line, ' ');
    buf_put_str(line, key);
    buf_put_u8(line, '=');
    put_value(line, value);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    char now[CLOCK_TEXT_SIZE];
    CLEANUP(buf_free) struct buf line = BUF_INIT(LINE_MAX_BYTES);

    if (level < least_level)
        return;
    clock_format_ns(clock_wall_ns(), now);
    put_field(&line, "time", span_str(now));
    put_field(&line, "level", span_str(level_names[level]));
    put_field(&line, "role", span_str(process_role));
    put_field(&line, "event", span_str(event));
    for (; fields != NULL && fields->key != NULL; fields++)
        put_field(&line, fields->key, fields->value);
    /* What did not fit is left out; the line end always fits because the ceiling is not the memory.
     */
    line.overflowed = false;
    line.max++;
    buf_put_u8(&line, '\n');
    ssize_t ignored UNUSED = write(STDERR_FILENO, line.data, line.len);
}

void log_error(const char *event, const struct err *err)
{
    log_event(LOG_ERROR, event,
              LOG_FIELDS(LOG_STR("error", err_code_name(err->code)), LOG_STR("msg", err->msg)));
}

void log_say(enum log_level level, const char *event, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    log_event(level, event, LOG_FIELDS(LOG_STR("msg", text)));
}
