/* SPDX-License-Identifier: Apache-2.0 */
/* drun chat: talks to a model service as any OpenAI client does. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/client.h"
#include "cli/lines.h"
#include "cli/only_model.h"
#include "cli/output.h"
#include "codec/json.h"

#include <stdlib.h>
#include <unistd.h>

const struct cli_option cli_chat_options[] = {{"--system", "TEXT", "what the model is told first"},
                                              {"--max-tokens", "N", "the longest answer"},
                                              {"--temperature", "T", "0 is the likeliest answer"},
                                              {"--quiet", NULL, "no line about usage"},
                                              CLIENT_OPTIONS,
                                              {0}};

enum { PROMPT_MAX = 1024 * 1024, TOKENS_MAX = 10000000 };

struct chat {
    struct client_options options;
    const char *model;
    char *chosen; /* when none was named */
    const char *system;
    const char *max_tokens;
    const char *temperature;
    bool quiet;
    json_t *messages;
};

/* ------------------------------------------------------------------ one answer */

struct answer {
    struct buf text;
    uint64_t began_ns;
    uint64_t first_ns;
    long long input_tokens;
    long long output_tokens;
};

static int take_chunk(struct answer *answer, const json_t *chunk, struct err *err)
{
    const json_t *usage = json_object_get(chunk, "usage");
    const json_t *choice = json_array_get(json_object_get(chunk, "choices"), 0);
    const char *piece = json_string_value(codec_json_at(choice, "delta", "content", NULL));
    const char *error = json_string_value(codec_json_at(chunk, "error", "message", NULL));

    if (error != NULL)
        return err_set(err, ERR_INTERNAL, "the model service: %s", error);
    if (json_is_object(usage)) {
        answer->input_tokens = json_integer_value(json_object_get(usage, "prompt_tokens"));
        answer->output_tokens = json_integer_value(json_object_get(usage, "completion_tokens"));
    }
    if (piece == NULL || piece[0] == '\0')
        return 0;
    if (answer->first_ns == 0)
        answer->first_ns = clock_mono_ns();
    fputs(piece, stdout);
    fflush(stdout);
    buf_put_str(&answer->text, piece);
    return buf_check(&answer->text, "the model's answer", err);
}

static int on_line(void *ctx, struct span line, struct err *err)
{
    CLEANUP_JSON json_t *chunk = NULL;
    struct span data;

    if (!lines_event_data(line, &data) || span_eq_str(data, "[DONE]"))
        return 0;
    TRY(codec_json_parse(data, "the model's answer", &chunk, err));
    return take_chunk(ctx, chunk, err);
}

static int on_data(void *ctx, unsigned status UNUSED, struct span bytes, struct err *err)
{
    return lines_add(ctx, bytes, err);
}

static int request_of(const struct chat *chat, json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *request =
        json_pack("{s:s, s:b, s:{s:b}, s:O}", "model", chat->model, "stream", 1, "stream_options",
                  "include_usage", 1, "messages", chat->messages);
    uint64_t tokens;

    if (request == NULL)
        return err_set(err, ERR_INVALID, "the prompt is not UTF-8");
    if (chat->max_tokens != NULL) {
        TRY(num_parse_u64(span_str(chat->max_tokens), 1, TOKENS_MAX, "--max-tokens", &tokens, err));
        json_object_set_new(request, "max_tokens", json_integer((json_int_t)tokens));
    }
    if (chat->temperature != NULL) {
        char *end;
        double value = strtod(chat->temperature, &end);
        if (*end != '\0' || end == chat->temperature || !(value >= 0 && value <= 2))
            return err_set(err, ERR_INVALID, "--temperature is a number from 0 to 2");
        json_object_set_new(request, "temperature", json_real(value));
    }
    *out = json_incref(request);
    return 0;
}

static void say_usage(const struct answer *answer)
{
    double total_s = (double)(clock_mono_ns() - answer->began_ns) / 1e9;
    double first_s =
        answer->first_ns == 0 ? total_s : (double)(answer->first_ns - answer->began_ns) / 1e9;
    double rate = total_s > first_s ? (double)answer->output_tokens / (total_s - first_s) : 0;

    fprintf(stderr, "%s%lld + %lld tokens, first after %.2f s, %.0f tokens/s%s\n",
            output_colour(OUTPUT_DIM), answer->input_tokens, answer->output_tokens, first_s, rate,
            output_colour(OUTPUT_PLAIN));
}

