/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To start a scan costs as much as to scan 200 bytes, and most values are shorter: headers, names,
 * words. So they are scanned as the lines of one text. What a pattern finds in a line it finds in
 * that text as well (compile/lines.h), so a pattern that is not in the text is in none of the
 * values. The other way round it may be found across lines, and which line has it is not known:
 * then the rules look at each value. When that were many looks, the lines are cut into parts first.
 */
#include "waf/run/run.h"

enum {
    SHORT_MAX = 256,  /* bytes of a text that is joined */
    ROOM = 4096,      /* of the joined ones */
    VALUES_MAX = 64,  /* of them */
    VARIANTS_MAX = 8, /* that chains make of one value */
    LOOKS_MAX = 16,   /* at values that a scan may cause */
    FOUND_MAX = 64,
    PARTS = 4, /* that lines are cut into when more is found */
};

struct joined {
    struct value *values[VALUES_MAX];
    uint32_t ends[VALUES_MAX]; /* of their lines */
    size_t count;
    size_t len;
    uint32_t found[FOUND_MAX];
    size_t found_count;
    size_t looks; /* that what was found makes for one value */
    size_t looks_max;
    const struct waf_engine *engine;
    uint8_t text[ROOM];
};

static bool is_among(const struct span *texts, size_t count, struct span text)
{
    for (size_t i = 0; i < count; i++)
        if (texts[i].p == text.p && texts[i].len == text.len)
            return true;
    return false;
}

/* The different texts that the partition's chains make of a value; false: too many, or one is
 * long. */
static bool variants_of(struct waf_tx *tx, const struct partition *partition, struct value *value,
                        struct span texts[VARIANTS_MAX], size_t *count)
{
    const uint32_t *chains = tx->engine->indexes + partition->image->chains.at;

    *count = 0;
    if (!partition_changes(partition, value)) {
        texts[(*count)++] = value->text;
        return value->text.len <= SHORT_MAX;
    }
    for (uint32_t i = 0; i < partition->image->chains.count; i++) {
        struct span text = transformed(tx, value, chains[i]);
        if (is_among(texts, *count, text))
            continue;
        if (*count == VARIANTS_MAX || text.len > SHORT_MAX)
            return false;
        texts[(*count)++] = text;
    }
    return true;
}

/* Leaves out those that cannot have the patterns. */
static size_t sift(const struct partition *partition, const struct value *value,
                   struct span texts[VARIANTS_MAX], size_t count)
{
    size_t kept = 0;

    if (partition->needs == TRAITS_ALWAYS)
        return count;
    for (size_t i = 0; i < count; i++) {
        uint64_t traits = texts[i].p == value->text.p ? value->traits : traits_of(texts[i]);
        if (partition_may_find(partition, traits))
            texts[kept++] = texts[i];
    }
    return kept;
}

static bool was_found(const struct joined *joined, unsigned id)
{
    for (size_t i = 0; i < joined->found_count; i++)
        if (joined->found[i] == id)
            return true;
    return false;
}

/* A pattern that is looked for in a header or two makes no work. */
static int on_found(unsigned id, unsigned long long from UNUSED, unsigned long long to UNUSED,
                    unsigned flags UNUSED, void *ctx)
{
    struct joined *joined = ctx;

    if (id >= joined->engine->pattern_count || was_found(joined, id))
        return 0;
    joined->looks += joined->engine->patterns[id].wide ? 1 : 0;
    if (joined->looks > joined->looks_max || joined->found_count == FOUND_MAX)
        return 1;
    joined->found[joined->found_count++] = id;
    return 0;
}

static bool note_all(struct waf_tx *tx, const struct joined *joined, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        for (size_t j = 0; j < joined->found_count; j++)
            if (!note_found(tx, joined->values[i], joined->found[j]))
                return false;
    return true;
}

/* HS_SCAN_TERMINATED: more was found than the rules should look at every line for. */
static hs_error_t scan_text(struct waf_tx *tx, const struct partition *partition,
                            struct joined *joined, size_t first, size_t end)
{
    size_t from = first > 0 ? joined->ends[first - 1] : 0;
    size_t len = joined->ends[end - 1] - from;

    joined->found_count = 0;
    joined->looks = 0;
    joined->looks_max = LOOKS_MAX / (end - first);
    if (!tx_work(tx, len))
        return HS_NOMEM;
    return hs_scan(partition->database, (const char *)joined->text + from, (unsigned)len, 0,
                   tx->engine->scratch, on_found, joined);
}

static bool scan_lines(struct waf_tx *tx, const struct partition *partition, struct joined *joined,
                       size_t first, size_t end)
{
    size_t part = (end - first + PARTS - 1) / PARTS;

    switch (scan_text(tx, partition, joined, first, end)) {
    case HS_SUCCESS: return note_all(tx, joined, first, end);
    case HS_SCAN_TERMINATED: break;
    default: return false;
    }
    if (end - first == 1)
        return scan_alone(tx, partition, joined->values[first]);
    for (size_t at = first; at < end; at += part)
        if (!scan_lines(tx, partition, joined, at, at + part < end ? at + part : end))
            return false;
    return true;
}

bool join_scan(struct waf_tx *tx, const struct partition *partition)
{
    struct joined *joined = tx->joined;
    bool good = true;

    if (joined == NULL)
        return true;
    if (joined->count > 0)
        good = scan_lines(tx, partition, joined, 0, joined->count);
    joined->count = 0;
    joined->len = 0;
    return good;
}

static bool has_room(const struct joined *joined, const struct span *texts, size_t count)
{
    size_t need = joined->len;

    for (size_t i = 0; i < count; i++)
        need += texts[i].len + 1;
    return need <= ROOM && joined->count < VALUES_MAX;
}

static void put_line(struct joined *joined, struct span text, uint8_t separator)
{
    if (text.len > 0)
        memcpy(joined->text + joined->len, text.p, text.len);
    joined->len += text.len;
    joined->text[joined->len++] = separator;
}

static struct joined *joined_of(struct waf_tx *tx)
{
    if (tx->joined == NULL && (tx->joined = tx_alloc(tx, sizeof(*tx->joined))) != NULL)
        tx->joined->engine = tx->engine;
    return tx->joined;
}

bool join_value(struct waf_tx *tx, const struct partition *partition, struct value *value)
{
    struct span texts[VARIANTS_MAX];
    size_t count;
    struct joined *joined = joined_of(tx);

    if (!variants_of(tx, partition, value, texts, &count) || joined == NULL)
        return scan_alone(tx, partition, value);
    count = sift(partition, value, texts, count);
    if (count == 0)
        return true;
    if (!has_room(joined, texts, count) && !join_scan(tx, partition))
        return false;
    for (size_t i = 0; i < count; i++)
        put_line(joined, texts[i], (uint8_t)partition->image->separator);
    joined->values[joined->count] = value;
    joined->ends[joined->count++] = (uint32_t)joined->len;
    return true;
}
