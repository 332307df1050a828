/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is rules, or an error at a place; rules give an image that loads and runs. */
#include "waf/waf.h"

#include "base/mem.h"
#include "snapshot/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What would open files is left to the tests. */
static bool opens_files(const char *text)
{
    static const char *const words[] = {"include", "file",        "validatedtd", "validateschema",
                                        "@pmf",    "geolookupdb", "@ipmatchf"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasestr(text, words[i]) != NULL)
            return true;
    return false;
}

static void run(const struct snapshot *image)
{
    const struct waf_connection connection = {.client_addr = span_str("192.0.2.1")};
    struct waf_engine_options options = {.work_max = 100000};
    struct waf_engine *engine;
    struct err err = ERR_INIT;

    if (waf_engine_new(image, &options, &engine, &err) < 0)
        return;
    struct waf_tx *tx = waf_tx_new(engine);
    waf_tx_start(tx, &connection);
    waf_tx_uri(tx, span_str("GET"), span_str("/a%20b?c=d&e=%3cf%3e"), span_str("HTTP/1.1"));
    waf_tx_request_header(tx, span_str("Cookie"), span_str("a=b; c"));
    (void)waf_tx_request_headers_end(tx);
    (void)waf_tx_request_body_end(tx);
    waf_tx_log(tx);
    waf_tx_free(tx);
    waf_engine_free(engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    struct waf_source source = {.path = "rules", .text = text};
    struct waf_compile_options options = {.no_scan = true};
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(WAF_IMAGE_MAX);
    CLEANUP(snapshot_free_ptr) struct snapshot *image = NULL;
    struct err err = ERR_INIT;

    if (opens_files(text))
        return 0;
    if (waf_compile(&source, 1, &options, &bytes, &err) < 0) {
        INVARIANT(err.code != ERR_NONE && err.msg[0] != '\0');
        return 0;
    }
    INVARIANT(snapshot_from_bytes(&waf_snapshot, buf_span(&bytes), &image, &err) == 0);
    run(image);
    return 0;
}
