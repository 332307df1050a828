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
    for (const struct made *made = results->made; made != NULL; made = made->next)
        if (made->step == step && made->in.p == in.p && made->in.len == in.len)
            return made->out;
    struct span out = run_step(tx, step, in);
    struct made *made = tx_alloc(tx, sizeof(*made));
    if (made != NULL) {
        *made = (struct made){.next = results->made, .step = step, .in = in, .out = out};
        results->made = made;
    }
    return out;
}

static struct results *results_of(struct waf_tx *tx, struct value *value)
{
    if (value->results == NULL)
        value->results =
            tx_alloc(tx, sizeof(*value->results) + tx->engine->chain_count * sizeof(struct span));
    return value->results;
}

/* Most of a chain's steps find nothing to do: the step that does is run on the text as it came. */
struct span transformed(struct waf_tx *tx, struct value *value, uint32_t chain)
{
    const struct image_chain *record = &tx->engine->chains[chain];
    uint64_t traits = tx->engine->chain_traits[chain];

    if ((value->traits & traits) == 0 && traits != TRAITS_ALWAYS)
        return value->text;
    struct results *results = results_of(tx, value);
    if (results == NULL)
        return value->text;
    struct span *result = &results->by_chain[chain];
    if (result->p == NULL)
        *result = make(tx, results, (enum waf_transform)record->step,
                       transformed(tx, value, record->parent));
    return *result;
}
