/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/body_oracle.h"

#include "base/enc.h"
#include "base/mem.h"

enum { LIST_MAX = 1 << 24 };

void body_list_init(struct body_list *list)
{
    *list = (struct body_list){BUF_INIT(LIST_MAX), BUF_INIT(LIST_MAX)};
}

void body_list_free(struct body_list *list)
{
    buf_free(&list->names);
    buf_free(&list->values);
}

void body_list_add(struct body_list *list, struct span name, struct span value)
{
    enc_hex_put(name, &list->names);
    buf_put_str(&list->names, "|");
    enc_hex_put(value, &list->values);
    buf_put_str(&list->values, "|");
}

static bool add_pair(void *ctx, const struct waf_pair *pair)
{
    body_list_add(ctx, pair->name, pair->value);
    return true;
}

struct waf_pair_sink body_list_sink(struct body_list *list)
{
    return (struct waf_pair_sink){add_pair, list};
}

static int compare(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = len == 0 ? 0 : memcmp(x->p, y->p, len);

    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static void sort(struct buf *list)
{
    size_t count = 0;
    CLEANUP(buf_free) struct buf sorted = BUF_INIT(LIST_MAX);

    for (size_t i = 0; i < list->len; i++)
        count += list->data[i] == '|';
    CLEANUP_FREE struct span *words = mem_new_array(count + 1, sizeof(*words));
    struct cursor cursor = cursor_of(buf_span(list));
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bar = memchr(cursor.p, '|', cursor.left);
        words[i] = cursor_bytes(&cursor, (size_t)(bar - cursor.p) + 1);
    }
    qsort(words, count, sizeof(*words), compare);
    for (size_t i = 0; i < count; i++)
        buf_put_span(&sorted, words[i]);
    buf_reset(list);
    buf_put_span(list, buf_span(&sorted));
}

static void sort_both(struct body_list *list)
{
    sort(&list->names);
    sort(&list->values);
}

void body_list_compare(struct body_list *ours, struct body_list *theirs)
{
    sort_both(ours);
    sort_both(theirs);
    if (span_eq(buf_span(&ours->names), buf_span(&theirs->names)) &&
        span_eq(buf_span(&ours->values), buf_span(&theirs->values)))
        return;
    fprintf(stderr, "ours        %s %s\nModSecurity %s %s\n", buf_text(&ours->names),
            buf_text(&ours->values), buf_text(&theirs->names), buf_text(&theirs->values));
    err_bug(__FILE__, __LINE__, "the arguments differ");
}

/* ------------------------------------------------------------------ ModSecurity */

struct oracle *body_oracle_new(const char *directives, const char *names, const char *values,
                               const char *more)
{
    CLEANUP_FREE char *rules =
        mem_printf("SecRuleEngine On\nSecRequestBodyAccess On\n%s"
                   "SecRule %s \"@unconditionalMatch\" \"id:2,phase:2,pass,nolog,t:hexEncode,"
                   "setvar:'tx.n=%%{tx.n}%%{MATCHED_VAR}|'\"\n"
                   "SecRule %s \"@unconditionalMatch\" \"id:3,phase:2,pass,nolog,t:hexEncode,"
                   "setvar:'tx.v=%%{tx.v}%%{MATCHED_VAR}|'\"\n"
                   "SecAction \"id:4,phase:2,nolog,deny,status:302,"
                   "redirect:'%%{tx.n}/%%{tx.v}/%s'\"\n",
                   directives, names, values, more);

    return oracle_new(rules);
}

static struct span cut(struct span *text)
{
    const uint8_t *slash = memchr(text->p, '/', text->len);

    INVARIANT(slash != NULL);
    struct span head = span_of(text->p, (size_t)(slash - text->p));
    *text = span_of(slash + 1, text->len - head.len - 1);
    return head;
}

void body_oracle_run(const struct oracle *oracle, const struct oracle_request *request,
                     struct body_list *list, struct buf *rest)
{
    CLEANUP(buf_free) struct buf result = BUF_INIT(LIST_MAX);

    oracle_run(oracle, request, &result);
    struct span text = buf_span(&result);
    buf_put_span(&list->names, cut(&text));
    buf_put_span(&list->values, cut(&text));
    buf_put_span(rest, text);
}
