/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/page.h"

#include "base/enc.h"
#include "crypto/crypto.h"
#include "idp/oauth/oauth.h"

#define LIGHT                                                                                      \
    "color-scheme:light;--canvas:#f6f5f2;--surface:#fff;--sunken:#f1f0ec;--rule:#e5e3dd;"          \
    "--line:#cfccc4;--ink:#16181d;--ink2:#4c5058;--ink3:#656973;--accent:#2c3fb5;"                 \
    "--hover:#22329a;--on:#fff;--warn:#8a5200;--soft:#fcf1dc;--edge:#efd6a4;"                      \
    "--shadow:0 8px 24px rgb(22 24 29/12%),0 1px 3px rgb(22 24 29/8%)"
#define DARK                                                                                       \
    "color-scheme:dark;--canvas:#0e0f12;--surface:#15171b;--sunken:#101215;--rule:#25282e;"        \
    "--line:#363a43;--ink:#edeef0;--ink2:#b3b7c0;--ink3:#9297a2;--accent:#a3b1ff;"                 \
    "--hover:#bcc7ff;--on:#10132b;--warn:#efb450;--soft:#2c2110;--edge:#54401b;"                   \
    "--shadow:0 12px 32px rgb(0 0 0/55%),0 0 0 1px rgb(255 255 255/4%)"

/* As the console's own pages before the sign-in (console/src/pages/login). */
static const char style[] =
    ":root{" LIGHT "}"
    "@media(prefers-color-scheme:dark){:root{" DARK "}}"
    ":root[data-theme=light]{" LIGHT "}:root[data-theme=dark]{" DARK "}"
    "*{box-sizing:border-box}"
    "body{display:flex;flex-direction:column;min-height:100vh;min-height:100dvh;margin:0;"
    "background:var(--canvas) radial-gradient(circle,transparent 279px,var(--rule) 280px "
    "281px,transparent 282px 369px,var(--rule) 370px 371px,transparent 372px 479px,"
    "var(--rule) 480px 481px,transparent 482px)fixed;color:var(--ink);"
    "font:.875rem/1.5 system-ui,-apple-system,'Segoe UI','PingFang SC','Noto Sans SC',"
    "'Noto Sans CJK SC','Microsoft YaHei',sans-serif;-webkit-font-smoothing:antialiased}"
    "header,footer{padding:24px 32px}header{line-height:0}"
    "footer{color:var(--ink3);font-size:.75rem;text-align:center}"
    "main{display:flex;flex-direction:column;gap:16px;width:min(400px,calc(100% - 32px));"
    "margin:auto;padding:32px;border:1px solid var(--rule);border-radius:12px;"
    "background:var(--surface);box-shadow:var(--shadow);overflow-wrap:anywhere}"
    "h1{margin:0;font-size:1.375rem;font-weight:600;line-height:1.25;letter-spacing:-.015em}"
    "p,ul{margin:0}ul{padding-left:20px}li{margin:4px 0}a{color:var(--accent)}"
    "strong{font-weight:600}.muted{color:var(--ink3);font-size:.8125rem}"
    ".who{padding:8px 12px;border:1px solid var(--rule);border-radius:8px;"
    "background:var(--sunken);font-size:.8125rem}"
    ".warn{padding:10px 12px;border:1px solid var(--edge);border-radius:8px;"
    "background:var(--soft);font-size:.8125rem}"
    ".code{padding:12px;border:1px solid var(--rule);border-radius:8px;background:var(--sunken);"
    "font:600 1.5rem/1.4 ui-monospace,'SF Mono',Menlo,Consolas,monospace;letter-spacing:.12em;"
    "text-align:center}"
    "form{display:grid;grid-auto-flow:column;grid-auto-columns:1fr;gap:8px}"
    "form.stack{grid-auto-flow:row;gap:6px}form.stack button{margin-top:10px}"
    "label{font-size:.8125rem;font-weight:550}"
    "input,button,a.button{height:40px;padding:0 12px;border:1px solid var(--line);"
    "border-radius:6px;background:var(--surface);color:inherit;font:inherit}"
    "#code{height:46px;font:1.25rem ui-monospace,'SF Mono',Menlo,Consolas,monospace;"
    "letter-spacing:.2em;text-transform:uppercase}"
    "button,a.button{display:grid;place-items:center;font-weight:550;text-decoration:none;"
    "cursor:pointer}"
    "button:hover,a.button:hover{background:var(--sunken)}"
    "button.primary,a.primary{border-color:transparent;background:var(--accent);color:var(--on)}"
    "button.primary:hover,a.primary:hover{background:var(--hover)}"
    ":focus-visible{outline:2px solid var(--accent);outline-offset:2px}"
    "code{font:.8125rem ui-monospace,'SF Mono',Menlo,Consolas,monospace}"
    "svg{stroke:currentColor;stroke-width:3;fill:none}.ring{stroke:var(--accent)}";

