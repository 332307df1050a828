/* SPDX-License-Identifier: Apache-2.0 */
#include "opt/opt.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/yaml.h"
#include "opt/opt_internal.h"

#include <fcntl.h>
#include <inttypes.h>

/* One option of one group, as a name found it. */
struct match {
    const struct opt *opt;
    void *settings;
    size_t place; /* among all options of all groups */
    bool old_name;
};

struct loader {
    const struct opt_group *groups;
    struct span text;
    const char *what;
    opt_warn_fn *warn;
    void *ctx;
    bool seen[OPT_TOTAL_MAX];
};

static bool is_old_name(const struct opt *opt, const char *name)
{
    for (const char *const *old = opt->old_names; old != NULL && *old != NULL; old++)
        if (strcmp(*old, name) == 0)
            return true;
    return false;
}

static bool find(const struct opt_group *groups, const char *name, struct match *out)
{
    size_t place = 0;

    for (; groups->options != NULL; groups++) {
        for (const struct opt *opt = groups->options; opt->name != NULL; opt++, place++) {
            bool old_name = is_old_name(opt, name);
            if (!old_name && strcmp(opt->name, name) != 0)
                continue;
            *out = (struct match){opt, groups->settings, place, old_name};
            return true;
        }
    }
    return false;
}

static bool is_prefix(const char *prefix, const char *name)
{
    size_t len = strlen(prefix);

    return strncmp(name, prefix, len) == 0 && name[len] == '.';
}

/* True when some option lies below this name. */
static bool is_section(const struct opt_group *groups, const char *name)
{
    for (; groups->options != NULL; groups++)
        for (const struct opt *opt = groups->options; opt->name != NULL; opt++) {
            if (is_prefix(name, opt->name))
                return true;
            for (const char *const *old = opt->old_names; old != NULL && *old != NULL; old++)
                if (is_prefix(name, *old))
                    return true;
        }
    return false;
}

/* How many characters must be put in, left out or changed (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[OPT_NAME_MAX + 1];
    size_t len = strlen(b);

    if (len > OPT_NAME_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t change = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = NUM_MIN(change, NUM_MIN(row[j], diagonal) + 1);
        }
    }
    return row[len];
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot == NULL ? name : dot + 1;
}

/* The nearest name, or NULL when none is near. The right name in the wrong place is near, too. */
static const char *nearest(const struct opt_group *groups, const char *name)
{
    const char *best = NULL;
    size_t least = strlen(name) / 3 + 2;

    for (; groups->options != NULL; groups++)
        for (const struct opt *opt = groups->options; opt->name != NULL; opt++) {
            size_t away =
                strcmp(last_part(opt->name), last_part(name)) == 0 ? 1 : distance(name, opt->name);
            if (away < least) {
                least = away;
                best = opt->name;
            }
        }
    return best;
}

static int refuse_unknown(const struct opt_group *groups, const char *name, struct err *err)
{
    const char *near = nearest(groups, name);

    if (near == NULL)
        return err_set(err, ERR_INVALID, "there is no option \"%.96s\"", name);
    return err_set(err, ERR_INVALID, "there is no option \"%.96s\"; did you mean \"%s\"?", name,
                   near);
}

/* Puts the place before the message. */
static int refuse_at(const struct loader *loader, const char *name, struct err *err)
{
    size_t line;
    size_t column;

    if (codec_yaml_locate(loader->text, 0, name, &line, &column))
        return err_wrap(err, "%s:%zu:%zu", loader->what, line, column);
    return err_wrap(err, "%s", loader->what);
}

/* -------------------------------------------------------------- from a file */

static int set_list(const struct match *match, const json_t *value, struct err *err)
{
    struct opt_list *list = (void *)((char *)match->settings + match->opt->offset);

    opt_value_clear(match->opt, match->settings);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *item = json_string_value(json_array_get(value, i));
        if (item == NULL)
            return err_set(err, ERR_INVALID, "item %zu of the list is no text; quote it", i + 1);
        opt_list_add(list, item);
    }
    return 0;
}

static int set_number(const struct match *match, json_int_t number, struct err *err)
{
    char text[24];

    snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, number);
    return opt_value_parse(match->opt, match->settings, text, err);
}

