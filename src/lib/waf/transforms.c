/* SPDX-License-Identifier: Apache-2.0 */
/* What a chain of transformations makes of a value, once: chains share what they begin with. */
#include "waf/run.h"

static struct span step(struct waf_tx *tx, uint32_t chain, struct span in)
{
    struct span out;

    (void)tx_work(tx, in.len);
    (void)waf_transform_run((enum waf_transform)tx->engine->chains[chain].step, in, tx->engine->map,
                            tx->arena, &out);
    return out;
}

struct span transformed(struct waf_tx *tx, struct value *value, uint32_t chain)
{
    struct waf_engine *engine = tx->engine;

    if ((value->traits & engine->chain_traits[chain]) == 0 &&
        engine->chain_traits[chain] != UINT32_MAX)
        return value->text;
    if (value->results == NULL) {
        value->results = tx_alloc(tx, engine->chain_count * sizeof(*value->results));
        if (value->results == NULL)
            return value->text;
    }
    if (value->results[chain].p == NULL) {
        struct span in = transformed(tx, value, engine->chains[chain].parent);
        struct span out = step(tx, chain, in);
        value->results[chain] = out.p != NULL ? out : span_str("");
    }
    return value->results[chain];
}
