/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/run/run.h"

/* As stoi() of v3: blanks, a sign, digits up to the first other byte. */
int64_t to_number(struct span text)
{
    size_t i = 0;
    bool minus = false;
    int64_t number = 0;

    while (i < text.len && (text.p[i] == ' ' || (text.p[i] >= 9 && text.p[i] <= 13)))
        i++;
    if (i < text.len && (text.p[i] == '-' || text.p[i] == '+'))
        minus = text.p[i++] == '-';
    for (; i < text.len && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        if (number < INT64_MAX / 16)
            number = number * 10 + (text.p[i] - '0');
    return minus ? -number : number;
}

static struct span part_text(struct waf_tx *tx, const struct image_rule *rule,
                             const struct image_part *part)
{
    struct span key = image_bytes(tx->engine->image, part->text);

    if (part->var == IMAGE_LITERAL)
        return key;
    struct span found = variable_first(tx, rule, (enum waf_var)part->var, part->slot, key);
    return found.p != NULL ? found : span_str("");
}

struct span expand(struct waf_tx *tx, const struct image_rule *rule, struct snapshot_ref parts)
{
    const struct image_part *part = &tx->engine->parts[parts.at];

    if (parts.count == 0)
        return span_str("");
    if (parts.count == 1)
        return part_text(tx, rule, part);
    buf_reset(&tx->text);
    for (uint32_t i = 0; i < parts.count; i++)
        buf_put_span(&tx->text, part_text(tx, rule, &part[i]));
    return tx_copy(tx, buf_span(&tx->text));
}

struct span match_name(struct waf_tx *tx, enum waf_var var, struct span key)
{
    struct span name = span_str(waf_var_name(var));

    if ((waf_var_flags(var) & VAR_COLLECTION) == 0 || key.len == 0)
        return name;
    char *text = tx_alloc(tx, name.len + key.len + 2);
    if (text == NULL)
        return name;
    memcpy(text, name.p, name.len);
    text[name.len] = ':';
    memcpy(text + name.len + 1, key.p, key.len);
    return span_of(text, name.len + 1 + key.len);
}