static int ask(const struct chat *chat, struct client *client, struct err *err)
{
    struct answer answer = {.text = BUF_INIT(FETCH_BODY_MAX), .began_ns = clock_mono_ns()};
    CLEANUP(lines_free) struct lines lines = LINES_INIT(on_line, &answer);
    CLEANUP(fetch_answer_free) struct fetch_answer got = FETCH_ANSWER_INIT;
    CLEANUP(buf_free) struct buf body = BUF_INIT(FETCH_BODY_MAX);
    CLEANUP_JSON json_t *request = NULL;

    TRY(request_of(chat, &request, err));
    codec_json_put(request, &body);
    TRY(buf_check(&body, "the conversation", err));
    struct client_call call = {.method = "POST",
                               .path = "/v1/chat/completions",
                               .body = buf_span(&body),
                               .accept = "text/event-stream",
                               .on_data = on_data,
                               .ctx = &lines};
    int result = client_call(client, &call, &got, err);
    if (answer.text.len > 0)
        printf("\n");
    if (result == 0) {
        json_array_append_new(chat->messages, json_pack("{s:s, s:s}", "role", "assistant",
                                                        "content", buf_text(&answer.text)));
        if (!chat->quiet)
            say_usage(&answer);
    }
    buf_free(&answer.text);
    return result;
}

/* ------------------------------------------------------------------ conversations */

static void say(struct chat *chat, const char *role, const char *text)
{
    json_array_append_new(chat->messages, json_pack("{s:s, s:s}", "role", role, "content", text));
}

/* A token lives for minutes and a conversation may be longer, so each question takes a fresh one. A
 * question that failed is forgotten, and one may go on. */
static void ask_again(struct chat *chat, const char *question)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    struct err err = ERR_INIT;

    say(chat, "user", question);
    if (client_open(&chat->options, &client, &err) == 0 && ask(chat, client, &err) == 0)
        return;
    (void)cli_fail(&err);
    json_array_remove(chat->messages, json_array_size(chat->messages) - 1);
}

static void converse(struct chat *chat)
{
    CLEANUP_FREE char *line = NULL;
    size_t room = 0;

    fprintf(stderr, "%s%s; Ctrl-D ends%s\n", output_colour(OUTPUT_DIM), chat->model,
            output_colour(OUTPUT_PLAIN));
    for (;;) {
        fprintf(stderr, "%s>%s ", output_colour(OUTPUT_BOLD), output_colour(OUTPUT_PLAIN));
        ssize_t len = getline(&line, &room, stdin);
        if (len < 0)
            break;
        if (len > 0 && line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (line[0] != '\0')
            ask_again(chat, line);
    }
    fprintf(stderr, "\n");
}

static int ask_stdin(struct chat *chat, struct client *client, struct err *err)
{
    CLEANUP(buf_free) struct buf prompt = BUF_INIT(PROMPT_MAX);

    TRY(fd_read_all(STDIN_FILENO, "the prompt", &prompt, err));
    say(chat, "user", buf_text(&prompt));
    return ask(chat, client, err);
}

static int run(struct chat *chat, const char *prompt, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;

    TRY(client_open(&chat->options, &client, err));
    if (chat->model == NULL) {
        TRY(only_model(client, &chat->chosen, err));
        chat->model = chat->chosen;
    }
    if (chat->system != NULL)
        say(chat, "system", chat->system);
    if (prompt == NULL && isatty(STDIN_FILENO)) {
        converse(chat);
        return 0;
    }
    if (prompt == NULL || strcmp(prompt, "-") == 0)
        return ask_stdin(chat, client, err);
    say(chat, "user", prompt);
    return ask(chat, client, err);
}

static void take(void *ctx, const struct cli_args *args)
{
    struct chat *chat = ctx;

    if (client_take_option(&chat->options, args))
        return;
    if (strcmp(args->option, "--system") == 0)
        chat->system = args->value;
    else if (strcmp(args->option, "--max-tokens") == 0)
        chat->max_tokens = args->value;
    else if (strcmp(args->option, "--temperature") == 0)
        chat->temperature = args->value;
    else
        chat->quiet = true;
}

int cli_chat(int argc, char **argv)
{
    CLEANUP_JSON json_t *messages = json_array();
    struct chat chat = {.options = CLIENT_OPTIONS_INIT, .messages = messages};
    struct cli_args args = cli_args_of("chat", argc, argv);
    const char *words[2];
    struct err err = ERR_INIT;

    enum cli_exit read = cli_read(&args, take, &chat, words, ARRAY_LEN(words));
    if (read != CLI_OK)
        return read;
    chat.model = words[0];
    int result = run(&chat, words[1], &err);
    free(chat.chosen);
    return result < 0 ? cli_fail(&err) : CLI_OK;
}
