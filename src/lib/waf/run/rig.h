/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as a string, an engine and a transaction: for the tests of this folder. */
#ifndef DRUN_WAF_RIG_H
#define DRUN_WAF_RIG_H

#include "waf/waf.h"

struct rig {
    struct snapshot *image;
    struct waf_engine *engine;
    struct waf_tx *tx;
};

/* Aborts with the message when the rules are wrong. */
void rig_open(struct rig *rig, const char *rules, bool no_scan,
              const struct waf_engine_options *options);
void rig_close(struct rig *rig);
/* The error of rules that must not compile; "" when they do. The file is called "rules". */
const char *rig_refuses(const char *rules);

/* A whole request; headers are "Name: value\n" lines, body may be NULL. Its verdict. */
const struct waf_verdict *rig_request(struct rig *rig, const char *method, const char *uri,
                                      const char *headers, const char *body);
const struct waf_verdict *rig_get(struct rig *rig, const char *uri);
bool rig_hit(const struct rig *rig, uint32_t id);
const struct waf_hit *rig_find(const struct rig *rig, uint32_t id);
/* A TX variable as text; "" when it is not set. Static room. */
const char *rig_tx(struct rig *rig, const char *name);

#endif
