/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/num.h"
#include "opt/opt_internal.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 60 * 60000UL}, {"d", 86400000}};
static const struct unit sizes[] = {
    {"", 1}, {"KiB", 1UL << 10}, {"MiB", 1UL << 20}, {"GiB", 1UL << 30}, {"TiB", 1UL << 40}};

static void *field_of(const struct opt *opt, void *settings)
{
    return (char *)settings + opt->offset;
}

static int check_range(const struct opt *opt, uint64_t value, struct err *err)
{
    const char *unit = opt->type == OPT_DURATION ? " ms" : opt->type == OPT_SIZE ? " bytes" : "";

    if (value < opt->min)
        return err_set(err, ERR_INVALID, "%" PRIu64 "%s is less than %" PRIu64, value, unit,
                       opt->min);
    if (opt->max != 0 && value > opt->max)
        return err_set(err, ERR_INVALID, "%" PRIu64 "%s is more than %" PRIu64, value, unit,
                       opt->max);
    return 0;
}

static int parse_bool(const char *text, bool *out, struct err *err)
{
    *out = strcmp(text, "true") == 0;
    if (!*out && strcmp(text, "false") != 0)
        return err_set(err, ERR_INVALID, "\"%.40s\" is neither true nor false", text);
    return 0;
}

/* Digits and the unit behind them; moves on. False when there is no such thing or it does not fit.
 */
static bool take_quantity(const char **text, const struct unit *units, size_t count, uint64_t *out)
{
    struct err ignored = ERR_INIT;
    size_t digits = strspn(*text, "0123456789");
    const char *name = *text + digits;
    size_t len = strcspn(name, "0123456789");

    if (num_parse_u64(span_of(*text, digits), 0, UINT64_MAX, "", out, &ignored) < 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!span_eq_str(span_of(name, len), units[i].name))
            continue;
        *text = name + len;
        return num_mul(*out, units[i].factor, out);
    }
    return false;
}

int opt_parse_duration(const char *text, uint64_t *out, struct err *err)
{
    const char *rest = text;
    uint64_t sum = 0;
    uint64_t part = 0;

    do {
        if (!take_quantity(&rest, durations, ARRAY_LEN(durations), &part) ||
            !num_add(sum, part, &sum))
            return err_set(err, ERR_INVALID,
                           "\"%.40s\" is no duration; write it as 250ms, 15m or 1h30m", text);
    } while (*rest != '\0');
    *out = sum;
    return 0;
}

static int parse_size(const char *text, uint64_t *out, struct err *err)
{
    const char *rest = text;

    if (!take_quantity(&rest, sizes, ARRAY_LEN(sizes), out) || *rest != '\0')
        return err_set(err, ERR_INVALID, "\"%.40s\" is no size; write it as 4096, 64KiB or 1GiB",
                       text);
    return 0;
}

static int parse_number(const struct opt *opt, const char *text, uint64_t *out, struct err *err)
{
    uint64_t value = 0;

    if (opt->type == OPT_DURATION)
        TRY(opt_parse_duration(text, &value, err));
    else if (opt->type == OPT_SIZE)
        TRY(parse_size(text, &value, err));
    else
        TRY(num_parse_u64(span_str(text), 0, UINT64_MAX, "the value", &value, err));
    TRY(check_range(opt, value, err));
    *out = value;
    return 0;
}

static int parse_enum(const struct opt *opt, const char *text, unsigned *out, struct err *err)
{
    CLEANUP(buf_free) struct buf choices = BUF_INIT(256);

    for (unsigned i = 0; opt->choices[i] != NULL; i++) {
        if (strcmp(opt->choices[i], text) == 0) {
            *out = i;
            return 0;
        }
        buf_printf(&choices, "%s%s", i > 0 ? ", " : "", opt->choices[i]);
    }
    return err_set(err, ERR_INVALID, "\"%.40s\" is none of %s", text, buf_text(&choices));
}

static int parse_text(const struct opt *opt, const char *text, char **out, struct err *err)
{
    if (opt->type == OPT_PATH && text[0] != '/')
        return err_set(err, ERR_INVALID, "\"%.80s\" is no absolute path", text);
    *out = mem_strdup(text);
    return 0;
}

