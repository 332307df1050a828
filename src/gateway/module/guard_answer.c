/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer on its way: events as the engine sent them, or a body when it is whole; through the
 * guard and out. What is held back goes on when it has been held for GW_HOLD_MS.
 */
#include "gateway/module/guard_answer.h"

#include "base/mem.h"

#include <stdlib.h>

#define BROKEN_CODE    "engine_failed"
#define BROKEN_MESSAGE "The model's engine sent what cannot be read"
#define DIED_MESSAGE   "The model's engine stopped in the middle of the answer"

static struct openai_answer read_room;
static struct gw_new_text texts_room[OPENAI_PIECES_MAX];
static struct buf all_room = BUF_INIT(GW_ANSWER_MAX);

void gw_answer_put(struct gw_answer *answer, struct span bytes)
{
    if (!answer->failed)
        answer->failed = !gw_out_put(answer->r, answer->call, bytes);
}

void gw_answer_put_text(struct gw_answer *answer, const char *text)
{
    gw_answer_put(answer, span_str(text));
}

bool gw_answer_failed(const struct gw_answer *answer)
{
    return answer->failed;
}

bool gw_answer_is_over(const struct gw_answer *answer)
{
    return answer->over;
}

bool gw_answer_was_blocked(const struct gw_answer *answer)
{
    return answer->blocked;
}

bool gw_answer_holds_headers(const struct gw_answer *answer)
{
    return !answer->stream;
}

/* ------------------------------------------------------------------ the time bound */

static void on_timer(ngx_event_t *event)
{
    struct gw_answer *answer = event->data;
    ngx_http_request_t *r = answer->r;
    ngx_connection_t *connection = r->connection;

    if (answer->over)
        return;
    gw_out_begin(answer->call);
    gw_lanes_release(answer);
    /* What goes wrong here is noticed again by whoever writes next. */
    (void)gw_out_end(r, answer->call);
    ngx_http_run_posted_requests(connection);
}

static void set_timer(struct gw_answer *answer)
{
    bool held = !answer->over && gw_lanes_held(answer) > 0;

    if (held && !answer->timer.timer_set)
        ngx_add_timer(&answer->timer, GW_HOLD_MS);
    if (!held && answer->timer.timer_set)
        ngx_del_timer(&answer->timer);
}

/* ------------------------------------------------------------------ one event */

static void stop(struct gw_answer *answer)
{
    answer->over = true;
    set_timer(answer);
}

static void block(struct gw_answer *answer)
{
    answer->blocked = true;
    answer->form->filtered(answer);
    answer->form->done(answer);
    stop(answer);
}

static void break_off(struct gw_answer *answer, const char *message)
{
    answer->call->cut = true;
    answer->form->broken(answer, BROKEN_CODE, message);
    stop(answer);
}

static void keep_head(struct gw_answer *answer)
{
    const struct openai_answer *read = answer->read;
    int len;

    if (answer->head[0] != '\0' || read->choices == 0)
        return;
    answer->completion = read->pieces > 0 && read->piece[0].kind == OPENAI_COMPLETION;
    len =
        snprintf(answer->head, sizeof(answer->head), "\"id\":%.*s,\"created\":%.*s,\"model\":%.*s,",
                 SPAN_ARG(read->id.len > 0 ? read->id : span_str("null")),
                 SPAN_ARG(read->created.len > 0 ? read->created : span_str("0")),
                 SPAN_ARG(read->model.len > 0 ? read->model : span_str("null")));
    /* Too long for any honest engine: it stays without. */
    if (len < 0 || (size_t)len >= sizeof(answer->head))
        snprintf(answer->head, sizeof(answer->head), "\"id\":null,\"created\":0,\"model\":null,");
}

/* Texts that end with this event, but have no piece in it, give out what they hold before it. */
static bool finish_choices(struct gw_answer *answer)
{
    bool good = true;

    for (size_t i = 0; i < answer->read->choices && good; i++)
        if (answer->read->choice[i].finish.len > 0)
            good = gw_lanes_finish(answer, answer->read->choice[i].index);
    return good;
}

static void mark_choices(struct gw_answer *answer)
{
    for (size_t i = 0; i < answer->read->choices; i++) {
        const struct openai_choice *choice = &answer->read->choice[i];
        if (choice->index < OPENAI_CHOICES_MAX)
            answer->finished[choice->index] |= choice->finish.len > 0 ? 3 : 1;
    }
}

