/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a flood a browser works for its first page: it finds a number whose hash with a token of its
 * address begins with WORK_BITS zeros, which takes it a moment, and shows it in a cookie. Nothing
 * is kept here for it: the token is a keyed hash of the address and the time.
 *
 *     token  = HMAC-SHA-256(secret of the workers, address, epoch), in hex
 *     cookie = EPOCH "." NUMBER, with SHA-256(token ":" NUMBER) beginning with zeros
 *
 * Programs are not asked: they have keys, and limits by source.
 */
#include "gateway/module/edge.h"

#include "base/num.h"
#include "crypto/crypto.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

enum {
    WORK_BITS = 14,
    EPOCH_SEC = 600,
    TOKEN_LEN = 64,
    PAGE_MAX = 2048,
    POLICY_MAX = 128,
};

#define COOKIE "__Host-drun-check"
#define PAGE   "/.drun-check"

/* The page of every client has the same script, so its hash may be in the policy. */
static const char script[] =
    "(async()=>{const b=document.body.dataset,e=new TextEncoder();for(let n=0;;n++){const h=new "
    "Uint8Array(await crypto.subtle.digest('SHA-256',e.encode(b.token+':'+n)));if(h[0]===0&&h[1]>>"
    "2===0){document.cookie='" COOKIE "='+b.epoch+'.'+n+';Path=/;Secure;SameSite=Lax;Max-Age=1200';"
    "if(document.cookie.includes('" COOKIE "='))location.reload();else document.querySelector('p')."
    "textContent='This needs cookies.';return}}})()";

static void token_of(const uint8_t address[LIMIT_ADDRESS_LEN], uint64_t epoch,
                     char out[TOKEN_LEN + 1])
{
    uint8_t message[LIMIT_ADDRESS_LEN + sizeof(epoch)];
    uint8_t mac[32];

    memcpy(message, address, LIMIT_ADDRESS_LEN);
    memcpy(message + LIMIT_ADDRESS_LEN, &epoch, sizeof(epoch));
    crypto_hmac_sha256(span_of(limit_sources_secret(edge_sources()), LIMIT_SECRET_LEN),
                       span_of(message, sizeof(message)), mac);
    *ngx_hex_dump((u_char *)out, mac, sizeof(mac)) = '\0';
}

static bool is_work(const char *token, uint64_t number)
{
    char text[TOKEN_LEN + 32];
    uint8_t hash[32];

    snprintf(text, sizeof(text), "%s:%" PRIu64, token, number);
    crypto_sha256(span_str(text), hash);
    return hash[0] == 0 && hash[1] >> (16 - WORK_BITS) == 0;
}

/* ------------------------------------------------------------------ the cookie */

/* The value of our cookie; empty when there is none. */
static struct span cookie_of(const ngx_http_request_t *r)
{
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *fields = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            const ngx_str_t *value = &fields[i].value;
            if (fields[i].key.len != 6 ||
                ngx_strncasecmp(fields[i].key.data, (u_char *)(uintptr_t) "Cookie", 6) != 0)
                continue;
            u_char *at = ngx_strlcasestrn(value->data, value->data + value->len,
                                          (u_char *)(uintptr_t)(COOKIE "="), sizeof(COOKIE) - 1);
            if (at == NULL)
                continue;
            at += sizeof(COOKIE);
            u_char *end = ngx_strlchr(at, value->data + value->len, ';');
            return span_of(at, (size_t)((end == NULL ? value->data + value->len : end) - at));
        }
    }
    return span_of("", 0);
}

static bool has_worked(const ngx_http_request_t *r, const uint8_t address[LIMIT_ADDRESS_LEN])
{
    struct span cookie = cookie_of(r);
    const uint8_t *dot = cookie.len == 0 ? NULL : memchr(cookie.p, '.', cookie.len);
    uint64_t now = (uint64_t)ngx_time() / EPOCH_SEC;
    struct err ignored = ERR_INIT;
    char token[TOKEN_LEN + 1];
    uint64_t epoch;
    uint64_t number;

    if (dot == NULL)
        return false;
    size_t len = (size_t)(dot - cookie.p);
    if (num_parse_u64(span_of(cookie.p, len), 0, UINT64_C(1) << 48, "epoch", &epoch, &ignored) <
            0 ||
        num_parse_u64(span_of(dot + 1, cookie.len - len - 1), 0, UINT64_C(1) << 48, "number",
                      &number, &ignored) < 0 ||
        epoch > now || epoch + 1 < now)
        return false;
    token_of(address, epoch, token);
    return is_work(token, number);
}

/* ------------------------------------------------------------------ asking for it */

/* What a person waits for, and not what a page fetches. */
static bool is_navigation(const ngx_http_request_t *r)
{
    const ngx_table_elt_t *accept = gw_header_in(r, "Accept");

    return r->method == NGX_HTTP_GET && r->headers_in.authorization == NULL && accept != NULL &&
           ngx_strlcasestrn(accept->value.data, accept->value.data + accept->value.len,
                            (u_char *)(uintptr_t) "text/html", sizeof("text/html") - 2) != NULL;
}

bool edge_challenge_passed(const ngx_http_request_t *r, const uint8_t address[LIMIT_ADDRESS_LEN])
{
    return has_worked(r, address);
}

ngx_int_t edge_challenge(ngx_http_request_t *r)
{
    ngx_str_t page = ngx_string(PAGE);

    if (!is_navigation(r))
        return NGX_DECLINED;
    (void)ngx_http_internal_redirect(r, &page, NULL);
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

/* "default-src 'none'; script-src 'sha256-...'; ..." */
static ngx_str_t policy_of(void)
{
    static u_char text[POLICY_MAX];
    static ngx_str_t policy = {0, text};
    uint8_t hash[32];
    u_char room[64];
    ngx_str_t coded = {0, room};
    ngx_str_t plain = {sizeof(hash), hash};

    if (policy.len > 0)
        return policy;
    crypto_sha256(span_str(script), hash);
    ngx_encode_base64(&coded, &plain);
    policy.len = (size_t)snprintf((char *)text, sizeof(text),
                                  "default-src 'none'; script-src 'sha256-%.*s'; frame-ancestors "
                                  "'none'",
                                  (int)coded.len, (const char *)coded.data);
    return policy;
}

ngx_int_t edge_challenge_page(ngx_http_request_t *r)
{
    static uint8_t room[PAGE_MAX + 1]; /* one answer at a time; copied before this returns */
    struct buf body = {.data = room, .cap = sizeof(room), .max = PAGE_MAX};
    uint8_t address[LIMIT_ADDRESS_LEN];
    char token[TOKEN_LEN + 1];
    uint64_t epoch = (uint64_t)ngx_time() / EPOCH_SEC;

    if (edge_sources() == NULL || !edge_address(r, address))
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK)
        return rc;
    token_of(address, epoch, token);
    buf_printf(&body,
               "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>One moment</title>"
               "<body data-token=\"%s\" data-epoch=\"%" PRIu64
               "\"><p>One moment: very much comes in "
               "just now, and your browser shows that it is one.</p><noscript>This needs "
               "JavaScript.</noscript><script>%s</script></body></html>\n",
               token, epoch, script);
    if (gw_header_add(r, "Content-Security-Policy", policy_of()) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return gw_reply(r, NGX_HTTP_SERVICE_UNAVAILABLE, "text/html; charset=utf-8", buf_span(&body));
}
