/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/compile/phrases.h"

#include "base/mem.h"

/* Nodes in breadth-first order: the children of one lie together, sorted by their byte. */
struct node {
    uint32_t first; /* child */
    uint16_t children;
    uint8_t byte;
    uint8_t ends; /* a phrase ends here */
};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static int compare(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;
    size_t len = x->len < y->len ? x->len : y->len;

    for (size_t i = 0; i < len; i++)
        if (lower(x->p[i]) != lower(y->p[i]))
            return lower(x->p[i]) < lower(y->p[i]) ? -1 : 1;
    return (x->len > y->len) - (x->len < y->len);
}

/* Phrases [from, to) share the first `depth` bytes, which lead to `node`. */
struct job {
    size_t from;
    size_t to;
    size_t depth;
    uint32_t node;
};

static struct node *node_at(struct buf *out, size_t base, uint32_t index)
{
    return (struct node *)(void *)(out->data + base) + index;
}

static void build_node(const struct span *sorted, struct job *jobs, size_t *job_count, size_t which,
                       struct buf *out, size_t base)
{
    struct job job = jobs[which];
    uint32_t next = (uint32_t)((out->len - base) / sizeof(struct node));
    uint16_t children = 0;
    size_t i = job.from;

    for (; i < job.to && sorted[i].len == job.depth; i++)
        node_at(out, base, job.node)->ends = 1;
    node_at(out, base, job.node)->first = next;
    while (i < job.to) {
        uint8_t byte = lower(sorted[i].p[job.depth]);
        size_t end = i;
        while (end < job.to && lower(sorted[end].p[job.depth]) == byte)
            end++;
        struct node child = {.byte = byte};
        buf_put(out, &child, sizeof(child));
        jobs[(*job_count)++] = (struct job){i, end, job.depth + 1, next + children};
        children++;
        i = end;
    }
    node_at(out, base, job.node)->children = children;
}

void phrases_build(const struct span *phrases, size_t count, struct buf *out)
{
    CLEANUP_FREE struct span *sorted = mem_new_array(count + 1, sizeof(*sorted));
    size_t kept = 0;
    size_t bytes = 1;
    size_t base = out->len;
    struct node root = {0};

    for (size_t i = 0; i < count; i++)
        if (phrases[i].len > 0) {
            sorted[kept++] = phrases[i];
            bytes += phrases[i].len;
        }
    qsort(sorted, kept, sizeof(*sorted), compare);
    CLEANUP_FREE struct job *jobs = mem_new_array(bytes + 1, sizeof(*jobs));
    size_t job_count = 1;
    jobs[0] = (struct job){.to = kept};
    buf_put(out, &root, sizeof(root));
    for (size_t i = 0; i < job_count && !out->overflowed; i++)
        build_node(sorted, jobs, &job_count, i, out, base);
}

bool phrases_valid(struct span trie)
{
    const struct node *nodes = (const void *)trie.p;
    size_t count = trie.len / sizeof(*nodes);

    if (count == 0 || trie.len % sizeof(*nodes) != 0 || (uintptr_t)trie.p % 4 != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (nodes[i].children > 0 &&
            (nodes[i].first <= i || nodes[i].first > count - nodes[i].children))
            return false;
    return true;
}

static const struct node *child_of(const struct node *nodes, const struct node *node, uint8_t byte)
{
    uint32_t low = node->first;
    uint32_t high = low + node->children;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (nodes[middle].byte == byte)
            return &nodes[middle];
        if (nodes[middle].byte < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool phrases_find(struct span trie, struct span text, size_t *at, size_t *len)
{
    const struct node *nodes = (const void *)trie.p;
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < text.len && i + 1 < best; i++) {
        const struct node *node = nodes;
        for (size_t j = i; j < text.len && j + 1 < best; j++) {
            node = child_of(nodes, node, lower(text.p[j]));
            if (node == NULL)
                break;
            if (node->ends) {
                /* The first place that it is found at makes it the longest that ends there. */
                best = j + 1;
                *at = i;
                *len = best - i;
            }
        }
    }
    return best != SIZE_MAX;
}

static void walk(const struct node *nodes, const struct node *node, struct buf *phrase,
                 void (*each)(void *ctx, struct span phrase), void *ctx)
{
    if (node->ends)
        each(ctx, buf_span(phrase));
    for (uint32_t i = 0; i < node->children; i++) {
        const struct node *child = &nodes[node->first + i];
        size_t len = phrase->len;
        buf_put_u8(phrase, child->byte);
        walk(nodes, child, phrase, each, ctx);
        phrase->len = len;
    }
}

void phrases_each(struct span trie, void (*each)(void *ctx, struct span phrase), void *ctx)
{
    const struct node *nodes = (const void *)trie.p;
    CLEANUP(buf_free) struct buf phrase = BUF_INIT(trie.len + 1);

    walk(nodes, nodes, &phrase, each, ctx);
}
