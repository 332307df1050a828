/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/compile/compile.h"
#include "waf/compile/needs.h"

#include "base/mem.h"

#include <string.h>

struct snapshot_ref compile_bytes(struct compiler *c, struct span bytes)
{
    return snapshot_writer_bytes(c->writer, IMAGE_BYTES, bytes);
}

struct snapshot_ref compile_aligned(struct compiler *c, struct span bytes)
{
    static const uint8_t zeros[8];
    uint32_t odd = snapshot_count(snapshot_writer_view(c->writer), IMAGE_BYTES) % 8;

    if (odd != 0)
        (void)snapshot_writer_bytes(c->writer, IMAGE_BYTES, span_of(zeros, 8 - odd));
    return compile_bytes(c, bytes);
}

uint32_t compile_slot(struct compiler *c, struct span name)
{
    const struct snapshot *view = snapshot_writer_view(c->writer);
    const struct image_slot *slots = snapshot_records(view, IMAGE_SLOTS);

    for (uint32_t i = 0; i < snapshot_count(view, IMAGE_SLOTS); i++)
        if (span_eq_nocase(image_bytes(view, slots[i].name), name))
            return i;
    struct image_slot slot = {.name = compile_bytes(c, name)};
    return snapshot_writer_add(c->writer, IMAGE_SLOTS, &slot);
}

uint32_t compile_chain_step(struct compiler *c, uint32_t parent, enum waf_transform step)
{
    const struct snapshot *view = snapshot_writer_view(c->writer);
    const struct image_chain *chains = snapshot_records(view, IMAGE_CHAINS);
    uint32_t count = snapshot_count(view, IMAGE_CHAINS);

    for (uint32_t i = 1; i < count; i++)
        if (chains[i].parent == parent && chains[i].step == step)
            return i;
    struct image_chain chain = {.parent = parent, .step = step, .depth = chains[parent].depth + 1};
    return snapshot_writer_add(c->writer, IMAGE_CHAINS, &chain);
}

uint32_t compile_pattern(struct compiler *c, enum image_pattern_kind kind, uint32_t chain,
                         struct span bytes)
{
    struct image_pattern pattern = {.kind = kind, .chain = chain};

    pattern.bytes = compile_aligned(c, bytes);
    if (kind == IMAGE_REGEX)
        needs_of_regex(bytes, pattern.needs);
    else
        needs_of_phrases(bytes, pattern.needs);
    return snapshot_writer_add(c->writer, IMAGE_PATTERNS, &pattern);
}

/* Captures are the first ten TX variables: a rule sets them by number. */
static void add_first_records(struct compiler *c)
{
    struct image_chain none = {0};

    snapshot_writer_add(c->writer, IMAGE_CHAINS, &none);
    for (char digit = '0'; digit <= '9'; digit++)
        compile_slot(c, span_of(&digit, 1));
}

/* ------------------------------------------------------------------ the order of rules */

static bool is_in(const struct model_rule *rule, unsigned phase)
{
    return rule->marker == NULL && !rule->removed && rule->phase == phase;
}

static void order_rules(struct compiler *c)
{
    const struct vec *rules = &c->model->rules;

    for (unsigned phase = 1; phase <= PHASES; phase++) {
        c->head.phases[phase - 1].at = (uint32_t)c->flat.count;
        for (size_t i = 0; i < rules->count; i++)
            if (is_in(rules->items[i], phase))
                vec_add(&c->flat, rules->items[i]);
        c->head.phases[phase - 1].count = (uint32_t)c->flat.count - c->head.phases[phase - 1].at;
    }
    /* `flat` grows while it is walked: the rule behind a chained one comes behind it. */
    for (size_t i = 0; i < c->flat.count; i++) {
        struct model_rule *rule = c->flat.items[i];
        if (rule->next != NULL)
            vec_add(&c->flat, rule->next);
    }
}

static uint32_t place_of(const struct compiler *c, const struct model_rule *rule, size_t from)
{
    for (size_t i = from; i < c->flat.count; i++)
        if (c->flat.items[i] == rule)
            return (uint32_t)i;
    return UINT32_MAX;
}

/* Where the rules of a phase go on behind a place in the file. */
static uint32_t first_behind(const struct compiler *c, unsigned phase, size_t at)
{
    const struct vec *rules = &c->model->rules;

    for (size_t i = at; i < rules->count; i++)
        if (is_in(rules->items[i], phase))
            return place_of(c, rules->items[i], 0);
    return c->head.phases[phase - 1].at + c->head.phases[phase - 1].count;
}

/* A marker is a place, or the id of a rule, which then is where to go on behind. */
static size_t find_marker(const struct compiler *c, struct span marker, size_t at)
{
    const struct vec *rules = &c->model->rules;
    uint32_t id;
    uint32_t last;
    bool is_id = id_range_parse(marker, &id, &last) && id == last;

    for (size_t i = at + 1; i < rules->count; i++) {
        const struct model_rule *other = rules->items[i];
        if (other->marker != NULL ? span_eq_str(marker, other->marker) : is_id && other->id == id)
            return i + 1;
    }
    return rules->count;
}

