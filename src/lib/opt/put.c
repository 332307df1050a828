/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"
#include "opt/opt_internal.h"

#include <inttypes.h>

static json_t *text_of(const char *fmt, uint64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), fmt, value);
    return json_string(text);
}

static json_t *list_of(const struct opt_list *list)
{
    json_t *items = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(items, json_string(list->items[i]));
    return items;
}

static json_t *listen_of(const struct opt_listen *listen)
{
    bool bracketed = strchr(listen->host, ':') != NULL;

    if (listen->port == 0)
        return NULL;
    return json_sprintf(bracketed ? "[%s]:%u" : "%s:%u", listen->host, listen->port);
}

/* NULL for what is not set. */
static json_t *value_of(const struct opt *opt, const void *settings)
{
    const void *field = (const uint8_t *)settings + opt->offset;
    uint64_t number;
    char *text;

    switch (opt->type) {
    case OPT_BOOL: return json_boolean(*(const bool *)field);
    case OPT_ENUM: return json_string(opt->choices[*(const unsigned *)field]);
    case OPT_LIST: return list_of(field);
    case OPT_LISTEN: return listen_of(field);
    case OPT_TEXT:
    case OPT_PATH:
        memcpy(&text, field, sizeof(text));
        return text == NULL ? NULL : json_string(text);
    case OPT_U64: memcpy(&number, field, sizeof(number)); return json_integer((json_int_t)number);
    case OPT_DURATION:
        memcpy(&number, field, sizeof(number));
        return text_of("%" PRIu64 "ms", number);
    case OPT_SIZE: memcpy(&number, field, sizeof(number)); return text_of("%" PRIu64, number);
    }
    return NULL;
}

void opt_put_values(const struct opt_group *groups, struct buf *out)
{
    CLEANUP_JSON json_t *values = json_object();

    for (; groups->title != NULL; groups++)
        for (const struct opt *opt = groups->options; opt->name != NULL; opt++) {
            json_t *value = value_of(opt, groups->settings);
            if (value != NULL)
                json_object_set_new(values, opt->name, value);
        }
    codec_json_put(values, out);
}
