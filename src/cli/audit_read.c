/* SPDX-License-Identifier: Apache-2.0 */
/* Events, from the platform. */
#include "base/mem.h"
#include "base/num.h"
#include "cli/audit.h"
#include "cli/lines.h"
#include "cli/login.h"
#include "cli/output.h"
#include "codec/json.h"

enum { LIST_LIMIT = 50, TAIL_LIMIT = 10, PAGE_MAX = 500, LIMIT_MAX = 1000000, PATH_SIZE = 8192 };
enum { MICROS = 1000000 };

static int read_limit(const char *text, uint64_t otherwise, uint64_t *out, struct err *err)
{
    *out = otherwise;
    return text == NULL ? 0 : num_parse_u64(span_str(text), 1, LIMIT_MAX, "--limit", out, err);
}

/* The path of the events with the filters and one more argument. */
static void put_path(const struct audit_command *command, const char *name, const char *value,
                     struct buf *out)
{
    const char *form[2 * ARRAY_LEN(command->filter) + 3] = {0};
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(command->filter); i++) {
        if (command->filter[i] == NULL)
            continue;
        form[count++] = audit_filter_names[i];
        form[count++] = command->filter[i];
    }
    form[count++] = name;
    form[count++] = value;
    buf_put_str(out, AUDIT_API);
    if (command->in_namespace)
        buf_printf(out, "/namespaces/%s", command->options.namespace);
    buf_put_str(out, "/auditevents?");
    login_put_form(form, out);
}

/* ------------------------------------------------------------------ one event */

static const char *outcome_colour(const char *outcome)
{
    if (strcmp(outcome, "success") == 0)
        return output_colour(OUTPUT_GREEN);
    return output_colour(strcmp(outcome, "denied") == 0 ? OUTPUT_YELLOW : OUTPUT_RED);
}

/* "demo/chat, 120 tokens, 0.000360 EUR" */
static char *what_was_used(const json_t *event, const char *model)
{
    long long tokens = json_integer_value(json_object_get(event, "gen_ai.usage.input_tokens")) +
                       json_integer_value(json_object_get(event, "gen_ai.usage.output_tokens"));
    long long micros = json_integer_value(json_object_get(event, "drun.cost.micros"));

    if (micros == 0)
        return mem_printf("%s, %lld tokens", model, tokens);
    return mem_printf("%s, %lld tokens, %lld.%06lld %s", model, tokens, micros / MICROS,
                      micros % MICROS, codec_json_text(event, "drun.cost.currency", ""));
}

/* "delete secrets ns/name", or the model that was called, or the reason. */
static char *what_was_done(const json_t *event)
{
    const char *resource = codec_json_text(event, "drun.action.resource", "");
    const char *namespace = codec_json_text(event, "drun.action.namespace", "");
    const char *name = codec_json_text(event, "drun.action.name", "");
    const char *model = codec_json_text(event, "gen_ai.request.model", "");

    if (model[0] != '\0')
        return what_was_used(event, model);
    if (resource[0] == '\0')
        return mem_strdup(codec_json_text(event, "drun.reason", ""));
    return mem_printf("%s %s%s%s%s%s", codec_json_text(event, "drun.action.verb", ""), resource,
                      namespace[0] != '\0' || name[0] != '\0' ? " " : "", namespace,
                      namespace[0] != '\0' && name[0] != '\0' ? "/" : "", name);
}

json_t *audit_row(const json_t *object)
{
    const json_t *event = json_object_get(object, "event");
    const json_t *metadata = json_object_get(object, "metadata");
    const char *outcome = codec_json_text(event, "drun.outcome", "");
    const char *actor = codec_json_text(event, "user.name", NULL);
    CLEANUP_FREE char *done = what_was_done(event);

    if (actor == NULL)
        actor = codec_json_text(event, "drun.role", "-");
    return json_pack(
        "[s, s, s, s, o, s]", codec_json_text(metadata, "creationTimestamp", ""),
        codec_json_text(metadata, "name", ""), codec_json_text(event, "event.name", ""), actor,
        json_sprintf("%s%s%s", outcome_colour(outcome), outcome, output_colour(OUTPUT_PLAIN)),
        done);
}

static json_t *header(void)
{
    return json_pack("[s, s, s, s, s, s]", "TIME", "INDEX", "EVENT", "ACTOR", "OUTCOME", "WHAT");
}

/* ------------------------------------------------------------------ list */

/* One page at the end of `items`; *next stays NULL when it was the last. */
static int fetch_page(struct client *client, const struct audit_command *command, uint64_t limit,
                      json_t *items, char **next, char **version, struct err *err)
{
    CLEANUP(buf_free) struct buf path = BUF_INIT(PATH_SIZE);
    CLEANUP_FREE char *from = *next;
    CLEANUP_JSON json_t *page = NULL;
    char page_limit[24];

    *next = NULL;
    snprintf(page_limit, sizeof(page_limit), "%u", (unsigned)NUM_MIN(limit, (uint64_t)PAGE_MAX));
    put_path(command, "limit", page_limit, &path);
    if (from != NULL)
        buf_printf(&path, "&continue=%s", from);
    TRY(buf_check(&path, "the request", err));
    TRY(client_json(client, "GET", buf_text(&path), NULL, NULL, &page, err));
    json_array_extend(items, json_object_get(page, "items"));
    const json_t *metadata = json_object_get(page, "metadata");
    const char *more = codec_json_text(metadata, "continue", NULL);
    if (more != NULL)
        *next = mem_strdup(more);
    if (*version == NULL)
        *version = mem_strdup(codec_json_text(metadata, "resourceVersion", "0"));
    return 0;
}

