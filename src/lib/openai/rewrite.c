/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/rewrite.h"

#include "openai/scan.h"

#include <string.h>

enum { NAME_MAX_LEN = 64 };

static bool is_listed(struct span list, struct span name)
{
    while (list.len > 0) {
        const uint8_t *blank = memchr(list.p, ' ', list.len);
        size_t len = blank == NULL ? list.len : (size_t)(blank - list.p);
        if (span_eq(span_of(list.p, len), name))
            return true;
        if (blank == NULL)
            return false;
        list = span_of(list.p + len + 1, list.len - len - 1);
    }
    return false;
}

static bool is_dropped(const struct scan_string *name, struct span drop)
{
    char decoded[NAME_MAX_LEN + 1];

    if (!name->escaped)
        return is_listed(drop, name->raw);
    return scan_string_copy(name, decoded, sizeof(decoded)) && is_listed(drop, span_str(decoded));
}

/* One member, and whether it stays. */
static bool member(struct scan *scan, struct span drop, bool *kept)
{
    struct scan_string name;

    scan_space(scan);
    if (!scan_string(scan, &name))
        return false;
    *kept = !is_dropped(&name, drop);
    scan_space(scan);
    if (!scan_byte(scan, ':', "a colon must come here"))
        return false;
    scan_space(scan);
    if (!scan_value(scan, 1))
        return false;
    scan_space(scan);
    return true;
}

static bool members(struct scan *scan, struct span drop, bool first, struct buf *out)
{
    do {
        const uint8_t *from = scan->p;
        bool kept = false;
        if (!member(scan, drop, &kept))
            return false;
        if (!kept)
            continue;
        if (!first)
            buf_put_u8(out, ',');
        first = false;
        buf_put(out, from, (size_t)(scan->p - from));
    } while (scan->p < scan->end && *scan->p == ',' && ++scan->p);
    return scan_byte(scan, '}', "a comma or } must come here");
}

static bool object(struct scan *scan, struct span drop, struct span set, struct buf *out)
{
    scan_space(scan);
    if (!scan_byte(scan, '{', "an object must come here"))
        return false;
    scan_space(scan);
    buf_put_u8(out, '{');
    buf_put_span(out, set);
    if (scan->p < scan->end && *scan->p == '}')
        scan->p++;
    else if (!members(scan, drop, set.len == 0, out))
        return false;
    buf_put_u8(out, '}');
    return scan_end(scan);
}

int openai_rewrite(struct span body, struct span drop, struct span set, struct buf *out,
                   struct err *err)
{
    struct scan scan = {.start = body.p, .p = body.p, .end = body.p + body.len};

    if (!object(&scan, drop, set, out))
        return err_set(err, ERR_INVALID, "the body is no JSON object: %s at byte %zu", scan.why,
                       (size_t)(scan.p - scan.start));
    return buf_check(out, "the body", err);
}

bool openai_rewrite_may(const char *name)
{
    static const char *const fixed[] = {"model",
                                        "messages",
                                        "prompt",
                                        "input",
                                        "suffix",
                                        "system",
                                        "tools",
                                        "stream",
                                        "functions",
                                        "max_tokens",
                                        "max_completion_tokens",
                                        "n",
                                        "best_of",
                                        "stream_options",
                                        "prediction"};
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_LEN ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (strcmp(fixed[i], name) == 0)
            return false;
    return true;
}