static bool is_address(const char *host, bool bracketed)
{
    uint8_t address[sizeof(struct in6_addr)];

    return inet_pton(bracketed ? AF_INET6 : AF_INET, host, address) == 1;
}

static int parse_listen(const char *text, struct opt_listen *out, struct err *err)
{
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[' && colon != NULL && colon > text && colon[-1] == ']';
    uint64_t port = 0;
    struct opt_listen listen = {.port = 0};

    if (colon != NULL) {
        const char *host = text + bracketed;
        size_t len = (size_t)(colon - text) - 2 * (size_t)bracketed;
        if (len < sizeof(listen.host))
            memcpy(listen.host, host, len);
        struct err ignored = ERR_INIT;
        if (num_parse_u64(span_str(colon + 1), 1, UINT16_MAX, "port", &port, &ignored) == 0 &&
            is_address(listen.host, bracketed)) {
            listen.port = (uint16_t)port;
            *out = listen;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID,
                   "\"%.60s\" is no address and port; write it as 127.0.0.1:8443 or [::]:8443",
                   text);
}

void opt_list_add(struct opt_list *list, const char *item)
{
    list->items = mem_resize_array(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = mem_strdup(item);
}

static void parse_list(const char *text, struct opt_list *out)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        CLEANUP_FREE char *item = mem_strndup(text, len);
        opt_list_add(out, item);
        text += len + (text[len] == ',');
    }
}

int opt_value_parse(const struct opt *opt, void *settings, const char *text, struct err *err)
{
    void *field = field_of(opt, settings);

    opt_value_clear(opt, settings);
    switch (opt->type) {
    case OPT_BOOL: return parse_bool(text, field, err);
    case OPT_U64:
    case OPT_DURATION:
    case OPT_SIZE: return parse_number(opt, text, field, err);
    case OPT_TEXT:
    case OPT_PATH: return parse_text(opt, text, field, err);
    case OPT_ENUM: return parse_enum(opt, text, field, err);
    case OPT_LISTEN: return parse_listen(text, field, err);
    case OPT_LIST: parse_list(text, field); break;
    }
    return 0;
}

static void clear_list(struct opt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct opt_list){.count = 0};
}

void opt_value_clear(const struct opt *opt, void *settings)
{
    void *field = field_of(opt, settings);

    switch (opt->type) {
    case OPT_BOOL: *(bool *)field = false; break;
    case OPT_U64:
    case OPT_DURATION:
    case OPT_SIZE: *(uint64_t *)field = 0; break;
    case OPT_TEXT:
    case OPT_PATH:
        free(*(char **)field);
        *(char **)field = NULL;
        break;
    case OPT_ENUM: *(unsigned *)field = 0; break;
    case OPT_LIST: clear_list(field); break;
    case OPT_LISTEN: *(struct opt_listen *)field = (struct opt_listen){.port = 0}; break;
    }
}

static void describe_range(const struct opt *opt, const char *unit, struct buf *out)
{
    if (opt->min > 0)
        buf_printf(out, " from %" PRIu64, opt->min);
    if (opt->max > 0)
        buf_printf(out, " up to %" PRIu64, opt->max);
    if (unit != NULL && (opt->min > 0 || opt->max > 0 || opt->type == OPT_U64))
        buf_printf(out, " %s", unit);
}

void opt_value_describe(const struct opt *opt, struct buf *out)
{
    static const char *const kinds[] = {
        [OPT_BOOL] = "true or false",
        [OPT_U64] = "a whole number",
        [OPT_TEXT] = "text",
        [OPT_PATH] = "an absolute path",
        [OPT_ENUM] = "one of ",
        [OPT_LIST] = "a list of texts",
        [OPT_DURATION] = "a duration such as 15m",
        [OPT_SIZE] = "a size such as 64MiB",
        [OPT_LISTEN] = "an address and port such as [::]:8443",
    };

    buf_put_str(out, kinds[opt->type]);
    if (opt->type == OPT_U64)
        describe_range(opt, opt->unit, out);
    else if (opt->type == OPT_DURATION)
        describe_range(opt, "milliseconds", out);
    else if (opt->type == OPT_SIZE)
        describe_range(opt, "bytes", out);
    for (size_t i = 0; opt->type == OPT_ENUM && opt->choices[i] != NULL; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "", opt->choices[i]);
}
