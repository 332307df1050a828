/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what we take, ModSecurity takes with the same names and values; what we refuse, it refuses,
 * too, but for text that is not UTF-8 and for an unfinished word behind the value. */
#include "waf/body/body_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 13, DEPTH = 100 };

/* What ModSecurity takes for white space, and RFC 8259 does not. */
static bool has_odd_blank(struct span text)
{
    return text.len > 0 &&
           (memchr(text.p, '\v', text.len) != NULL || memchr(text.p, '\f', text.len) != NULL);
}

static const char replacement[] = "efbfbd";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct oracle *oracle; /* kept from input to input */
    struct span text = span_of(data, size > INPUT_MAX ? INPUT_MAX : size);
    struct waf_json_limits limits = {.depth_max = DEPTH};
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 24);
    CLEANUP(body_list_free) struct body_list ours;
    CLEANUP(body_list_free) struct body_list theirs;
    CLEANUP(buf_free) struct buf rest = BUF_INIT(256);
    struct err err = ERR_INIT;

    if (oracle == NULL)
        oracle = body_oracle_new("SecRequestBodyJsonDepthLimit 100\n"
                                 "SecRule REQUEST_HEADERS:Content-Type \"@streq application/json\" "
                                 "\"id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n",
                                 "ARGS_NAMES", "ARGS", "%{REQBODY_ERROR}");
    body_list_init(&ours);
    body_list_init(&theirs);
    struct waf_pair_sink sink = body_list_sink(&ours);
    int rc = waf_json_parse(text, &limits, &sink, arena, &err);
    struct oracle_request request = {
        .method = "POST", .content_type = "application/json", .chunks = &text, .chunk_count = 1};
    body_oracle_run(oracle, &request, &theirs, &rest);
    bool refused = span_eq_str(buf_span(&rest), "1");
    bool known = strstr(err.msg, "UTF-8") != NULL || strstr(err.msg, "something follows") != NULL;
    if ((rc < 0) != refused && !known && !has_odd_blank(text)) {
        fprintf(stderr, "we %s, ModSecurity %s\n", err.msg, buf_text(&rest));
        INVARIANT(!"only one of us takes it");
    }
    /* A surrogate without its partner is U+FFFD here and something else there. */
    if (rc == 0 && strstr(buf_text(&ours.values), replacement) == NULL &&
        strstr(buf_text(&ours.names), replacement) == NULL)
        body_list_compare(&ours, &theirs);
    return 0;
}
