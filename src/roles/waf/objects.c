/* SPDX-License-Identifier: Apache-2.0 */
/* Which WafRuleSets and WafPolicies there are, as api tells, and what it is told of them. */
#include "base/mem.h"
#include "codec/json.h"
#include "follow/follow.h"
#include "waf/job.h"
#include "waf/rules_text.h"
#include "waf/waf_internal.h"

#include <stdlib.h>

enum { SETTLE_MS = 200, TEXT_MAX = 1024 * 1024 };

static const char rule_set[] = "WafRuleSet";
static const char policy[] = "WafPolicy";

struct objects {
    struct waf *waf;
    struct follow *orders;
    LIST_HEAD(, object) list; /* by name */
};

static struct object *find(const struct objects *objects, const char *kind, const char *name)
{
    struct object *object;

    LIST_FOREACH (object, &objects->list, entry)
        if (object->kind == kind && strcmp(object->name, name) == 0)
            return object;
    return NULL;
}

static void forget(struct object *object)
{
    LIST_REMOVE(object, entry);
    json_decref(object->object);
    report_free(&object->report);
    free(object->name);
    free(object);
}

static struct object *add(struct objects *objects, const char *kind, const char *name)
{
    struct object *object = mem_new(sizeof(*object));
    struct object *before = NULL;
    struct object *other;

    object->kind = kind;
    object->name = mem_strdup(name);
    LIST_FOREACH (other, &objects->list, entry)
        if (strcmp(other->name, name) <= 0)
            before = other;
    if (before == NULL)
        LIST_INSERT_HEAD(&objects->list, object, entry);
    else
        LIST_INSERT_AFTER(before, object, entry);
    return object;
}

/* ------------------------------------------------------------------ orders */

static void on_begin(void *ctx)
{
    struct objects *objects = ctx;
    struct object *object;

    LIST_FOREACH (object, &objects->list, entry)
        object->seen = false;
}

/* A status that we told comes back as a change of the object, but not of what it wants. */
static bool says_the_same(const struct object *object, const json_t *now)
{
    return object->object != NULL &&
           json_equal(json_object_get(object->object, "spec"), json_object_get(now, "spec"));
}

static void on_object(void *ctx, const struct followed *followed)
{
    struct objects *objects = ctx;
    const char *kind = strcmp(followed->kind, policy) == 0 ? policy : rule_set;
    struct object *object = find(objects, kind, followed->name);
    json_t *now = followed->object;

    if (now == NULL) {
        if (object == NULL)
            return;
        forget(object);
        compiler_touch(objects->waf->compiler);
        return;
    }
    if (object == NULL) {
        object = add(objects, kind, followed->name);
        report_adopt(&object->report, json_object_get(now, "status"));
    }
    bool same = says_the_same(object, now);
    json_decref(object->object);
    object->object = json_incref(now);
    object->seen = true;
    if (!same)
        compiler_touch(objects->waf->compiler);
}

static void on_settled(void *ctx)
{
    struct objects *objects = ctx;
    struct object *object, *next;

    for (object = LIST_FIRST(&objects->list); object != NULL; object = next) {
        next = LIST_NEXT(object, entry);
        if (object->seen)
            continue;
        forget(object);
        compiler_touch(objects->waf->compiler);
    }
}

/* ------------------------------------------------------------------ the job */

static void add_text(json_t *sources, const char *set, const char *name, const char *text)
{
    json_array_append_new(sources,
                          json_pack("{s:s, s:s, s:s}", "set", set, "name", name, "text", text));
}

static void add_rule_set(json_t *sources, const struct object *object)
{
    const json_t *spec = json_object_get(object->object, "spec");
    const char *rules = codec_json_text(spec, "rules", "");
    CLEANUP_FREE char *name = mem_printf("wafruleset/%s", object->name);
    const json_t *file;
    size_t i;

    json_array_foreach (json_object_get(spec, "files"), i, file)
        json_array_append_new(sources, json_pack("{s:s, s:s}", "set", object->name, "files",
                                                 json_string_value(file)));
    if (rules[0] != '\0')
        add_text(sources, object->name, name, rules);
}

