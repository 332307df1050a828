/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in one pass without recursion. `way` holds the name of the place: "json." inside the object
 * at the top, "json.a.array_" inside the array "a"; a leaf adds its name or its number.
 */
#include "waf/body/json_scan.h"

#include "base/num.h"

/* An open object or array. */
struct frame {
    size_t way_len; /* of the way up to and including this container */
    uint64_t index; /* of the element that comes next */
    bool array;
};

struct json {
    struct json_scan scan;
    const struct waf_json_limits *limits;
    const struct waf_pair_sink *sink;
    struct frame *frames;
    size_t depth;
    size_t frames_room;
    uint8_t *way;
    size_t way_len;
    size_t way_room;
    struct span key; /* of the value that comes next, in an object */
    bool enough;     /* the receiver wants no more */
};

enum { FIRST_FRAMES = 32, FIRST_WAY = 256, INDEX_DIGITS = 21 };

/* ------------------------------------------------------------------ the way */

static void *grown(struct arena *arena, const void *old, size_t used, size_t room)
{
    void *data = arena_alloc(arena, room);

    if (data != NULL && used > 0)
        memcpy(data, old, used);
    return data;
}

static bool way_put(struct json *json, struct span text)
{
    if (json->way_room - json->way_len < text.len) {
        size_t room = NUM_MAX(json->way_room * 2, json->way_len + text.len + FIRST_WAY);
        json->way = grown(json->scan.arena, json->way, json->way_len, room);
        json->way_room = room;
        if (json->way == NULL) {
            json->way_room = 0;
            return false;
        }
    }
    if (text.len > 0)
        memcpy(json->way + json->way_len, text.p, text.len);
    json->way_len += text.len;
    return true;
}

static bool way_put_index(struct json *json, uint64_t index)
{
    uint8_t digits[INDEX_DIGITS];
    size_t at = sizeof(digits);

    do
        digits[--at] = (uint8_t)('0' + index % 10);
    while ((index /= 10) > 0);
    return way_put(json, span_of(digits + at, sizeof(digits) - at));
}

/* To the value that comes next. */
static bool way_enter(struct json *json)
{
    if (json->depth == 0) {
        json->way_len = 0;
        return way_put(json, span_str("json"));
    }
    const struct frame *top = &json->frames[json->depth - 1];
    json->way_len = top->way_len;
    if (top->array)
        return way_put_index(json, top->index);
    return way_put(json, json->key.len > 0 ? json->key : span_str("empty-key"));
}

/* ------------------------------------------------------------------ values */

static void value_done(struct json *json)
{
    if (json->depth > 0)
        json->frames[json->depth - 1].index++;
}

static bool leaf(struct json *json, struct span value)
{
    if (!way_enter(json))
        return false;
    struct waf_pair pair = {
        .name =
            span_of(arena_copy(json->scan.arena, span_of(json->way, json->way_len)), json->way_len),
        .value = value,
        .at = (size_t)(json->scan.p - json->scan.start)};
    if (pair.name.p == NULL)
        return false;
    json->enough = !json->sink->pair(json->sink->ctx, &pair);
    value_done(json);
    return !json->enough;
}

static bool open_container(struct json *json, bool array)
{
    if (json->depth >= json->limits->depth_max) {
        json->scan.too_deep = true;
        return json_scan_fail(&json->scan, "the nesting is deeper than allowed");
    }
    if (json->depth == json->frames_room) {
        size_t room = NUM_MAX(json->frames_room * 2, (size_t)FIRST_FRAMES);
        json->frames = grown(json->scan.arena, json->frames, json->depth * sizeof(*json->frames),
                             room * sizeof(*json->frames));
        if (json->frames == NULL)
            return false;
        json->frames_room = room;
    }
    if (!way_enter(json) || !way_put(json, span_str(array ? ".array_" : ".")))
        return false;
    json->frames[json->depth++] = (struct frame){.way_len = json->way_len, .array = array};
    json->scan.p++;
    return true;
}

static void close_container(struct json *json)
{
    json->depth--;
    json->scan.p++;
    value_done(json);
}

static bool scalar(struct json *json)
{
    struct span value;

    switch (*json->scan.p) {
    case '"': return json_scan_string(&json->scan, &value) && leaf(json, value);
    case 't': return json_scan_word(&json->scan, "true", &value) && leaf(json, value);
    case 'f': return json_scan_word(&json->scan, "false", &value) && leaf(json, value);
    case 'n': return json_scan_word(&json->scan, "null", &value) && leaf(json, span_of(value.p, 0));
    default: return json_scan_number(&json->scan, &value) && leaf(json, value);
    }
}

static bool member_name(struct json *json)
{
    if (!json_scan_is(&json->scan, '"'))
        return json_scan_fail(&json->scan, "the name of a member must stand here");
    if (!json_scan_string(&json->scan, &json->key))
        return false;
    json_scan_space(&json->scan);
    return json_scan_take(&json->scan, ':', "a colon must stand here");
}

/* One value, or the begin of one that has values inside; and what closes behind it. */
static bool step(struct json *json)
{
    struct frame *top = json->depth > 0 ? &json->frames[json->depth - 1] : NULL;

    json_scan_space(&json->scan);
    if (top != NULL && json_scan_is(&json->scan, top->array ? ']' : '}')) {
        close_container(json);
        return true;
    }
    if (top != NULL && top->index > 0) {
        if (!json_scan_take(&json->scan, ',',
                            "a comma or the end of the container must stand here"))
            return false;
        json_scan_space(&json->scan);
    }
    if (top != NULL && !top->array && !member_name(json))
        return false;
    json_scan_space(&json->scan);
    if (json->scan.p == json->scan.end)
        return json_scan_fail(&json->scan, "the text ends where a value must stand");
    if (*json->scan.p == '{' || *json->scan.p == '[')
        return open_container(json, *json->scan.p == '[');
    return scalar(json);
}

static int complain(const struct json *json, struct err *err)
{
    if (json->enough)
        return 0;
    TRY(arena_check(json->scan.arena, "the JSON", err));
    return err_set(err, json->scan.too_deep ? ERR_TOO_LARGE : ERR_INVALID,
                   "the JSON is wrong at byte %zu: %s", (size_t)(json->scan.p - json->scan.start),
                   json->scan.why);
}

int waf_json_parse(struct span text, const struct waf_json_limits *limits,
                   const struct waf_pair_sink *sink, struct arena *arena, struct err *err)
{
    struct json json = {
        .scan = {.start = text.p, .p = text.p, .end = text.p + text.len, .arena = arena},
        .limits = limits,
        .sink = sink,
    };

    if (text.len == 0)
        return 0;
    do
        if (!step(&json))
            return complain(&json, err);
    while (json.depth > 0);
    json_scan_space(&json.scan);
    if (json.scan.p != json.scan.end) {
        json_scan_fail(&json.scan, "something follows the value");
        return complain(&json, err);
    }
    return 0;
}