static int set_value(const struct match *match, const json_t *value, struct err *err)
{
    CLEANUP(buf_free) struct buf expected = BUF_INIT(512);
    enum opt_type type = match->opt->type;

    if (json_is_boolean(value) && type == OPT_BOOL)
        return opt_value_parse(match->opt, match->settings, json_is_true(value) ? "true" : "false",
                               err);
    if (json_is_integer(value) && (type == OPT_U64 || type == OPT_SIZE))
        return set_number(match, json_integer_value(value), err);
    if (json_is_array(value) && type == OPT_LIST)
        return set_list(match, value, err);
    if (json_is_string(value) && type != OPT_BOOL && type != OPT_U64 && type != OPT_LIST)
        return opt_value_parse(match->opt, match->settings, json_string_value(value), err);
    opt_value_describe(match->opt, &expected);
    return err_set(err, ERR_INVALID, "it must be %s", buf_text(&expected));
}

static int load_option(struct loader *loader, const char *name, const struct match *match,
                       const json_t *value, struct err *err)
{
    if (loader->seen[match->place]) {
        err_set(err, ERR_INVALID, "\"%s\" is set twice", match->opt->name);
        return refuse_at(loader, name, err);
    }
    loader->seen[match->place] = true;
    if (match->old_name && loader->warn != NULL) {
        CLEANUP_FREE char *message =
            mem_printf("%s: \"%s\" is now called \"%s\"", loader->what, name, match->opt->name);
        loader->warn(loader->ctx, message);
    }
    if (set_value(match, value, err) < 0) {
        err_wrap(err, "%s", name);
        return refuse_at(loader, name, err);
    }
    return 0;
}

static int load_section(struct loader *loader, const char *prefix, json_t *section, struct err *err)
{
    for (void *it = json_object_iter(section); it != NULL;
         it = json_object_iter_next(section, it)) {
        CLEANUP_FREE char *name =
            mem_printf("%s%s%s", prefix, *prefix == '\0' ? "" : ".", json_object_iter_key(it));
        json_t *value = json_object_iter_value(it);
        struct match match;
        if (find(loader->groups, name, &match)) {
            TRY(load_option(loader, name, &match, value, err));
        } else if (json_is_object(value) && is_section(loader->groups, name)) {
            TRY(load_section(loader, name, value, err));
        } else if (!json_is_null(value) || !is_section(loader->groups, name)) {
            refuse_unknown(loader->groups, name, err);
            return refuse_at(loader, name, err);
        }
    }
    return 0;
}

int opt_load_text(const struct opt_group *groups, struct span text, const char *what,
                  opt_warn_fn *warn, void *ctx, struct err *err)
{
    struct loader loader = {.groups = groups, .text = text, .what = what, .warn = warn, .ctx = ctx};
    CLEANUP_JSON json_t *documents = NULL;

    TRY(codec_yaml_parse(text, what, &documents, err));
    json_t *top = json_array_get(documents, 0);
    if (top == NULL)
        return 0;
    if (json_array_size(documents) > 1)
        return err_set(err, ERR_INVALID, "%s has more than one document", what);
    if (!json_is_object(top))
        return err_set(err, ERR_INVALID, "%s:1:1: settings are a mapping of names", what);
    return load_section(&loader, "", top, err);
}

int opt_load_file(const struct opt_group *groups, const char *path, opt_warn_fn *warn, void *ctx,
                  struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(OPT_FILE_MAX);

    TRY(fd_read_file(AT_FDCWD, path, &text, err));
    return opt_load_text(groups, buf_span(&text), path, warn, ctx, err);
}

/* ------------------------------------------------------------------- others */

int opt_set(const struct opt_group *groups, const char *assignment, struct err *err)
{
    const char *equals = strchr(assignment, '=');
    struct match match;

    if (equals == NULL)
        return err_set(err, ERR_INVALID, "\"%.80s\" is not of the form name=value", assignment);
    CLEANUP_FREE char *name = mem_strndup(assignment, (size_t)(equals - assignment));
    if (!find(groups, name, &match))
        return refuse_unknown(groups, name, err);
    if (opt_value_parse(match.opt, match.settings, equals + 1, err) < 0)
        return err_wrap(err, "%s", name);
    return 0;
}

int opt_set_defaults(const struct opt_group *groups, struct err *err)
{
    size_t count = 0;

    for (; groups->options != NULL; groups++)
        for (const struct opt *opt = groups->options; opt->name != NULL; opt++) {
            INVARIANT(++count <= OPT_TOTAL_MAX && strlen(opt->name) <= OPT_NAME_MAX);
            opt_value_clear(opt, groups->settings);
            if (opt->def != NULL && opt_value_parse(opt, groups->settings, opt->def, err) < 0)
                return err_wrap(err, "default of %s", opt->name);
        }
    return 0;
}

void opt_free(const struct opt_group *groups)
{
    for (; groups->options != NULL; groups++)
        for (const struct opt *opt = groups->options; opt->name != NULL; opt++)
            opt_value_clear(opt, groups->settings);
}