/* The console's word mark (console/src/ui/Logo.tsx). */
static const char logo[] =
    "<svg height=\"24\" viewBox=\"0 0 66 24\" role=\"img\" aria-label=\"drun\">"
    "<path d=\"M15.5 1.5V23\"/><circle class=\"ring\" cx=\"9.5\" cy=\"15.5\" r=\"6\" "
    "pathLength=\"99\" stroke-dasharray=\"28 5\" stroke-dashoffset=\"14\"/>"
    "<path d=\"M23 23V14a5 5 0 0 1 5-5h2.5\"/>"
    "<path d=\"M36.5 8v8.5a5 5 0 0 0 10 0V8M46.5 8v15\"/>"
    "<path d=\"M53.5 23V8M53.5 14.5a5 5 0 0 1 10 0V23\"/></svg>";

/* What the console keeps of a reader's choices, or "" (console/src/lib/choice.ts). */
static void get_choice(const struct serve_request *request, const char *name, char out[16])
{
    const char *header = http_request_header(request->http, "Cookie");
    struct span value = oauth_cookie_find(span_str(header == NULL ? "" : header), name);

    snprintf(out, 16, "%.*s", value.len < 16 ? (int)value.len : 0,
             value.p == NULL ? "" : (const char *)value.p);
}

static enum page_language language_of(const struct serve_request *request)
{
    char chosen[16];

    get_choice(request, "drun-language", chosen);
    return page_language_of(chosen, http_request_header(request->http, "Accept-Language"));
}

const char *page_says(const struct serve_request *request, enum page_says what)
{
    return page_word(language_of(request), what);
}

void page_say(struct serve_request *request, enum page_says what)
{
    page_put(&request->answer->body, page_says(request, what));
}

bool page_is_wanted(const struct serve_request *request)
{
    const char *accept = http_request_header(request->http, "Accept");

    return accept != NULL && strstr(accept, "text/html") != NULL;
}

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

/* Only values that we know go into an attribute. */
static const char *theme_attribute(const struct serve_request *request)
{
    char theme[16];

    get_choice(request, "drun-theme", theme);
    if (strcmp(theme, "dark") == 0)
        return " data-theme=\"dark\"";
    return strcmp(theme, "light") == 0 ? " data-theme=\"light\"" : "";
}

void page_begin(struct serve_request *request, const char *title)
{
    static const char *const names[] = {[PAGE_ENGLISH] = "en", [PAGE_CHINESE] = "zh-CN"};
    struct buf *body = &request->answer->body;

    buf_printf(body,
               "<!doctype html><html lang=\"%s\"%s><head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>",
               names[language_of(request)], theme_attribute(request));
    page_put(body, title);
    buf_put_str(body, " \xc2\xb7 drun</title><style>");
    buf_put_str(body, style);
    buf_put_str(body, "</style></head><body><header>");
    buf_put_str(body, logo);
    buf_put_str(body, "</header><main><h1>");
    page_put(body, title);
    buf_put_str(body, "</h1>");
}

void page_put_button(struct serve_request *request, const char *decision, enum page_says what)
{
    struct buf *body = &request->answer->body;
    bool primary = decision == NULL || strcmp(decision, "allow") == 0;

    buf_printf(body, "<button%s", primary ? " class=\"primary\"" : "");
    if (decision != NULL)
        buf_printf(body, " name=\"decision\" value=\"%s\"", decision);
    buf_put_u8(body, '>');
    page_say(request, what);
    buf_put_str(body, "</button>");
}

void page_fail(struct serve_request *request, unsigned status, const char *why)
{
    struct buf *body = &request->answer->body;

    request->event.reason = serve_keep(request, why);
    page_begin(request, page_says(request, SAYS_FAILED));
    buf_put_str(body, "<p>");
    page_say(request, SAYS_FAILED_HELP);
    buf_put_str(body, "</p><p class=\"who\" role=\"alert\">");
    page_put(body, why);
    buf_put_str(body, "</p><a class=\"button\" href=\"/\">");
    page_say(request, SAYS_BACK);
    buf_put_str(body, "</a>");
    page_finish(request, &(struct page_end){.status = status});
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

    buf_put_str(&request->answer->body, "</main><footer>");
    page_say(request, SAYS_FOOTER);
    buf_put_str(&request->answer->body, "</footer>");
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
    http_answer_header(request->answer, "Vary", "Accept-Language, Cookie");
    /* With no-referrer browsers would send the Origin "null" with a form, and we refuse that. */
    http_answer_header(request->answer, "Referrer-Policy", "same-origin");
    serve_answer(request, end->status, "text/html; charset=utf-8");
}
