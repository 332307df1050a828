/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error dialect. A function that can fail returns int, 0 or more on success and -1 on
 * failure, is MUST_USE, and takes `struct err *err` last; err is never NULL. The function that
 * meets the failure sets the error once; callers on the way up may wrap it with what they were
 * doing. Libraries return errors, processes log them.
 *
 *     struct err err = ERR_INIT;
 *     if (store_open(&store, &config, &err) < 0)
 *         log_error("store.open", &err);
 *
 * A message is one sentence for the person who reads it: what, where, why, what to do. It never
 * holds a secret. A broken invariant is no error: it aborts (err_bug).
 */
#ifndef DRUN_BASE_ERR_H
#define DRUN_BASE_ERR_H

#include "base/attr.h"

enum err_code {
    ERR_NONE = 0,
    ERR_INVALID,         /* input that breaks its format or its rules */
    ERR_UNAUTHENTICATED, /* no credential, or not a valid one */
    ERR_DENIED,          /* known, but not allowed */
    ERR_NOT_FOUND,
    ERR_EXISTS,
    ERR_CONFLICT,    /* changed since it was read; read again */
    ERR_GONE,        /* was there once: compacted, expired, revoked */
    ERR_TOO_LARGE,   /* over a stated ceiling */
    ERR_LIMITED,     /* a rate or a quota; later it works again */
    ERR_UNSUPPORTED, /* this host or this version cannot */
    ERR_UNAVAILABLE, /* a peer is away; later it works again */
    ERR_TIMEOUT,
    ERR_CORRUPT, /* stored data is damaged or was tampered with */
    ERR_IO,      /* the system refused; errno is in `sys` */
    ERR_INTERNAL,
    ERR_CODE_COUNT
};

struct err {
    enum err_code code;
    int sys; /* errno, or 0 */
    char msg[384];
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        .code = ERR_NONE                                                                           \
    }

/* Each of the three returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As err_set, with ": " and the text of the current errno behind it. ENOENT, EEXIST, EACCES, EPERM
 * keep their own code; every other errno gives `ERR_IO`. */
int err_sys(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Puts "<text>: " before the message that is there. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

void err_clear(struct err *err);
/* A short stable name, "not_found"; for logs, audit records and the wire. */
const char *err_code_name(enum err_code code);

/* A broken invariant: says where and aborts. */
void err_bug(const char *file, int line, const char *what) NORETURN;
#define INVARIANT(cond)                                                                            \
    do {                                                                                           \
        if (!(cond))                                                                               \
            err_bug(__FILE__, __LINE__, #cond);                                                    \
    } while (0)

#endif
