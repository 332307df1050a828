/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for all patterns of a partition in all values that its rules may see, before the first of
 * those rules runs. A long value is scanned once for each different text that the chains make of
 * it: most have nothing to transform, so once. Short ones are joined (joined.c).
 */
#include "waf/run/run.h"

enum { CHAIN_WORDS_MAX = 64 }; /* 4,096 chains */

static bool accepts(const struct waf_tx *tx, const struct image_pattern *pattern)
{
    const struct image_chain *chains = tx->engine->chains;
    uint32_t chain = pattern->chain;

    if (bit_is_set(tx->accept, chain))
        return true;
    while (pattern->multi && chain != 0) {
        chain = chains[chain].parent;
        if (bit_is_set(tx->accept, chain))
            return true;
    }
    return false;
}

bool note_found(struct waf_tx *tx, struct value *value, uint32_t pattern)
{
    uint32_t words = (tx->engine->pattern_count + 63) / 64;

    if (value->hits == NULL)
        value->hits = tx_alloc(tx, words * sizeof(*value->hits));
    if (value->hits == NULL)
        return false;
    bit_set(value->hits, pattern);
    bit_set(tx->active, pattern);
    return true;
}

static int on_found(unsigned id, unsigned long long from UNUSED, unsigned long long to UNUSED,
                    unsigned flags UNUSED, void *ctx)
{
    struct waf_tx *tx = ctx;

    if (id >= tx->engine->pattern_count || !accepts(tx, tx->engine->patterns[id].image))
        return 0;
    return note_found(tx, tx->scanning, id) ? 0 : 1;
}

/* False: it could not be looked at. */
static bool scan_text(struct waf_tx *tx, const struct partition *partition, struct span text)
{
    static const char nothing[1];

    if (partition->needs != TRAITS_ALWAYS && !partition_may_find(partition, traits_of(text)))
        return true;
    if (!tx_work(tx, text.len + 1))
        return false;
    return hs_scan(partition->database, text.len > 0 ? (const char *)text.p : nothing,
                   (unsigned)text.len, 0, tx->engine->scratch, on_found, tx) == HS_SUCCESS;
}

/* The chains from `first` on that make the same text are looked for together. */
static bool scan_group(struct waf_tx *tx, const struct partition *partition,
                       const struct span *texts, uint32_t first, uint64_t *done)
{
    const uint32_t *chains = tx->engine->indexes + partition->image->chains.at;
    uint64_t accept[CHAIN_WORDS_MAX];

    memset(accept, 0, tx->engine->chain_words * sizeof(*accept));
    for (uint32_t i = first; i < partition->image->chains.count; i++) {
        if (texts[i].p != texts[first].p || texts[i].len != texts[first].len)
            continue;
        bit_set(accept, chains[i]);
        bit_set(done, chains[i]);
    }
    tx->accept = accept;
    return scan_text(tx, partition, texts[first]);
}

static bool scan_changed(struct waf_tx *tx, const struct partition *partition, struct value *value)
{
    const uint32_t *chains = tx->engine->indexes + partition->image->chains.at;
    uint32_t count = partition->image->chains.count;
    struct span *texts = tx_alloc(tx, count * sizeof(*texts));
    uint64_t done[CHAIN_WORDS_MAX];

    if (texts == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++)
        texts[i] = transformed(tx, value, chains[i]);
    memset(done, 0, tx->engine->chain_words * sizeof(*done));
    for (uint32_t i = 0; i < count; i++)
        if (!bit_is_set(done, chains[i]) && !scan_group(tx, partition, texts, i, done))
            return false;
    return true;
}

bool scan_alone(struct waf_tx *tx, const struct partition *partition, struct value *value)
{
    tx->scanning = value;
    if (partition_changes(partition, value))
        return scan_changed(tx, partition, value);
    tx->accept = partition->all;
    return scan_text(tx, partition, value->text);
}

static bool scan_list(struct waf_tx *tx, const struct partition *partition, const struct list *list,
                      const struct look *look)
{
    uint32_t stamp = (uint32_t)(partition - tx->engine->partitions) + 1;
    uint64_t asks = partition->asks;

    for (uint32_t i = 0; i < list->count; i++) {
        struct value *value = list->items[i];
        if (value->partition == stamp ||
            (look != NULL && look->keyed && !span_eq_nocase(value->key, look->key)))
            continue;
        value->partition = stamp;
        if ((value->traits & asks) == 0 && asks != TRAITS_ALWAYS)
            continue;
        if (!join_value(tx, partition, value))
            return false;
    }
    return true;
}

static bool scan_lists(struct waf_tx *tx, const struct partition *partition)
{
    const uint32_t *xpaths = tx->engine->indexes + partition->image->xpaths.at;

    for (size_t i = 0; i < partition->look_count; i++)
        if (!scan_list(tx, partition, &tx->lists[partition->looks[i].var], &partition->looks[i]))
            return false;
    for (uint32_t i = 0; tx->xml != NULL && i < partition->image->xpaths.count; i++) {
        xpath_load(tx, xpaths[i]);
        if (!scan_list(tx, partition, &tx->xpaths[xpaths[i]], NULL))
            return false;
    }
    return join_scan(tx, partition);
}

void scan_partition(struct waf_tx *tx, uint32_t index)
{
    const struct partition *partition = &tx->engine->partitions[index];
    bool good = partition->database != NULL && tx->engine->chain_words <= CHAIN_WORDS_MAX &&
                scan_lists(tx, partition);

    /* Then its rules look at every value themselves. */
    tx->scanned[index] = good ? SCAN_DONE : SCAN_FAILED;
}
