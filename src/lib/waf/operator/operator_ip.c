/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ipMatch, ipMatchFromFile: addresses and networks as sorted ranges that do not overlap, so that a
 * look-up is a binary search however long the list is. Blob: struct ip_head, the IPv4 ranges, the
 * IPv6 ranges; a range is its first and its last address in network order.
 */
#include "waf/operator/operator_internal.h"

#include "base/mem.h"
#include "base/num.h"

#include <arpa/inet.h>

enum { V4 = 4, V6 = 16, ENTRIES_MAX = 4 * 1024 * 1024 };

struct ip_head {
    uint32_t v4_count;
    uint32_t v6_count;
};

struct range {
    uint8_t first[V6];
    uint8_t last[V6];
};

/* Ranges of one kind of address. */
struct ranges {
    size_t width; /* bytes of an address */
    struct range *list;
    size_t count;
    size_t room;
};

static void free_ranges(struct ranges *ranges)
{
    free(ranges->list);
}

static struct range *add_range(struct ranges *ranges)
{
    if (ranges->count == ranges->room) {
        ranges->room = ranges->room == 0 ? 16 : ranges->room * 2;
        ranges->list = mem_resize_array(ranges->list, ranges->room, sizeof(*ranges->list));
    }
    struct range *range = &ranges->list[ranges->count++];
    memset(range, 0, sizeof(*range));
    return range;
}

/* ------------------------------------------------------------------ reading */

/* The bytes of an address; 0: it is none, else V4 or V6. */
static size_t parse_address(struct span text, uint8_t out[V6])
{
    char buffer[INET6_ADDRSTRLEN];

    if (text.len >= sizeof(buffer) || text.len == 0 || memchr(text.p, '\0', text.len) != NULL)
        return 0;
    memcpy(buffer, text.p, text.len);
    buffer[text.len] = '\0';
    if (inet_pton(AF_INET, buffer, out) == 1)
        return V4;
    return inet_pton(AF_INET6, buffer, out) == 1 ? V6 : 0;
}

/* From an address inside a network to its first and last. */
static void spread(struct range *range, size_t width, size_t bits)
{
    memcpy(range->last, range->first, width);
    for (size_t i = 0; i < width; i++) {
        size_t fixed = bits > 8 * i ? NUM_MIN(bits - 8 * i, (size_t)8) : 0;
        uint8_t host = (uint8_t)(0xFFU >> fixed);
        range->first[i] &= (uint8_t)~host;
        range->last[i] |= host;
    }
}

static int add_entry(struct span text, struct ranges *v4, struct ranges *v6, struct err *err)
{
    const uint8_t *slash = memchr(text.p, '/', text.len);
    struct span address = span_of(text.p, slash == NULL ? text.len : (size_t)(slash - text.p));
    uint8_t bytes[V6];
    struct err ignored = ERR_INIT;

    size_t width = parse_address(address, bytes);
    uint64_t bits = width * 8;
    if (slash != NULL && width > 0 &&
        num_parse_u64(span_of(slash + 1, text.len - address.len - 1), 0, width * 8, "bits", &bits,
                      &ignored) < 0)
        width = 0;
    if (width == 0)
        return err_set(err, ERR_INVALID,
                       "\"%.*s\" is no IP address and no network such as 192.0.2.0/24",
                       SPAN_ARG(text));
    struct ranges *ranges = width == V4 ? v4 : v6;
    if (ranges->count >= ENTRIES_MAX)
        return err_set(err, ERR_TOO_LARGE, "there are more than %d addresses", ENTRIES_MAX);
    struct range *range = add_range(ranges);
    memcpy(range->first, bytes, width);
    spread(range, width, bits);
    return 0;
}

static struct span trimmed(struct span text)
{
    while (text.len > 0 && (*text.p == ' ' || *text.p == '\t')) {
        text.p++;
        text.len--;
    }
    while (text.len > 0 && (text.p[text.len - 1] == ' ' || text.p[text.len - 1] == '\t' ||
                            text.p[text.len - 1] == '\r'))
        text.len--;
    return text;
}