static bool on_data(struct gw_answer *answer, struct span data)
{
    struct err err = ERR_INIT;

    if (openai_answer_scan(data, answer->read, &err) < 0) {
        ngx_log_error(NGX_LOG_ERR, answer->r->connection->log, 0, "drun: %s", err.msg);
        break_off(answer, BROKEN_MESSAGE);
        return false;
    }
    keep_head(answer);
    mark_choices(answer);
    bool good = finish_choices(answer);
    if (good) {
        good = gw_lanes_feed(answer);
        answer->blocked = !good;
        answer->form->event(answer, data);
    }
    if (!good)
        block(answer);
    return good && !answer->failed;
}

static bool on_event(void *ctx, struct span data)
{
    struct gw_answer *answer = ctx;

    answer->read = &read_room;
    answer->texts = texts_room;
    answer->all = &all_room;
    if (data.len == 0) {
        answer->form->pause(answer);
        return true;
    }
    if (!span_eq_str(data, "[DONE]"))
        return on_data(answer, data);
    if (!gw_lanes_finish_all(answer)) {
        block(answer);
        return false;
    }
    answer->form->done(answer);
    stop(answer);
    return false;
}

void gw_answer_take(void *ctx, struct span bytes)
{
    struct gw_answer *answer = ctx;

    if (answer->over || answer->failed)
        return;
    if (!answer->stream) {
        buf_put_span(&answer->whole, bytes);
        return;
    }
    if (!openai_events_feed(&answer->events, bytes, on_event, answer) && !answer->over &&
        !answer->failed)
        break_off(answer, BROKEN_MESSAGE);
    set_timer(answer);
}

/* ------------------------------------------------------------------ the end */

/* The whole answer is one event in which everything ends. */
static void on_whole(struct gw_answer *answer)
{
    struct span data = buf_span(&answer->whole);
    struct err err = ERR_INIT;

    answer->read = &read_room;
    answer->texts = texts_room;
    answer->all = &all_room;
    answer->ends = true;
    if (answer->whole.overflowed || openai_answer_scan(data, answer->read, &err) < 0) {
        ngx_log_error(NGX_LOG_ERR, answer->r->connection->log, 0, "drun: %s",
                      answer->whole.overflowed ? "the engine's answer is too large" : err.msg);
        break_off(answer, BROKEN_MESSAGE);
        return;
    }
    answer->blocked = !gw_lanes_feed(answer);
    answer->form->event(answer, data);
    answer->over = true;
}

void gw_answer_end(struct gw_answer *answer, bool cut)
{
    if (answer->over || answer->failed)
        return;
    if (answer->error) {
        answer->form->refused(answer, buf_span(&answer->whole));
        answer->over = true;
    } else if (cut) {
        break_off(answer, DIED_MESSAGE);
    } else if (!answer->stream) {
        on_whole(answer);
    } else if (!gw_lanes_finish_all(answer)) {
        block(answer);
    } else {
        answer->form->done(answer);
        stop(answer);
    }
    if (all_room.cap > OPENAI_EVENT_MAX)
        buf_free(&all_room);
}

static struct gw_answer *make(ngx_http_request_t *r, struct gw_call *call,
                              const struct gw_form *form)
{
    struct gw_answer *answer = mem_new(sizeof(*answer));

    answer->r = r;
    answer->call = call;
    answer->form = form;
    answer->whole.max = GW_ANSWER_MAX;
    answer->timer.handler = on_timer;
    answer->timer.data = answer;
    answer->timer.log = r->connection->log;
    return answer;
}

struct gw_answer *gw_answer_new_error(ngx_http_request_t *r, struct gw_call *call)
{
    struct gw_answer *answer = gw_is_anthropic(r) ? make(r, call, &gw_form_anthropic) : NULL;

    if (answer != NULL)
        answer->error = true;
    return answer;
}

bool gw_answer_is_error(const struct gw_answer *answer)
{
    return answer->error;
}

struct gw_answer *gw_answer_new(ngx_http_request_t *r, struct gw_call *call, bool stream)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);

    bool anthropic = conf->api == OPENAI_MESSAGES;
    bool plain = conf->api == OPENAI_EMBEDDINGS || conf->api == OPENAI_COUNT_TOKENS;

    if (plain || !(call->looks || anthropic))
        return NULL;
    struct gw_answer *answer = make(r, call, anthropic ? &gw_form_anthropic : &gw_form_openai);
    answer->stream = stream;
    answer->looks = call->looks;
    return answer;
}

void gw_answer_free(struct gw_answer *answer)
{
    if (answer == NULL)
        return;
    if (answer->timer.timer_set)
        ngx_del_timer(&answer->timer);
    gw_lanes_free(answer);
    openai_events_free(&answer->events);
    buf_free(&answer->whole);
    free(answer->form_state);
    free(answer);
}
