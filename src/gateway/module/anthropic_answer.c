/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of an engine, which speaks the OpenAI API, in the form of Anthropic's: blocks of content,
 * each begun and ended; the usage with the end, since an engine tells it then.
 */
#include "gateway/module/guard_answer.h"

#include "base/mem.h"
#include "codec/json.h"

/* One block is open at a time. */
struct state {
    bool begun;
    bool open;
    bool calls; /* a tool was called */
    uint8_t kind;
    uint32_t part;
    uint32_t index;
    char stop[16]; /* the engine's finish_reason */
};

static struct state *state_of(struct gw_answer *answer)
{
    if (answer->form_state == NULL)
        answer->form_state = mem_new(sizeof(struct state));
    return answer->form_state;
}

static const char *stop_reason(const struct gw_answer *answer, const struct state *state)
{
    if (answer->blocked || strcmp(state->stop, "content_filter") == 0)
        return "refusal";
    if (strcmp(state->stop, "length") == 0)
        return "max_tokens";
    return state->calls || strcmp(state->stop, "tool_calls") == 0 ? "tool_use" : "end_turn";
}

static void keep_stop(struct state *state, struct span finish)
{
    if (finish.len < 3 || finish.len - 2 >= sizeof(state->stop))
        return;
    memcpy(state->stop, finish.p + 1, finish.len - 2);
    state->stop[finish.len - 2] = '\0';
}

static void put_id(const struct gw_answer *answer, struct buf *out)
{
    buf_printf(out, "\"id\":\"msg_%.*s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":",
               (int)answer->call->request_id.len, (const char *)answer->call->request_id.data);
    openai_string_put(span_str(answer->call->request.model), out);
}

static void put_usage(const struct gw_answer *answer, struct buf *out)
{
    const struct openai_usage usage = openai_meter_usage(
        &answer->call->meter, answer->call->request.prompt_bytes, answer->call->request.prompt_ids);

    buf_printf(out, "\"usage\":{\"input_tokens\":%lu,\"output_tokens\":%lu}",
               (unsigned long)usage.prompt_tokens, (unsigned long)usage.completion_tokens);
}

/* ------------------------------------------------------------------ a stream */

