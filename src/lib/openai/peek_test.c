/* SPDX-License-Identifier: Apache-2.0 */
/* Against a plain reader of the whole text, for any text and however it is cut. */
#include "openai/peek.h"

#include "base/num.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TEXT_MAX = 1 << 16, TEXTS = 20000, MEMBERS_MAX = 5, DEPTH_MAX = 5 };

static uint64_t random_state = 5;

static unsigned draw(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

/* ------------------------------------------------------------------ any text */

static void put_value(struct buf *out, unsigned depth);

static void put_blank(struct buf *out)
{
    static const char *const blanks[] = {"", "", "", " ", "\n\t", "  \r\n"};

    buf_put_str(out, blanks[draw(ARRAY_LEN(blanks))]);
}

static void put_scalar(struct buf *out)
{
    static const char *const scalars[] = {
        "null", "true", "false", "0",      "7",   "250",    "1.5",          "-3",
        "12e0", "\"\"", "\"a\"", "\"\\\"", "\"{", "\"\\\\", "\"], \\u00e9", "\"error\\\":"};
    const char *text = scalars[draw(ARRAY_LEN(scalars))];
    size_t len = strlen(text);

    buf_put_str(out, text);
    /* Those that are left open. */
    if (text[0] == '"' && (len == 1 || text[len - 1] != '"' || text[len - 2] == '\\'))
        buf_put_str(out, "\"");
}

static void put_object(struct buf *out, unsigned depth)
{
    static const char *const names[] = {"choices",
                                        "usage",
                                        "error",
                                        "prompt_tokens",
                                        "completion_tokens",
                                        "prompt_tokens_details",
                                        "cached_tokens",
                                        "id",
                                        "a name that is longer than any of ours",
                                        "\\u0069d 2",
                                        ""};
    bool used[ARRAY_LEN(names)] = {false};
    bool first = true;

    buf_put_str(out, "{");
    put_blank(out);
    for (unsigned i = draw(MEMBERS_MAX + 1); i > 0; i--) {
        unsigned name = draw(ARRAY_LEN(names));
        if (used[name])
            continue;
        used[name] = true;
        buf_printf(out, "%s\"%s\"", first ? "" : ",", names[name]);
        first = false;
        put_blank(out);
        buf_put_str(out, ":");
        put_value(out, depth + 1);
    }
    buf_put_str(out, "}");
}

static void put_array(struct buf *out, unsigned depth)
{
    buf_put_str(out, "[");
    for (unsigned i = draw(4); i > 0; i--) {
        put_value(out, depth + 1);
        buf_put_str(out, i > 1 ? "," : "");
    }
    put_blank(out);
    buf_put_str(out, "]");
}

static void put_value(struct buf *out, unsigned depth)
{
    unsigned kind = depth < DEPTH_MAX ? draw(4) : 0;

    put_blank(out);
    if (kind < 2)
        put_scalar(out);
    else if (kind == 2)
        put_object(out, depth);
    else
        put_array(out, depth);
    put_blank(out);
}

/* ------------------------------------------------------------------ the plain reader */

static uint64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_number(value) ? (uint64_t)NUM_MAX(json_number_value(value), 0.0) : 0;
}

static struct openai_peek read_plainly(const json_t *root)
{
    const json_t *choices = json_object_get(root, "choices");
    const json_t *usage = json_object_get(root, "usage");
    const json_t *error = json_object_get(root, "error");

    return (struct openai_peek){
        .choices = json_array_size(choices) > 0 || json_object_size(choices) > 0,
        .usage = json_is_object(usage),
        .error = error != NULL && !json_is_null(error),
        .prompt_tokens = number(usage, "prompt_tokens"),
        .completion_tokens = number(usage, "completion_tokens"),
        .cached_tokens = number(json_object_get(usage, "prompt_tokens_details"), "cached_tokens"),
    };
}

static void compare(const struct openai_peek *peek, const struct openai_peek *plain)
{
    assert_int_equal(peek->depth, 0);
    assert_int_equal(peek->choices, plain->choices);
    assert_int_equal(peek->usage, plain->usage);
    assert_int_equal(peek->error, plain->error);
    assert_int_equal(peek->prompt_tokens, plain->prompt_tokens);
    assert_int_equal(peek->completion_tokens, plain->completion_tokens);
    assert_int_equal(peek->cached_tokens, plain->cached_tokens);
}

static void feed_in_pieces(struct span text, size_t most, struct openai_peek *peek)
{
    *peek = (struct openai_peek){0};
    for (size_t at = 0, len; at < text.len; at += len) {
        size_t piece = 1 + draw((unsigned)most);
        len = NUM_MIN(text.len - at, piece);
        openai_peek_feed(peek, text.p + at, text.p + at + len);
    }
}

static void check(struct span text)
{
    CLEANUP_JSON json_t *root = NULL;
    struct openai_peek peek;
    struct err err = ERR_INIT;

    assert_int_equal(codec_json_parse(text, "the text", &root, &err), 0);
    struct openai_peek plain = read_plainly(root);
    feed_in_pieces(text, TEXT_MAX, &peek);
    compare(&peek, &plain);
    feed_in_pieces(text, 1, &peek);
    compare(&peek, &plain);
    feed_in_pieces(text, 20, &peek);
    compare(&peek, &plain);
}

static void any_text_is_read_as_a_plain_reader_does(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX);

    for (int i = 0; i < TEXTS; i++) {
        buf_reset(&text);
        put_object(&text, 0);
        check(buf_span(&text));
    }
}

static void an_error_that_is_null_is_none(void **state UNUSED)
{
    check(span_str("{\"error\": null, \"usage\": {\"prompt_tokens\": 5}}"));
    check(span_str("{\"error\": \"null\"}"));
}

static void a_sum_has_a_bound(void **state UNUSED)
{
    struct openai_peek peek;

    feed_in_pieces(span_str("{\"usage\":{\"prompt_tokens\":99999999999999999999999999}}"), 3,
                   &peek);
    assert_true(peek.prompt_tokens > UINT32_MAX && peek.prompt_tokens < UINT64_C(1) << 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_text_is_read_as_a_plain_reader_does),
        cmocka_unit_test(an_error_that_is_null_is_none),
        cmocka_unit_test(a_sum_has_a_bound),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
