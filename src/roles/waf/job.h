/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the waf role and `drun-waf compile` say to each other.
 *
 * The job, on standard input: {"known": DIGEST, "sources": [{"set": NAME, "name": NAME, "text":
 * RULES} or {"set": NAME, "files": PATTERN}, ...]}. The rules are read in this order, as if each
 * source included the next; `set` is the WafRuleSet that a source belongs to, "" for drun's own.
 *
 * The image goes to standard output; nothing when the digest of what was read is `known`. The
 * verdict, on standard error: {"digest", "rules", "same"} or {"error", "set"}, where `set` is ""
 * when it is not known whose rules they are.
 */
#ifndef DRUN_WAF_JOB_H
#define DRUN_WAF_JOB_H

enum {
    WAF_JOB_MAX = 8 * 1024 * 1024,
    WAF_VERDICT_MAX = 16 * 1024,
    WAF_JOB_SOURCES_MAX = 1024, /* files, after patterns were expanded */
};

/* The program, beside drun itself. */
#define WAF_TOOL "drun-waf"

#endif
