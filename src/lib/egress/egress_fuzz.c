/* SPDX-License-Identifier: Apache-2.0 */
/* Each body of the exporter's messages, as the other end would read it. What is taken is written
 * the same. */
#include "egress/url.h"
#include "egress/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct buf *again, struct span input)
{
    INVARIANT(again->overflowed || span_eq(buf_span(again), input));
}

static void try_requests(struct span input, struct arena *arena)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(IPC_BODY_MAX);
    struct egress_request request;
    struct egress_bind bind;
    struct err err = ERR_INIT;

    if (egress_get_request(input, arena, &request, &err) == 0) {
        INVARIANT(egress_put_request(&request, &again, &err) == 0 || again.overflowed);
        compare(&again, input);
    }
    buf_reset(&again);
    err_clear(&err);
    /* A base without a search is forgotten, so that only what has one comes back the same. */
    if (egress_get_bind(input, arena, &bind, &err) == 0 && bind.base != NULL) {
        INVARIANT(egress_put_bind(&bind, &again, &err) == 0 || again.overflowed);
        compare(&again, input);
    }
}

static void try_answers(struct span input, struct arena *arena)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(IPC_BODY_MAX);
    struct egress_answer answer = {0};
    struct egress_directory found = {0};
    struct err err = ERR_INIT;

    if (egress_get_answer(input, &answer, &err) == 0) {
        egress_put_answer(&answer, &again);
        compare(&again, input);
    }
    buf_reset(&again);
    err_clear(&err);
    if (egress_get_directory(input, arena, &found, &err) == 0) {
        egress_put_directory(&found, &again);
        compare(&again, input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1024 * 1024);
    struct span input = span_of(data, size);
    struct egress_url url;
    struct err err = ERR_INIT;

    try_requests(input, arena);
    try_answers(input, arena);
    char *text = arena_copy(arena, input);
    if (text != NULL && egress_url_parse(text, "https://", 443, &url, &err) == 0)
        INVARIANT(strpbrk(url.host, "/\"$ ") == NULL && url.port > 0);
    return 0;
}