static void set_jump(struct compiler *c, const struct model_rule *rule, struct image_rule *out)
{
    const struct model_action *after = action_find(&rule->actions, ACTION_SKIPAFTER);
    const struct model_action *skip = action_find(&rule->actions, ACTION_SKIP);
    const struct vec *rules = &c->model->rules;
    uint32_t end = c->head.phases[rule->phase - 1].at + c->head.phases[rule->phase - 1].count;
    size_t at = 0;

    while (at < rules->count && rules->items[at] != rule)
        at++;
    if (at == rules->count)
        return; /* a chained rule */
    if (after != NULL) {
        out->jump = 1 + first_behind(c, rule->phase, find_marker(c, after->arg, at));
    } else if (skip != NULL) {
        uint64_t to = (uint64_t)place_of(c, rule, 0) + 1 + skip->number;
        out->jump = 1 + (to < end ? (uint32_t)to : end);
    }
}

/* ------------------------------------------------------------------ all of it */

static int add_rules(struct compiler *c, struct err *err)
{
    for (size_t i = 0; i < c->flat.count; i++) {
        const struct model_rule *rule = c->flat.items[i];
        struct image_rule out = {0};

        TRY(compile_rule(c, rule, &out, err));
        set_jump(c, rule, &out);
        if (rule->next != NULL)
            out.next = 1 + place_of(c, rule->next, i + 1);
        snapshot_writer_add(c->writer, IMAGE_RULES, &out);
    }
    return 0;
}

static int text_of(struct compiler *c, const char *text, const char *what, struct snapshot_ref *out,
                   struct err *err)
{
    return snapshot_writer_text(c->writer, span_str(text != NULL ? text : ""), what, out, err);
}

static void add_types(struct compiler *c)
{
    const struct vec *types = &c->model->response_types;

    c->head.types.count = (uint32_t)types->count;
    for (size_t i = 0; i < types->count; i++) {
        struct image_type type = {.text = compile_bytes(c, span_str(types->items[i]))};
        snapshot_writer_add(c->writer, IMAGE_TYPES, &type);
    }
}

static int add_unicode_map(struct compiler *c, struct err *err)
{
    const struct model_settings *settings = &c->model->settings;
    struct span text;

    if (settings->unicode_map == NULL)
        return 0;
    TRY(lex_read_file(c->model->arena, settings->unicode_map, WAF_SOURCE_MAX, &text, err));
    buf_reset(&c->scratch);
    TRY(waf_unicode_map_parse(text, settings->unicode_codepage, settings->unicode_map, &c->scratch,
                              err));
    c->head.unicode_map = compile_aligned(c, buf_span(&c->scratch));
    return 0;
}

static int add_head(struct compiler *c, struct err *err)
{
    const struct model_settings *settings = &c->model->settings;

    c->head.engine = settings->engine;
    c->head.request_body_access = settings->request_body_access;
    c->head.response_body_access = settings->response_body_access;
    c->head.request_limit_action = settings->request_limit_action;
    c->head.response_limit_action = settings->response_limit_action;
    c->head.argument_separator = settings->argument_separator;
    c->head.request_body_limit = settings->request_body_limit;
    c->head.request_no_files_limit = settings->request_no_files_limit;
    c->head.response_body_limit = settings->response_body_limit;
    c->head.json_depth_limit = settings->json_depth_limit;
    c->head.arguments_limit = settings->arguments_limit;
    c->head.upload_file_limit = settings->upload_file_limit;
    c->head.pcre_match_limit = settings->pcre_match_limit;
    c->head.collection_timeout = settings->collection_timeout;
    add_types(c);
    TRY(text_of(c, settings->geo_database, "SecGeoLookupDb", &c->head.geo_database, err));
    TRY(text_of(c, settings->web_app_id, "SecWebAppId", &c->head.web_app_id, err));
    TRY(add_unicode_map(c, err));
    snapshot_writer_add(c->writer, IMAGE_HEAD, &c->head);
    return 0;
}

static int compile_model(struct compiler *c, struct buf *image, struct err *err)
{
    if (c->model->open_chain != NULL)
        return place_err(&c->model->open_chain->at, ERR_INVALID, err,
                         "the rule says \"chain\", but no rule follows");
    TRY(exceptions_apply(c->model, err));
    add_first_records(c);
    order_rules(c);
    TRY(add_rules(c, err));
    TRY(compile_partitions(c, err));
    TRY(add_head(c, err));
    return snapshot_writer_finish(c->writer, image, err);
}

int waf_compile(const struct waf_source *sources, size_t count,
                const struct waf_compile_options *options, struct buf *image, struct err *err)
{
    static const struct waf_compile_options plain;
    CLEANUP(model_free_ptr) struct model *model = model_new();
    CLEANUP(snapshot_writer_free_ptr)
    struct snapshot_writer *writer = snapshot_writer_new(&waf_snapshot);
    struct compiler c = {.model = model,
                         .writer = writer,
                         .options = options != NULL ? options : &plain,
                         .scratch = BUF_INIT(WAF_IMAGE_MAX)};

    for (size_t i = 0; i < count; i++)
        TRY(lex_source(model, &sources[i], 0, err));
    int result = compile_model(&c, image, err);
    vec_free(&c.flat);
    buf_free(&c.scratch);
    return result;
}
