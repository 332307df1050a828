/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings. A module owns a const table of its options; the tables together are the parser of the
 * settings file, its documented sample, and a section of the man page, so none of the three can
 * disagree with the others.
 *
 *     struct audit_settings { uint64_t segment_size; uint64_t flush_ms; };
 *     static const struct opt audit_options[] = {
 *         {.name = "audit.segment-size", .type = OPT_SIZE, .def = "64MiB", .min = 1 << 20,
 *          .offset = offsetof(struct audit_settings, segment_size),
 *          .brief = "A segment is sealed when it has this size."},
 *         {0}};
 *
 *     struct opt_group groups[] = {{"Audit log", audit_options, &audit}, {0}};
 *     TRY(opt_set_defaults(groups, err));
 *     TRY(opt_load_file(groups, "/etc/drun/drun.yaml", on_warning, NULL, err));
 *     TRY(opt_set(groups, "audit.flush-ms=5ms", err));
 *
 * The file is YAML; nested mappings are dotted names. What no table knows is an error with line,
 * column and the nearest name that exists; an option under an old name is taken with a warning.
 */
#ifndef DRUN_OPT_OPT_H
#define DRUN_OPT_OPT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

enum { OPT_FILE_MAX = 1024 * 1024, OPT_NAME_MAX = 96, OPT_TOTAL_MAX = 256 };

/* How an option is written, and the type of its field. */
enum opt_type {
    OPT_BOOL,     /* true, false                  bool */
    OPT_U64,      /* 12                           uint64_t */
    OPT_TEXT,     /* anything                     char * */
    OPT_PATH,     /* begins with "/"              char * */
    OPT_ENUM,     /* one of the choices           unsigned, the place among them */
    OPT_LIST,     /* a list of texts; "a,b" in a default and on the command line; struct opt_list */
    OPT_DURATION, /* 250ms, 15m, 1h30m, 7d        uint64_t, milliseconds */
    OPT_SIZE,     /* 4096, 64MiB                  uint64_t, bytes */
    OPT_LISTEN,   /* [::]:8443, 127.0.0.1:80      struct opt_listen */
};

struct opt_list {
    char **items;
    size_t count;
};

/* A numeric IPv4 or IPv6 address and a port from 1. */
struct opt_listen {
    char host[46];
    uint16_t port;
};

struct opt {
    const char *name; /* dotted and dashed: "audit.segment-size" */
    enum opt_type type;
    size_t offset;                /* of the field in the group's settings */
    const char *def;              /* as one would write it; NULL: not set (zero, NULL) */
    const char *brief;            /* one line */
    const char *more;             /* further sentences, or NULL */
    const char *unit;             /* of a number, for readers: "requests" */
    uint64_t min;                 /* of numbers, durations (ms) and sizes (bytes) */
    uint64_t max;                 /* 0: none */
    const char *const *choices;   /* of OPT_ENUM, ends with NULL */
    const char *const *old_names; /* that are still taken, ends with NULL; or NULL */
};

struct opt_group {
    const char *title;
    const struct opt *options; /* ends with a zeroed one */
    void *settings;            /* zeroed at first; NULL where only documents are made */
};

typedef void opt_warn_fn(void *ctx, const char *message);

/* All of these take an array of groups that ends with a zeroed one. After an error the settings
 * hold some of the new values; opt_free() is right in any case. */
int opt_set_defaults(const struct opt_group *groups, struct err *err) MUST_USE;
int opt_load_file(const struct opt_group *groups, const char *path, opt_warn_fn *warn, void *ctx,
                  struct err *err) MUST_USE;
/* `what` names the text in errors. */
int opt_load_text(const struct opt_group *groups, struct span text, const char *what,
                  opt_warn_fn *warn, void *ctx, struct err *err) MUST_USE;
/* "name=value", from the command line. */
int opt_set(const struct opt_group *groups, const char *assignment, struct err *err) MUST_USE;
/* "250ms", "15m", "1h30m", "7d", in milliseconds. */
int opt_parse_duration(const char *text, uint64_t *out, struct err *err) MUST_USE;
/* Frees what the settings hold and zeroes the fields. */
void opt_free(const struct opt_group *groups);

/* The values as they are now, as a text that opt_load_text() reads back to the same: for handing
 * settings to another process. */
void opt_put_values(const struct opt_group *groups, struct buf *out);

/* A settings file with every option, its meaning and its default; it parses to the defaults. */
void opt_put_sample(const struct opt_group *groups, struct buf *out);
/* Sections of a man page (roff with the man macros), one a group. */
void opt_put_man(const struct opt_group *groups, struct buf *out);

#endif
