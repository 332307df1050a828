/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml.h"
#include "opt/opt_internal.h"

enum { LINE_WIDTH = 88 };

static void put_indent(struct buf *out, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        buf_put_str(out, "  ");
}

/* Text as comment lines, broken between words. */
static void put_comment(struct buf *out, size_t depth, const char *text)
{
    size_t width = LINE_WIDTH - 2 * depth;

    while (*text != '\0') {
        size_t len = strlen(text);
        if (len > width) {
            len = width;
            while (len > 0 && text[len] != ' ')
                len--;
            if (len == 0)
                len = strcspn(text, " ");
        }
        put_indent(out, depth);
        buf_printf(out, "# %.*s\n", (int)len, text);
        text += len;
        text += strspn(text, " ");
    }
}

/* How many dotted parts two names begin with in common, the last part left out. */
static size_t common_depth(const char *a, const char *b)
{
    size_t depth = 0;

    for (; *a != '\0' && *a == *b; a++, b++)
        depth += *a == '.';
    return depth;
}

/* The headings of the sections that this name opens after the previous one; the depth it is at. */
static size_t put_sections(struct buf *out, const char *previous, const char *name)
{
    size_t shared = common_depth(previous, name);
    size_t depth = 0;

    for (const char *dot; (dot = strchr(name, '.')) != NULL; name = dot + 1, depth++) {
        if (depth < shared)
            continue;
        put_indent(out, depth);
        buf_printf(out, "%.*s:\n", (int)(dot - name), name);
    }
    return depth;
}

static void put_yaml_text(struct buf *out, const char *text)
{
    CLEANUP_JSON json_t *value = json_string(text);

    INVARIANT(value != NULL);
    codec_yaml_put(value, out);
}

static void put_yaml_list(struct buf *out, const char *items)
{
    const char *comma = "";

    buf_put_u8(out, '[');
    while (*items != '\0') {
        size_t len = strcspn(items, ",");
        CLEANUP_JSON json_t *item = json_stringn(items, len);
        buf_put_str(out, comma);
        codec_json_put(item, out);
        items += len + (items[len] == ',');
        comma = ", ";
    }
    buf_put_str(out, "]\n");
}

static void put_default(struct buf *out, const struct opt *opt)
{
    if (opt->type == OPT_LIST)
        put_yaml_list(out, opt->def);
    else if (opt->type == OPT_BOOL || opt->type == OPT_U64 || opt->type == OPT_SIZE)
        buf_printf(out, "%s\n", opt->def);
    else
        put_yaml_text(out, opt->def);
}

static void put_sample_option(struct buf *out, const struct opt *opt, const char *previous)
{
    CLEANUP(buf_free) struct buf kind = BUF_INIT(1024);
    const char *dot = strrchr(opt->name, '.');
    size_t depth = put_sections(out, previous, opt->name);

    put_comment(out, depth, opt->brief);
    if (opt->more != NULL)
        put_comment(out, depth, opt->more);
    buf_put_str(&kind, "Takes ");
    opt_value_describe(opt, &kind);
    buf_put_str(&kind, opt->def == NULL ? "; not set." : ".");
    put_comment(out, depth, buf_text(&kind));
    put_indent(out, depth);
    buf_printf(out, "%s%s:%s", opt->def == NULL ? "#" : "", dot == NULL ? opt->name : dot + 1,
               opt->def == NULL ? "\n" : " ");
    if (opt->def != NULL)
        put_default(out, opt);
}

void opt_put_sample(const struct opt_group *groups, struct buf *out)
{
    const char *previous = "";

    for (; groups->options != NULL; groups++) {
        buf_printf(out, "%s# %s\n", *previous == '\0' ? "" : "\n", groups->title);
        for (const struct opt *opt = groups->options; opt->name != NULL; opt++) {
            buf_put_u8(out, '\n');
            put_sample_option(out, opt, previous);
            previous = opt->name;
        }
    }
}

/* ----------------------------------------------------------------- man page */

/* Roff takes a point or an apostrophe at the start of a line for a request, and a minus sign for a
 * hyphen unless it is escaped. */
static void put_roff(struct buf *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        buf_put_str(out, "\\&");
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            buf_put_str(out, "\\e");
        else if (*text == '-')
            buf_put_str(out, "\\-");
        else
            buf_put_u8(out, (uint8_t)*text);
    }
}

static void put_man_option(struct buf *out, const struct opt *opt)
{
    CLEANUP(buf_free) struct buf kind = BUF_INIT(1024);

    opt_value_describe(opt, &kind);
    buf_put_str(out, ".TP\n.B ");
    put_roff(out, opt->name);
    buf_put_str(out, "\n");
    put_roff(out, opt->brief);
    buf_put_str(out, "\n");
    if (opt->more != NULL) {
        put_roff(out, opt->more);
        buf_put_str(out, "\n");
    }
    buf_put_str(out, "Takes ");
    put_roff(out, buf_text(&kind));
    if (opt->def == NULL) {
        buf_put_str(out, "; not set by default.\n");
        return;
    }
    buf_put_str(out, "; default\n.BR ");
    put_roff(out, *opt->def == '\0' ? "\"\"" : opt->def);
    buf_put_str(out, " .\n");
}

void opt_put_man(const struct opt_group *groups, struct buf *out)
{
    for (; groups->options != NULL; groups++) {
        buf_put_str(out, ".SS ");
        put_roff(out, groups->title);
        buf_put_str(out, "\n");
        for (const struct opt *opt = groups->options; opt->name != NULL; opt++)
            put_man_option(out, opt);
    }
}