static void begin(struct gw_answer *answer, struct buf *out)
{
    struct state *state = state_of(answer);

    if (state->begun)
        return;
    state->begun = true;
    buf_put_str(out, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{");
    put_id(answer, out);
    buf_put_str(out, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
                     "\"usage\":{\"input_tokens\":0,\"output_tokens\":0}}}\n\n");
}

static void close_block(struct gw_answer *answer, struct buf *out)
{
    struct state *state = state_of(answer);

    if (!state->open)
        return;
    buf_printf(out,
               "event: content_block_stop\n"
               "data: {\"type\":\"content_block_stop\",\"index\":%u}\n\n",
               state->index++);
    state->open = false;
}

static const struct openai_call *call_of(const struct gw_answer *answer, uint32_t part)
{
    for (size_t i = 0; answer->read != NULL && i < answer->read->calls; i++)
        if (answer->read->call[i].part == part)
            return &answer->read->call[i];
    return NULL;
}

static void put_name(const struct openai_call *call, struct buf *out)
{
    buf_put_str(out, "\"id\":\"");
    buf_put_span(out, call != NULL ? call->id : span_of("", 0));
    buf_put_str(out, "\",\"name\":\"");
    buf_put_span(out, call != NULL ? call->name : span_of("", 0));
    buf_put_str(out, "\"");
}

static void open_block(struct gw_answer *answer, uint8_t kind, uint32_t part, struct buf *out)
{
    struct state *state = state_of(answer);

    if (state->open && state->kind == kind && state->part == part)
        return;
    close_block(answer, out);
    state->open = true;
    state->kind = kind;
    state->part = part;
    buf_printf(out,
               "event: content_block_start\n"
               "data: {\"type\":\"content_block_start\",\"index\":%u,\"content_block\":{",
               state->index);
    if (kind == OPENAI_ARGUMENTS) {
        state->calls = true;
        buf_put_str(out, "\"type\":\"tool_use\",");
        put_name(call_of(answer, part), out);
        buf_put_str(out, ",\"input\":{}}}\n\n");
    } else if (kind == OPENAI_REASONING) {
        buf_put_str(out, "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n");
    } else {
        buf_put_str(out, "\"type\":\"text\",\"text\":\"\"}}\n\n");
    }
}

static void put_delta(struct gw_answer *answer, uint8_t kind, uint32_t part, struct span text,
                      struct buf *out)
{
    const char *type = kind == OPENAI_ARGUMENTS   ? "\"input_json_delta\",\"partial_json\":"
                       : kind == OPENAI_REASONING ? "\"thinking_delta\",\"thinking\":"
                                                  : "\"text_delta\",\"text\":";

    begin(answer, out);
    if (text.len > 0 || kind == OPENAI_ARGUMENTS)
        open_block(answer, kind, part, out);
    if (text.len == 0)
        return;
    buf_printf(out,
               "event: content_block_delta\n"
               "data: {\"type\":\"content_block_delta\",\"index\":%u,\"delta\":{\"type\":%s",
               state_of(answer)->index, type);
    openai_string_put(text, out);
    buf_put_str(out, "}}\n\n");
}

static void on_stream_event(struct gw_answer *answer, struct buf *out)
{
    const struct openai_answer *read = answer->read;
    struct state *state = state_of(answer);

    if (read->error) {
        buf_put_str(out,
                    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
                    "\"message\":\"The model's engine failed\"}}\n\n");
        answer->call->cut = true;
        return;
    }
    begin(answer, out);
    for (size_t i = 0; i < read->pieces; i++)
        if (read->choice[read->piece[i].choice].index == 0)
            put_delta(answer, read->piece[i].kind, read->piece[i].part, gw_new_text(answer, i),
                      out);
    if (read->choices > 0)
        keep_stop(state, read->choice[0].finish);
}

/* ------------------------------------------------------------------ a whole answer */

/* What a tool is called with must be an object; a model may well have said something else. */
static void put_input(struct span text, struct buf *out)
{
    json_error_t why;
    CLEANUP_JSON json_t *input = json_loadb((const char *)text.p, text.len, 0, &why);

    if (json_is_object(input))
        buf_put_span(out, text);
    else
        buf_put_str(out, "{}");
}

static void put_block(struct gw_answer *answer, size_t i, struct buf *out)
{
    const struct openai_piece *piece = &answer->read->piece[i];
    struct span text = gw_new_text(answer, i);

    if (piece->kind == OPENAI_ARGUMENTS) {
        state_of(answer)->calls = true;
        buf_put_str(out, "{\"type\":\"tool_use\",");
        put_name(call_of(answer, piece->part), out);
        buf_put_str(out, ",\"input\":");
        put_input(text, out);
    } else if (piece->kind == OPENAI_REASONING) {
        buf_put_str(out, "{\"type\":\"thinking\",\"signature\":\"\",\"thinking\":");
        openai_string_put(text, out);
    } else {
        buf_put_str(out, "{\"type\":\"text\",\"text\":");
        openai_string_put(text, out);
    }
    buf_put_u8(out, '}');
}

/* Thoughts come before words, and calls behind them, in whatever order the engine wrote. */
static void put_blocks(struct gw_answer *answer, struct buf *out)
{
    static const uint8_t order[] = {OPENAI_REASONING, OPENAI_CONTENT, OPENAI_REFUSAL,
                                    OPENAI_COMPLETION, OPENAI_ARGUMENTS};
    bool first = true;

    for (size_t k = 0; k < ARRAY_LEN(order); k++)
        for (size_t i = 0; i < answer->read->pieces; i++) {
            const struct openai_piece *piece = &answer->read->piece[i];
            bool empty = gw_new_text(answer, i).len == 0 && piece->kind != OPENAI_ARGUMENTS;
            if (piece->kind != order[k] || piece->choice != 0 || empty)
                continue;
            buf_put_str(out, first ? "" : ",");
            put_block(answer, i, out);
            first = false;
        }
}

static void send_whole(struct gw_answer *answer, ngx_uint_t status, struct span body)
{
    if (gw_out_headers(answer->r, status, body.len) == NGX_OK)
        gw_answer_put(answer, body);
    else
        answer->failed = true;
}

static void on_whole(struct gw_answer *answer, struct buf *out)
{
    struct state *state = state_of(answer);

    buf_put_str(out, "{");
    put_id(answer, out);
    buf_put_str(out, ",\"content\":[");
    put_blocks(answer, out);
    if (answer->read->choices > 0)
        keep_stop(state, answer->read->choice[0].finish);
    buf_printf(out, "],\"stop_reason\":\"%s\",\"stop_sequence\":null,", stop_reason(answer, state));
    put_usage(answer, out);
    buf_put_str(out, "}");
    send_whole(answer, answer->r->headers_out.status, buf_span(out));
}

static void on_event(struct gw_answer *answer, struct span data UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(GW_ANSWER_MAX * 2);

    if (!answer->stream) {
        on_whole(answer, &out);
        return;
    }
    on_stream_event(answer, &out);
    gw_answer_put(answer, buf_span(&out));
}

static void on_rest(struct gw_answer *answer, const struct gw_lane *lane, struct span text)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(GW_ANSWER_MAX * 2);

    if (lane->choice == 0)
        put_delta(answer, lane->kind, lane->part, text, &out);
    gw_answer_put(answer, buf_span(&out));
}

/* ------------------------------------------------------------------ the end */

static void on_filtered(struct gw_answer *answer UNUSED)
{
    /* The stop reason says so. */
}

static void on_done(struct gw_answer *answer)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct state *state = state_of(answer);

    begin(answer, &out);
    close_block(answer, &out);
    buf_printf(&out,
               "event: message_delta\n"
               "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\","
               "\"stop_sequence\":null},",
               stop_reason(answer, state));
    put_usage(answer, &out);
    buf_put_str(&out, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    gw_answer_put(answer, buf_span(&out));
}

static void on_pause(struct gw_answer *answer)
{
    gw_answer_put_text(answer, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}

static void on_broken(struct gw_answer *answer, const char *code, const char *message)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);

    if (answer->stream)
        buf_put_str(&out, "event: error\ndata: ");
    gw_anthropic_error_put(NGX_HTTP_BAD_GATEWAY, message, code, &out);
    if (answer->stream) {
        buf_put_str(&out, "\n\n");
        gw_answer_put(answer, buf_span(&out));
        return;
    }
    send_whole(answer, NGX_HTTP_BAD_GATEWAY, buf_span(&out));
}

