/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const code_names[ERR_CODE_COUNT] = {
    [ERR_NONE] = "none",
    [ERR_INVALID] = "invalid",
    [ERR_UNAUTHENTICATED] = "unauthenticated",
    [ERR_DENIED] = "denied",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_EXISTS] = "exists",
    [ERR_CONFLICT] = "conflict",
    [ERR_GONE] = "gone",
    [ERR_TOO_LARGE] = "too_large",
    [ERR_LIMITED] = "limited",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_TIMEOUT] = "timeout",
    [ERR_CORRUPT] = "corrupt",
    [ERR_IO] = "io",
    [ERR_INTERNAL] = "internal",
};

static enum err_code code_of_errno(int sys)
{
    switch (sys) {
    case ENOENT: return ERR_NOT_FOUND;
    case EEXIST: return ERR_EXISTS;
    case EACCES:
    case EPERM: return ERR_DENIED;
    case ETIMEDOUT: return ERR_TIMEOUT;
    default: return ERR_IO;
    }
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list args;

    err->code = code;
    err->sys = 0;
    va_start(args, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
    int sys = errno;
    va_list args;

    err->code = code_of_errno(sys);
    err->sys = sys;
    va_start(args, fmt);
    int len = vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof(err->msg))
        snprintf(err->msg + len, sizeof(err->msg) - (size_t)len, ": %s", strerror(sys));
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char inner[sizeof(err->msg)];
    va_list args;

    memcpy(inner, err->msg, sizeof(inner));
    va_start(args, fmt);
    int len = vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof(err->msg))
        snprintf(err->msg + len, sizeof(err->msg) - (size_t)len, ": %s", inner);
    return -1;
}

void err_clear(struct err *err)
{
    err->code = ERR_NONE;
    err->sys = 0;
    err->msg[0] = '\0';
}

const char *err_code_name(enum err_code code)
{
    INVARIANT(code < ERR_CODE_COUNT);
    return code_names[code];
}

void err_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "bug: %s:%d: %s does not hold\n", file, line, what);
    abort();
}
