/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#ifndef DRUN_WAF_WAF_INTERNAL_H
#define DRUN_WAF_WAF_INTERNAL_H

#include "base/buf.h"
#include "report/report.h"
#include "role/role.h"

#include <sys/queue.h>

/* A WafRuleSet or a WafPolicy as api tells it. */
struct object {
    const char *kind; /* constant */
    char *name;
    json_t *object;
    struct report report;
    json_int_t asked; /* its generation in the job that was made last; 0: it was in none */
    bool seen;        /* since api was started */
    LIST_ENTRY(object) entry;
};

struct waf {
    struct role *role;
    struct objects *objects;
    struct images *images;
    struct compiler *compiler;
};

/* ------------------------------------------------------------------ objects.c: what api tells */

/* What became of the rules as they are. */
struct outcome {
    bool failed;
    const char *set;     /* the WafRuleSet that failed; "" when it is not known which */
    const char *message; /* one sentence; of an error with file:line:column */
};

int objects_start(struct waf *waf, struct objects **out, struct err *err) MUST_USE;
void objects_free(struct objects *objects);
void objects_on_peer(struct objects *objects, enum role_id peer);
/* The job that makes the image of them all (job.h). */
json_t *objects_job(struct objects *objects) MUST_USE;
/* Tells api. */
void objects_tell(struct objects *objects, const struct outcome *outcome);

/* ------------------------------------------------------------------ images.c: what is in force */

/* Puts the image of the last life in force, if there is a good one. */
int images_open(struct waf *waf, struct images **out, struct err *err) MUST_USE;
void images_free(struct images *images);
/* Of the image in force; "" and 0 when there is none. */
const char *images_digest(const struct images *images);
uint64_t images_rules(const struct images *images);
/* An empty file for a new image. */
int images_begin(struct images *images, struct err *err) MUST_USE;
/* Keeps what was written into it, and puts it in force. */
int images_take(struct images *images, const char *digest, uint64_t rules,
                struct err *err) MUST_USE;

/* ------------------------------------------------------------------ compiler.c: the child */

int compiler_new(struct waf *waf, char *tool, struct compiler **out, struct err *err) MUST_USE;
void compiler_free(struct compiler *compiler);
/* The objects changed: they are compiled in a moment, once for changes that come together. */
void compiler_touch(struct compiler *compiler);

#endif