static json_int_t generation_of(const struct object *object)
{
    return json_integer_value(codec_json_at(object->object, "metadata", "generation", NULL));
}

json_t *objects_job(struct objects *objects)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX);
    CLEANUP_JSON json_t *policies = json_array();
    json_t *sources = json_array();
    struct object *object;

    LIST_FOREACH (object, &objects->list, entry) {
        object->asked = generation_of(object);
        if (object->kind == policy)
            json_array_append(policies, object->object);
    }
    rules_put_before(policies, &text);
    add_text(sources, "", "drun/before", buf_text(&text));
    LIST_FOREACH (object, &objects->list, entry)
        if (object->kind == rule_set)
            add_rule_set(sources, object);
    buf_reset(&text);
    rules_put_after(policies, &text);
    add_text(sources, "", "drun/after", buf_text(&text));
    return json_pack("{s:s, s:o}", "known", images_digest(objects->waf->images), "sources",
                     sources);
}

/* ------------------------------------------------------------------ what became of it */

/* What is said of one object: a phase, a reason, a sentence. */
struct word {
    const char *phase;
    const char *reason;
    char message[512];
};

static void find_word(const struct object *object, const struct outcome *outcome, struct word *out)
{
    bool mine = outcome->set[0] == '\0' ||
                (object->kind == rule_set && strcmp(outcome->set, object->name) == 0);

    *out = (struct word){.phase = "InForce", .reason = "Compiled"};
    snprintf(out->message, sizeof(out->message), "%s", outcome->message);
    if (object->asked != generation_of(object)) { /* it changed while that was compiled */
        *out = (struct word){.phase = "Pending", .reason = "Compiling"};
        snprintf(out->message, sizeof(out->message), "it is compiled next");
    } else if (outcome->failed && mine) {
        out->phase = "Failed";
        out->reason = "Broken";
    } else if (outcome->failed) {
        *out = (struct word){.phase = "Pending", .reason = "Waiting"};
        snprintf(out->message, sizeof(out->message),
                 "the rules from before are in force, until %s %.80s is mended", rule_set,
                 outcome->set);
    }
}

static json_t *status_of(struct objects *objects, struct object *object,
                         const struct outcome *outcome)
{
    const struct images *images = objects->waf->images;
    struct word word;

    find_word(object, outcome, &word);
    json_t *status = json_pack("{s:s, s:I, s:s, s:I}", "phase", word.phase, "rules",
                               (json_int_t)images_rules(images), "digest", images_digest(images),
                               "observedGeneration", object->asked);
    report_condition(&object->report, status, "InForce", strcmp(word.phase, "InForce") == 0,
                     word.reason, word.message, object->asked);
    return status;
}

void objects_tell(struct objects *objects, const struct outcome *outcome)
{
    struct object *object;

    LIST_FOREACH (object, &objects->list, entry) {
        CLEANUP_JSON json_t *status = status_of(objects, object, outcome);
        report_tell(&object->report, role_peer(objects->waf->role, ROLE_API), "waf.status",
                    object->kind, "", object->name, status);
    }
}

/* ------------------------------------------------------------------ life */

void objects_on_peer(struct objects *objects, enum role_id peer)
{
    if (peer == ROLE_API)
        follow_anew(objects->orders);
}

int objects_start(struct waf *waf, struct objects **out, struct err *err)
{
    struct objects *objects = mem_new(sizeof(*objects));
    const struct follow_config orders = {.name = "waf.orders",
                                         .loop = role_loop(waf->role),
                                         .api = role_waiting_peer(waf->role, ROLE_API),
                                         .settle_ms = SETTLE_MS,
                                         .begin = on_begin,
                                         .take = on_object,
                                         .settled = on_settled,
                                         .ctx = objects};

    *out = objects;
    objects->waf = waf;
    LIST_INIT(&objects->list);
    return follow_new(&orders, &objects->orders, err);
}

void objects_free(struct objects *objects)
{
    if (objects == NULL)
        return;
    while (!LIST_EMPTY(&objects->list))
        forget(LIST_FIRST(&objects->list));
    follow_free(objects->orders);
    free(objects);
}
