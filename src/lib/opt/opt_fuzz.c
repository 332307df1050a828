/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a settings file; and its first line as an assignment of the command line. What is
 * taken must lie within the ranges of the table. */
#include "opt/opt.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
    bool flag;
    uint64_t number;
    uint64_t size;
    uint64_t ttl_ms;
    char *path;
    unsigned level;
    struct opt_list list;
    struct opt_listen listen;
};

static const char *const levels[] = {"low", "high", NULL};
static const char *const old_names[] = {"amount", "a.old", NULL};

#define OPTION(n, t, field, d)                                                                     \
    .name = (n), .type = (t), .offset = offsetof(struct settings, field), .def = (d), .brief = "x"

static const struct opt options[] = {
    {OPTION("a.flag", OPT_BOOL, flag, "true")},
    {OPTION("a.number", OPT_U64, number, "5"), .min = 1, .max = 9, .old_names = old_names},
    {OPTION("a.b.size", OPT_SIZE, size, "1KiB"), .min = 1024, .max = 1 << 30},
    {OPTION("a.b.ttl", OPT_DURATION, ttl_ms, "1m"), .max = 86400000},
    {OPTION("path", OPT_PATH, path, "/x")},
    {OPTION("level", OPT_ENUM, level, "low"), .choices = levels},
    {OPTION("list", OPT_LIST, list, "a,b")},
    {OPTION("listen", OPT_LISTEN, listen, "[::]:1")},
    {0},
};

static void check(const struct settings *settings)
{
    INVARIANT(settings->number >= 1 && settings->number <= 9);
    INVARIANT(settings->size >= 1024 && settings->size <= 1 << 30);
    INVARIANT(settings->ttl_ms <= 86400000);
    INVARIANT(settings->path[0] == '/' && settings->level <= 1 && settings->listen.port > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings = {0};
    const struct opt_group groups[] = {{"Fuzz", options, &settings}, {0}};
    CLEANUP_FREE char *line = mem_strndup((const char *)data, size);
    struct err err = ERR_INIT;

    INVARIANT(opt_set_defaults(groups, &err) == 0);
    if (opt_load_text(groups, span_of(data, size), "input", NULL, NULL, &err) == 0)
        check(&settings);
    INVARIANT(opt_set_defaults(groups, &err) == 0);
    line[strcspn(line, "\n")] = '\0';
    if (opt_set(groups, line, &err) == 0)
        check(&settings);
    opt_free(groups);
    return 0;
}