/* The text up to `end`; *rest is what comes behind it. */
static struct span cut(struct span *rest, uint8_t end)
{
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->p, end, rest->len);
    size_t len = at == NULL ? rest->len : (size_t)(at - rest->p);
    struct span head = span_of(rest->p, len);

    *rest = span_of(rest->p + len, rest->len - len);
    if (at != NULL)
        *rest = span_of(rest->p + 1, rest->len - 1);
    return head;
}

static int add_list(struct span line, struct ranges *v4, struct ranges *v6, struct err *err)
{
    line = cut(&(struct span){line.p, line.len}, '#');
    while (line.len > 0) {
        struct span entry = trimmed(cut(&line, ','));
        if (entry.len > 0)
            TRY(add_entry(entry, v4, v6, err));
    }
    return 0;
}

/* ------------------------------------------------------------------ writing */

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct range *)a)->first, ((const struct range *)b)->first, V6);
}

/* Sorted, overlapping ones joined. */
static void tidy(struct ranges *ranges)
{
    size_t kept = 0;

    if (ranges->count == 0)
        return;
    qsort(ranges->list, ranges->count, sizeof(*ranges->list), compare);
    for (size_t i = 1; i < ranges->count; i++) {
        struct range *last = &ranges->list[kept];
        if (memcmp(ranges->list[i].first, last->last, V6) > 0)
            ranges->list[++kept] = ranges->list[i];
        else if (memcmp(ranges->list[i].last, last->last, V6) > 0)
            memcpy(last->last, ranges->list[i].last, V6);
    }
    ranges->count = kept + 1;
}

static void put(const struct ranges *ranges, struct buf *blob)
{
    for (size_t i = 0; i < ranges->count; i++) {
        buf_put(blob, ranges->list[i].first, ranges->width);
        buf_put(blob, ranges->list[i].last, ranges->width);
    }
}

static int prepare(struct span text, const char *what, struct buf *blob, struct err *err)
{
    CLEANUP(free_ranges) struct ranges v4 = {.width = V4};
    CLEANUP(free_ranges) struct ranges v6 = {.width = V6};

    for (size_t line = 1; text.len > 0; line++)
        if (add_list(cut(&text, '\n'), &v4, &v6, err) < 0)
            return err_wrap(err, "%s, line %zu", what, line);
    tidy(&v4);
    tidy(&v6);
    struct ip_head head = {(uint32_t)v4.count, (uint32_t)v6.count};
    buf_put(blob, &head, sizeof(head));
    put(&v4, blob);
    put(&v6, blob);
    return 0;
}

int op_prepare_ip(enum waf_op op, struct span argument, const char *dir, struct buf *blob,
                  struct err *err)
{
    (void)op;
    (void)dir;
    return prepare(argument, "@ipMatch", blob, err);
}

int op_prepare_ip_file(enum waf_op op, struct span argument, const char *dir, struct buf *blob,
                       struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(OP_FILE_MAX);
    CLEANUP_FREE char *name = mem_printf("@ipMatchFromFile %.*s", SPAN_ARG(argument));

    TRY(op_read_file(op, argument, dir, &text, err));
    return prepare(buf_span(&text), name, blob, err);
}

/* ------------------------------------------------------------------ matching */

static bool in_ranges(const uint8_t *ranges, size_t count, const uint8_t *address, size_t width)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint8_t *range = ranges + middle * 2 * width;
        if (memcmp(address, range, width) < 0)
            high = middle;
        else if (memcmp(address, range + width, width) > 0)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

bool op_ip_match(const struct op_call *call, struct waf_op_found *found)
{
    struct ip_head head;
    uint8_t address[V6];
    size_t width = parse_address(call->value, address);

    (void)found;
    if (width == 0)
        return false;
    memcpy(&head, call->blob.p, sizeof(head));
    const uint8_t *v4 = call->blob.p + sizeof(head);
    const uint8_t *v6 = v4 + (size_t)head.v4_count * 2 * V4;
    return width == V4 ? in_ranges(v4, head.v4_count, address, V4)
                       : in_ranges(v6, head.v6_count, address, V6);
}
