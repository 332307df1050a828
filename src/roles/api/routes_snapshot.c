/* SPDX-License-Identifier: Apache-2.0 */
/* A ModelRoute as the policy snapshot has it. */
#include "api/api_internal.h"

#include "base/clock.h"
#include "base/num.h"
#include "codec/json.h"
#include "snapshot/policy_routing.h"

static const char *name_of(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "name", "");
}

size_t routes_names(const json_t *route, const char *out[ROUTES_NAMES_MAX])
{
    const json_t *names = codec_json_at(route, "spec", "names", NULL);
    size_t count = NUM_MIN(json_array_size(names), (size_t)ROUTES_NAMES_MAX);

    for (size_t i = 0; i < count; i++)
        out[i] = json_string_value(json_array_get(names, i));
    if (count > 0)
        return count;
    out[0] = name_of(route);
    return 1;
}

static const struct {
    const char *name;
    enum policy_retry bit;
} retry_names[] = {
    {"connect-failure", POLICY_RETRY_CONNECT},
    {"timeout", POLICY_RETRY_TIMEOUT},
    {"429", POLICY_RETRY_429},
    {"500", POLICY_RETRY_500},
    {"502", POLICY_RETRY_502},
    {"503", POLICY_RETRY_503},
    {"504", POLICY_RETRY_504},
};

static uint32_t retry_bits(const json_t *list)
{
    uint32_t bits = 0;
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one)
        for (size_t k = 0; k < ARRAY_LEN(retry_names); k++)
            if (strcmp(json_string_value(one), retry_names[k].name) == 0)
                bits |= retry_names[k].bit;
    return bits;
}

static uint32_t sticky_by(const json_t *sticky)
{
    const char *by = codec_json_text(sticky, "by", "");

    return strcmp(by, "user") == 0     ? POLICY_STICKY_USER
           : strcmp(by, "key") == 0    ? POLICY_STICKY_KEY
           : strcmp(by, "header") == 0 ? POLICY_STICKY_HEADER
           : strcmp(by, "prefix") == 0 ? POLICY_STICKY_PREFIX
                                       : POLICY_STICKY_NONE;
}

static uint32_t number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));

    return value > 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
}

static struct policy_routing_rules rules_of(const json_t *spec)
{
    const json_t *retries = json_object_get(spec, "retries");
    const json_t *outlier = json_object_get(spec, "outlier");

    return (struct policy_routing_rules){
        .retries = NUM_MIN(number(retries, "attempts"), (uint32_t)POLICY_RETRIES_MAX),
        .retry_on = retry_bits(json_object_get(retries, "when")),
        .try_timeout_ms = 1000 * number(retries, "perTryTimeoutSeconds"),
        .retry_percent = number(retries, "budgetPercent"),
        .retry_min_per_min = number(retries, "minPerMinute"),
        .breaker_failures = number(outlier, "consecutiveFailures"),
        .breaker_ms = 1000 * number(outlier, "ejectionSeconds"),
        .sticky = sticky_by(json_object_get(spec, "sticky")),
    };
}

/* Members to set, as they stand between braces. */
static void put_set(const json_t *set, struct buf *out)
{
    CLEANUP(buf_free) struct buf whole = BUF_INIT(SNAPSHOT_TEXT_MAX);

    if (json_object_size(set) == 0)
        return;
    codec_json_put(set, &whole);
    buf_put(out, whole.data + 1, whole.len - 2);
}

/* What is set takes the place of what the client sent. */
static void put_drop(const json_t *backend, struct buf *out)
{
    const json_t *dropped;
    const char *name;
    json_t *value;
    size_t i;

    json_array_foreach (json_object_get(backend, "drop"), i, dropped)
        buf_printf(out, "%s ", json_string_value(dropped));
    json_object_foreach (json_object_get(backend, "set"), name, value)
        buf_printf(out, "%s ", name);
}

struct edits {
    struct buf set;
    struct buf drop;
};

static void free_edits(struct edits (*all)[POLICY_BACKENDS_MAX])
{
    for (size_t i = 0; i < POLICY_BACKENDS_MAX; i++) {
        buf_free(&(*all)[i].set);
        buf_free(&(*all)[i].drop);
    }
}

static struct policy_backend_in backend_of(const json_t *backend, struct edits *edits)
{
    edits->set = edits->drop = (struct buf)BUF_INIT(SNAPSHOT_TEXT_MAX);
    put_set(json_object_get(backend, "set"), &edits->set);
    put_drop(backend, &edits->drop);
    return (struct policy_backend_in){
        .service = codec_json_text(backend, "modelService", ""),
        .weight = number(backend, "weight"),
        .priority = number(backend, "priority"),
        .edit_set = buf_text(&edits->set),
        .edit_drop = buf_text(&edits->drop),
    };
}

int routes_add(struct policy_builder *builder, const json_t *route, struct err *err)
{
    const json_t *spec = json_object_get(route, "spec");
    const json_t *list = json_object_get(spec, "backends");
    CLEANUP(free_edits) struct edits edits[POLICY_BACKENDS_MAX] = {0};
    struct policy_backend_in backends[POLICY_BACKENDS_MAX];
    const char *names[ROUTES_NAMES_MAX];
    struct err ignored = ERR_INIT;
    const json_t *backend;
    int64_t created = 0;
    size_t i;
    struct policy_model_route_in in = {
        .namespace = codec_json_text(json_object_get(route, "metadata"), "namespace", ""),
        .name = name_of(route),
        .names = names,
        .name_count = routes_names(route, names),
        .backends = backends,
        .rules = rules_of(spec),
        .sticky_header = codec_json_text(json_object_get(spec, "sticky"), "header", ""),
    };

    json_array_foreach (list, i, backend) {
        if (i == ARRAY_LEN(backends))
            break;
        backends[in.backend_count] = backend_of(backend, &edits[in.backend_count]);
        in.backend_count++;
    }
    if (clock_parse(
            span_str(codec_json_text(json_object_get(route, "metadata"), "creationTimestamp", "")),
            &created, &ignored) == 0)
        in.created_at = created;
    return policy_builder_add_model_route(builder, &in, err);
}