static void on_refused(struct gw_answer *answer, struct span data)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 20);
    ngx_uint_t status = answer->r->headers_out.status;
    json_error_t why;
    CLEANUP_JSON json_t *said = json_loadb((const char *)data.p, data.len, 0, &why);
    const char *message = json_string_value(codec_json_at(said, "error", "message", NULL));

    gw_anthropic_error_put(status, message == NULL ? "The model's engine refused this" : message,
                           NULL, &out);
    send_whole(answer, status, buf_span(&out));
}

const struct gw_form gw_form_anthropic = {
    .in_order = true,
    .event = on_event,
    .rest = on_rest,
    .filtered = on_filtered,
    .done = on_done,
    .pause = on_pause,
    .refused = on_refused,
    .broken = on_broken,
};

/* ------------------------------------------------------------------ errors */

void gw_anthropic_error_put(ngx_uint_t status, const char *message, const char *code,
                            struct buf *out)
{
    static const struct {
        ngx_uint_t status;
        const char *type;
    } types[] = {
        {NGX_HTTP_UNAUTHORIZED, "authentication_error"},
        {NGX_HTTP_FORBIDDEN, "permission_error"},
        {NGX_HTTP_NOT_FOUND, "not_found_error"},
        {NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "request_too_large"},
        {NGX_HTTP_TOO_MANY_REQUESTS, "rate_limit_error"},
        {NGX_HTTP_BAD_GATEWAY, "api_error"},
        {NGX_HTTP_SERVICE_UNAVAILABLE, "overloaded_error"},
        {NGX_HTTP_GATEWAY_TIME_OUT, "timeout_error"},
    };
    const char *type =
        status >= NGX_HTTP_INTERNAL_SERVER_ERROR ? "api_error" : "invalid_request_error";

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].status == status)
            type = types[i].type;
    buf_printf(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", type);
    openai_string_put(span_str(message), out);
    if (code != NULL && code[0] != '\0') {
        buf_put_str(out, ",\"code\":");
        openai_string_put(span_str(code), out);
    }
    buf_put_str(out, "}}");
}
