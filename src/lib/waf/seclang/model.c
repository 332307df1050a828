/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/seclang/model.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdarg.h>

enum { DEFAULT_BODY_LIMIT = 128 * 1024 * 1024, DEFAULT_NO_FILES_LIMIT = 1024 * 1024 };

void vec_add(struct vec *vec, void *item)
{
    if (vec->count == vec->cap) {
        vec->cap = NUM_MAX((size_t)8, 2 * vec->cap);
        vec->items = mem_resize_array(vec->items, vec->cap, sizeof(*vec->items));
    }
    vec->items[vec->count++] = item;
}

void vec_free(struct vec *vec)
{
    free(vec->items);
    *vec = (struct vec){0};
}

int place_err(const struct place *place, enum err_code code, struct err *err, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return err_set(err, code, "%s:%u:%u: %s", place->file, place->line, place->column, text);
}

struct model *model_new(void)
{
    struct model *model = mem_new(sizeof(*model));

    model->arena = arena_new(MODEL_MEMORY_MAX);
    model->settings = (struct model_settings){
        .engine = ENGINE_OFF,
        .request_body_access = 1,
        .argument_separator = '&',
        .unicode_codepage = 20127,
        .request_body_limit = DEFAULT_BODY_LIMIT,
        .request_no_files_limit = DEFAULT_NO_FILES_LIMIT,
        .response_body_limit = 512 * 1024,
        .json_depth_limit = 10000,
        .pcre_match_limit = 1000000,
        .collection_timeout = 3600,
        .request_limit_action = 0,
        .response_limit_action = 0,
    };
    return model;
}

static void free_rule(struct model_rule *rule)
{
    for (; rule != NULL; rule = rule->next) {
        vec_free(&rule->targets);
        vec_free(&rule->actions);
    }
}

void model_free(struct model *model)
{
    if (model == NULL)
        return;
    for (size_t i = 0; i < model->rules.count; i++)
        free_rule(model->rules.items[i]);
    for (size_t i = 0; i < model->exceptions.count; i++) {
        struct model_exception *exception = model->exceptions.items[i];
        vec_free(&exception->targets);
        vec_free(&exception->actions);
    }
    for (size_t i = 0; i < model->kept.count; i++)
        vec_free(model->kept.items[i]);
    vec_free(&model->rules);
    vec_free(&model->exceptions);
    vec_free(&model->kept);
    vec_free(&model->response_types);
    arena_free(model->arena);
    free(model);
}

void model_free_ptr(struct model **model)
{
    model_free(*model);
}

struct span span_trim(struct span text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.p[0]) != NULL && text.p[0] != '\0') {
        text.p++;
        text.len--;
    }
    while (text.len > 0 && strchr(" \t\r\n", text.p[text.len - 1]) != NULL &&
           text.p[text.len - 1] != '\0')
        text.len--;
    return text;
}

bool id_range_parse(struct span text, uint32_t *first, uint32_t *last)
{
    struct err err = ERR_INIT;
    const uint8_t *dash = text.len > 0 ? memchr(text.p, '-', text.len) : NULL;
    size_t head = dash != NULL ? (size_t)(dash - text.p) : text.len;
    uint64_t from;
    uint64_t to;

    if (num_parse_u64(span_of(text.p, head), 1, UINT32_MAX, "id", &from, &err) < 0)
        return false;
    to = from;
    if (dash != NULL && num_parse_u64(span_of(dash + 1, text.len - head - 1), from, UINT32_MAX,
                                      "id", &to, &err) < 0)
        return false;
    *first = (uint32_t)from;
    *last = (uint32_t)to;
    return true;
}
