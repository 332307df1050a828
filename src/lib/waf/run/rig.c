/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/run/rig.h"

#include "snapshot/snapshot.h"

static void must(int result, const struct err *err)
{
    if (result == 0)
        return;
    fprintf(stderr, "%s\n", err->msg);
    abort();
}

void rig_open(struct rig *rig, const char *rules, bool no_scan,
              const struct waf_engine_options *options)
{
    struct waf_source source = {.path = "rules", .text = rules};
    struct waf_compile_options how = {.no_scan = no_scan};
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(WAF_IMAGE_MAX);
    struct err err = ERR_INIT;

    must(waf_compile(&source, 1, &how, &bytes, &err), &err);
    must(snapshot_from_bytes(&waf_snapshot, buf_span(&bytes), &rig->image, &err), &err);
    must(waf_engine_new(rig->image, options, &rig->engine, &err), &err);
    waf_image_spend(rig->image);
    rig->tx = waf_tx_new(rig->engine);
}

void rig_close(struct rig *rig)
{
    waf_tx_free(rig->tx);
    waf_engine_free(rig->engine);
    snapshot_free(rig->image);
}

const char *rig_refuses(const char *rules)
{
    static struct err err;
    struct waf_source source = {.path = "rules", .text = rules};
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(WAF_IMAGE_MAX);

    err = (struct err)ERR_INIT;
    return waf_compile(&source, 1, NULL, &bytes, &err) < 0 ? err.msg : "";
}

static void put_headers(struct waf_tx *tx, const char *headers)
{
    while (*headers != '\0') {
        size_t len = strcspn(headers, "\n");
        size_t name = strcspn(headers, ":");
        waf_tx_request_header(tx, span_of(headers, name),
                              span_of(headers + name + 2, len - name - 2));
        headers += len + (headers[len] == '\n');
    }
}

const struct waf_verdict *rig_request(struct rig *rig, const char *method, const char *uri,
                                      const char *headers, const char *body)
{
    struct waf_connection connection = {.client_addr = span_str("192.0.2.1"),
                                        .server_addr = span_str("192.0.2.2"),
                                        .client_port = 4711,
                                        .server_port = 443,
                                        .unique_id = span_str("unique")};

    waf_tx_start(rig->tx, &connection);
    waf_tx_uri(rig->tx, span_str(method), span_str(uri), span_str("HTTP/1.1"));
    put_headers(rig->tx, headers);
    if (waf_tx_request_headers_end(rig->tx)->action < WAF_DENY) {
        if (body != NULL)
            (void)waf_tx_request_body(rig->tx, span_str(body));
        (void)waf_tx_request_body_end(rig->tx);
    }
    waf_tx_log(rig->tx);
    return waf_tx_verdict(rig->tx);
}

const struct waf_verdict *rig_get(struct rig *rig, const char *uri)
{
    return rig_request(rig, "GET", uri, "", NULL);
}

const struct waf_hit *rig_find(const struct rig *rig, uint32_t id)
{
    size_t count;
    const struct waf_hit *hits = waf_tx_hits(rig->tx, &count);

    for (size_t i = 0; i < count; i++)
        if (hits[i].rule == id)
            return &hits[i];
    return NULL;
}

bool rig_hit(const struct rig *rig, uint32_t id)
{
    return rig_find(rig, id) != NULL;
}

const char *rig_tx(struct rig *rig, const char *name)
{
    static char text[256];
    struct span value = waf_tx_variable(rig->tx, name);

    snprintf(text, sizeof(text), "%.*s", SPAN_ARG(value));
    return text;
}
