/* SPDX-License-Identifier: Apache-2.0 */
/* drun-waf: what needs the rule compiler and its libraries, apart from drun, so that no role has
 * them in its memory (docs/decisions/0006, 0032). */
#ifndef DRUN_WAF_TOOL_H
#define DRUN_WAF_TOOL_H

#include "base/buf.h"
#include "base/err.h"
#include "waf/waf.h"

/* Files and rules to compile, in their order. */
struct tool_sources {
    struct waf_source *items;
    const char **sets; /* whose each is */
    size_t count;
};

void tool_sources_free(struct tool_sources *sources);
void tool_sources_add(struct tool_sources *sources, const char *set, const char *path,
                      const char *text);
/* Adds the files that a pattern of glob(7) names, in their order; a folder stands for the *.conf in
 * it. ERR_NOT_FOUND for none. */
int tool_sources_add_files(struct tool_sources *sources, const char *set, const char *pattern,
                           struct err *err) MUST_USE;
/* Of all that the image depends on: the sources, data files beside them, the libraries, the
 * processor. */
enum { TOOL_DIGEST_SIZE = 65 };
int tool_sources_digest(const struct tool_sources *sources, char out[TOOL_DIGEST_SIZE],
                        struct err *err) MUST_USE;

/* Each is one command of drun-waf; gives the exit code. */
int tool_compile(int argc, char **argv);
int tool_try(int argc, char **argv);
int tool_explain(int argc, char **argv);

#endif
