/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/page.h"

#include "base/enc.h"
#include "crypto/crypto.h"

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:10vh auto;padding:0 1.5rem}"
    "h1{font-size:1.5rem}li{margin:.25rem 0}form{display:flex;gap:.75rem;flex-wrap:wrap}"
    "input,button{font:inherit;padding:.6rem 1.2rem;border-radius:.4rem;border:1px solid #767676}"
    "button[value=allow],button:only-of-type{background:#1d4ed8;color:#fff;border-color:#1d4ed8}"
    "button:focus-visible,input:focus-visible{outline:3px solid #60a5fa;outline-offset:2px}"
    "code{font-size:1.25em;letter-spacing:.08em}";

void page_put(struct buf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        switch (*at) {
        case '&': buf_put_str(out, "&amp;"); break;
        case '<': buf_put_str(out, "&lt;"); break;
        case '>': buf_put_str(out, "&gt;"); break;
        case '"': buf_put_str(out, "&quot;"); break;
        case '\'': buf_put_str(out, "&#39;"); break;
        default: buf_put_u8(out, (uint8_t)*at);
        }
}

void page_begin(struct serve_request *request, const char *title)
{
    struct buf *body = &request->answer->body;

    buf_put_str(body, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                      "<title>");
    page_put(body, title);
    buf_printf(body, "</title><style>%s</style></head><body><main><h1>", style);
    page_put(body, title);
    buf_put_str(body, "</h1>");
}

static void put_hash(struct buf *out, const char *name, const char *text)
{
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_sha256(span_str(text), hash);
    buf_printf(out, "; %s 'sha256-", name);
    enc_base64_put(ENC_BASE64, span_of(hash, sizeof(hash)), out);
    buf_put_u8(out, '\'');
}

void page_finish(struct serve_request *request, const struct page_end *end)
{
    CLEANUP(buf_free) struct buf policy = BUF_INIT(16 * 1024);

    buf_put_str(&request->answer->body, "</main>");
    buf_put_str(&policy, "default-src 'none'; base-uri 'none'");
    put_hash(&policy, "style-src", style);
    if (end->script != NULL) {
        put_hash(&policy, "script-src", end->script);
        buf_printf(&request->answer->body, "<script>%s</script>", end->script);
    }
    buf_printf(&policy, "; form-action 'self' %s", end->form_to == NULL ? "" : end->form_to);
    if (end->frames_of != NULL)
        buf_printf(&policy, "; frame-src %s", end->frames_of);
    if (!end->framed) {
        buf_put_str(&policy, "; frame-ancestors 'none'");
        http_answer_header(request->answer, "X-Frame-Options", "DENY");
    }
    buf_put_str(&request->answer->body, "</body></html>\n");
    http_answer_header(request->answer, "Content-Security-Policy", buf_text(&policy));
    http_answer_header(request->answer, "Cache-Control", "no-store");
    http_answer_header(request->answer, "Referrer-Policy", "no-referrer");
    serve_answer(request, end->status, "text/html; charset=utf-8");
}