/* Newest first. */
static int fetch_events(struct client *client, const struct audit_command *command, uint64_t limit,
                        json_t **out, char **version, struct err *err)
{
    CLEANUP_JSON json_t *items = json_array();
    CLEANUP_FREE char *next = NULL;

    do {
        TRY(fetch_page(client, command, limit - json_array_size(items), items, &next, version,
                       err));
    } while (next != NULL && json_array_size(items) < limit);
    *out = json_incref(items);
    return 0;
}

int audit_list(const struct audit_command *command, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP_JSON json_t *items = NULL;
    CLEANUP_JSON json_t *rows = json_array();
    CLEANUP_JSON json_t *columns = header();
    CLEANUP_FREE char *version = NULL;
    const json_t *item;
    uint64_t limit;
    size_t i;

    TRY(read_limit(command->limit, LIST_LIMIT, &limit, err));
    TRY(client_open(&command->options, &client, err));
    TRY(fetch_events(client, command, limit, &items, &version, err));
    if (strcmp(command->options.output, "table") != 0) {
        CLEANUP_JSON json_t *list =
            json_pack("{s:s, s:s, s:{s:s}, s:O}", "apiVersion", "audit.drun.io/v1", "kind",
                      "AuditEventList", "metadata", "resourceVersion", version, "items", items);
        return output_object(list, command->options.output, err);
    }
    json_array_foreach (items, i, item)
        json_array_append_new(rows, audit_row(item));
    output_table(columns, rows);
    return 0;
}

/* ------------------------------------------------------------------ tail */

struct tail {
    const struct audit_command *command;
    char *version; /* where to go on */
};

static int print_event(const struct tail *tail, const json_t *object)
{
    if (strcmp(tail->command->options.output, "table") != 0) {
        CLEANUP(buf_free) struct buf line = BUF_INIT(LINES_MAX);
        codec_json_put(object, &line);
        printf("%s\n", buf_text(&line));
    } else {
        static const size_t widths[] = {20, 8, 24, 24, 7, 0};
        CLEANUP_JSON json_t *row = audit_row(object);
        output_row(row, widths, ARRAY_LEN(widths));
    }
    return fflush(stdout);
}

static int on_line(void *ctx, struct span line, struct err *err)
{
    struct tail *tail = ctx;
    CLEANUP_JSON json_t *watched = NULL;
    uint64_t index;

    if (line.len == 0)
        return 0;
    TRY(codec_json_parse(line, "the watch", &watched, err));
    const json_t *object = json_object_get(watched, "object");
    const char *name = codec_json_text(json_object_get(object, "metadata"), "name", "");
    TRY(num_parse_u64(span_str(name), 0, UINT64_MAX - 1, "the index", &index, err));
    free(tail->version);
    tail->version = mem_printf("%llu", (unsigned long long)index + 1);
    return print_event(tail, object) == 0 ? 0 : err_sys(err, "cannot print");
}

static int on_data(void *ctx, unsigned status UNUSED, struct span bytes, struct err *err)
{
    return lines_add(ctx, bytes, err);
}

/* The gateway ends an idle watch after an hour: then it is taken up again. */
static int follow(struct client *client, struct tail *tail, struct err *err)
{
    CLEANUP(lines_free) struct lines lines = LINES_INIT(on_line, tail);
    CLEANUP(buf_free) struct buf path = BUF_INIT(PATH_SIZE);
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;

    put_path(tail->command, "resourceVersion", tail->version, &path);
    buf_put_str(&path, "&watch=true");
    TRY(buf_check(&path, "the request", err));
    struct client_call call = {
        .method = "GET", .path = buf_text(&path), .on_data = on_data, .ctx = &lines};
    return client_call(client, &call, &answer, err);
}

int audit_tail(const struct audit_command *command, struct err *err)
{
    CLEANUP_JSON json_t *items = NULL;
    struct tail tail = {.command = command};
    uint64_t limit;

    TRY(read_limit(command->limit, TAIL_LIMIT, &limit, err));
    for (int result = 0; result == 0;) {
        /* A token lives for minutes; each turn takes a fresh one. */
        CLEANUP(client_free_ptr) struct client *client = NULL;
        result = client_open(&command->options, &client, err);
        if (result == 0 && items == NULL) {
            result = fetch_events(client, command, limit, &items, &tail.version, err);
            for (size_t i = json_array_size(items); i-- > 0;)
                (void)print_event(&tail, json_array_get(items, i));
        }
        if (result == 0)
            result = follow(client, &tail, err);
    }
    free(tail.version);
    return -1;
}
