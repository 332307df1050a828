/* SPDX-License-Identifier: Apache-2.0 */
/* The guard of a process: patterns compiled once, guards used again and again. */
#include "gateway/module/module.h"

#include "base/num.h"
#include "snapshot/policy.h"

enum { SPARE_MAX = 128 };

static struct guard_rules *rules;
static struct guard *spare[SPARE_MAX];
static size_t spare_count;

_Static_assert((int)POLICY_GUARD_DETECTORS == (int)GUARD_DETECTORS_MAX, "one action for each");
_Static_assert((int)POLICY_GUARD_ACTION_MAX == (int)GUARD_BLOCK, "the strongest");

/* A reload finds them there: they are the same as long as the module is. */
ngx_int_t gw_guard_compile(ngx_cycle_t *cycle)
{
    struct err err = ERR_INIT;

    if (rules != NULL || guard_rules_new(&rules, &err) == 0)
        return NGX_OK;
    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "drun: %s", err.msg);
    return NGX_ERROR;
}

struct guard *gw_guard_take(void)
{
    return spare_count > 0 ? spare[--spare_count] : guard_new(rules);
}

void gw_guard_give(struct guard *guard)
{
    if (spare_count < SPARE_MAX)
        spare[spare_count++] = guard;
    else
        guard_free(guard);
}

bool gw_guard_policy(const uint8_t *actions, struct guard_policy *out)
{
    size_t count = guard_detector_count();
    bool any = false;

    if (actions == NULL)
        guard_policy_usual(out);
    for (size_t i = 0; i < count; i++) {
        if (actions != NULL)
            out->action[i] = NUM_MIN(actions[i], (uint8_t)GUARD_BLOCK);
        any |= out->action[i] != GUARD_OFF;
    }
    return any;
}
