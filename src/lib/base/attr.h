/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler attributes and the few macros that every file may use. */
#ifndef DRUN_BASE_ATTR_H
#define DRUN_BASE_ATTR_H

#define MUST_USE             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, at) __attribute__((format(printf, fmt, at)))
#define NORETURN             __attribute__((noreturn))
#define UNUSED               __attribute__((unused))
#define HIDDEN               __attribute__((visibility("hidden")))

/* For large room on a hot path that is written before it is read: the build zeroes all other
 * variables. */
#define UNINITIALIZED __attribute__((uninitialized))

/* In front of a loop over a small constant table on a hot path: each of its rows becomes code. */
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 64")
#endif

/* Runs fn(&variable) when the variable leaves its scope. fn must accept a pointer to NULL. */
#define CLEANUP(fn)  __attribute__((cleanup(fn)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Leaves the function with -1 when the call failed; the error is already in `err`. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            return -1;                                                                             \
    } while (0)

#endif
