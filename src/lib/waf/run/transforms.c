/* SPDX-License-Identifier: Apache-2.0 */
/* What a chain of transformations makes of a value, once: chains share what they begin with. */
#include "waf/run/run.h"

static struct span run_step(struct waf_tx *tx, enum waf_transform step, struct span in)
{
    struct span out;

    (void)tx_work(tx, in.len);
    (void)waf_transform_run(step, in, tx->engine->map, tx->arena, &out);
    return out.p != NULL ? out : span_str("");
}

static struct span make(struct waf_tx *tx, struct results *results, enum waf_transform step,
                        struct span in)
{
    for (size_t i = 0; i < results->made_count; i++) {
        const struct made *made = &results->made[i];
        if (made->step == step && made->in.p == in.p && made->in.len == in.len)
            return made->out;
    }
    struct span out = run_step(tx, step, in);
    if (results->made_count < MADE_MAX)
        results->made[results->made_count++] = (struct made){step, in, out};
    return out;
}

static struct span of_chain(struct waf_tx *tx, struct value *value, uint32_t chain)
{
    const struct image_chain *record = &tx->engine->chains[chain];
    struct span *result = &value->results->by_chain[chain];

    if (chain == 0)
        return value->text;
    if (result->p == NULL)
        *result = make(tx, value->results, (enum waf_transform)record->step,
                       of_chain(tx, value, record->parent));
    return *result;
}

struct span transformed(struct waf_tx *tx, struct value *value, uint32_t chain)
{
    struct waf_engine *engine = tx->engine;

    if ((value->traits & engine->chain_traits[chain]) == 0 &&
        engine->chain_traits[chain] != UINT32_MAX)
        return value->text;
    if (value->results == NULL)
        value->results =
            tx_alloc(tx, sizeof(*value->results) + engine->chain_count * sizeof(struct span));
    return value->results != NULL ? of_chain(tx, value, chain) : value->text;
}
