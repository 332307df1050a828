/* SPDX-License-Identifier: Apache-2.0 */
/* Forms and cookies: the same names and values as ModSecurity's. */
#include "waf/body/body_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 14 };

static void check_form(struct span text)
{
    static struct oracle *oracle;
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    CLEANUP(body_list_free) struct body_list ours;
    CLEANUP(body_list_free) struct body_list theirs;
    CLEANUP(buf_free) struct buf rest = BUF_INIT(256);
    struct waf_urlencoded form;
    struct err err = ERR_INIT;

    if (oracle == NULL)
        oracle = body_oracle_new("", "ARGS_POST_NAMES", "ARGS_POST", "%{URLENCODED_ERROR}");
    body_list_init(&ours);
    body_list_init(&theirs);
    struct waf_pair_sink sink = body_list_sink(&ours);
    INVARIANT(waf_urlencoded_parse(text, '&', &sink, arena, &form, &err) == 0);
    struct oracle_request request = {.method = "POST",
                                     .content_type = "application/x-www-form-urlencoded",
                                     .chunks = &text,
                                     .chunk_count = 1};
    body_oracle_run(oracle, &request, &theirs, &rest);
    body_list_compare(&ours, &theirs);
    INVARIANT(!oracle_is_known() || form.invalid_encoding == span_eq_str(buf_span(&rest), "1"));
}

static void check_cookies(struct span text)
{
    static struct oracle *oracle;
    CLEANUP(body_list_free) struct body_list ours;
    CLEANUP(body_list_free) struct body_list theirs;
    CLEANUP(buf_free) struct buf rest = BUF_INIT(256);

    if (oracle == NULL)
        oracle = body_oracle_new("", "REQUEST_COOKIES_NAMES", "REQUEST_COOKIES", "");
    body_list_init(&ours);
    body_list_init(&theirs);
    struct waf_pair_sink sink = body_list_sink(&ours);
    waf_cookies_parse(text, &sink);
    struct oracle_request request = {.cookie = text};
    body_oracle_run(oracle, &request, &theirs, &rest);
    body_list_compare(&ours, &theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size > INPUT_MAX ? INPUT_MAX : size);

    check_form(text);
    check_cookies(text);
    return 0;
}
