/* SPDX-License-Identifier: Apache-2.0 */
/* OpenID Connect Session Management: a frame by which applications notice in the browser that its
 * user has signed out. The cookie that its script reads names the session and opens nothing. */
#include "idp/idp_internal.h"

#include "base/enc.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "idp/oauth/oauth.h"
#include "idp/page.h"

#define STATE_COOKIE "__Host-drun-state"

void frame_set_cookie(struct serve_request *request, const char *session_id)
{
    CLEANUP_FREE char *cookie = mem_printf(STATE_COOKIE "=%s; Path=/; Secure; SameSite=None%s",
                                           session_id, session_id[0] == '\0' ? "; Max-Age=0" : "");

    http_answer_header(request->answer, "Set-Cookie", cookie);
}

int frame_session_state(struct serve_request *request, const char *client, const char *redirect,
                        const char *session_id, struct buf *out, struct err *err)
{
    CLEANUP(buf_free) struct buf input = BUF_INIT(4096);
    uint8_t random[12];
    char salt[2 * sizeof(random) + 1];
    uint8_t hash[CRYPTO_HASH_LEN];

    TRY(crypto_random(random, sizeof(random), err));
    enc_hex(span_of(random, sizeof(random)), salt);
    buf_printf(&input, "%s %.*s %s %s", client, (int)oauth_origin_len(redirect), redirect,
               session_id, salt);
    TRY(buf_check(&input, "the session state", err));
    crypto_sha256(buf_span(&input), hash);
    enc_hex_put(span_of(hash, sizeof(hash)), out);
    buf_printf(out, ".%s", salt);
    frame_set_cookie(request, session_id);
    return 0;
}

void oidc_frame(struct idp *idp UNUSED, struct serve_request *request)
{
    static const char script[] =
        "addEventListener('message',async e=>{"
        "const m=String(e.data).split(' '),s=(m[1]||'').split('.');"
        "let r='error';"
        "if(m.length===2&&s.length===2&&e.source){"
        "const c=document.cookie.match(/(?:^|; )" STATE_COOKIE "=([^;]*)/);"
        "const t=[m[0],e.origin,c?c[1]:'',s[1]].join(' ');"
        "const h=await crypto.subtle.digest('SHA-256',new TextEncoder().encode(t));"
        "const x=[...new Uint8Array(h)].map(b=>b.toString(16).padStart(2,'0')).join('');"
        "r=x===s[0]?'unchanged':'changed'}"
        "if(e.source)e.source.postMessage(r,e.origin)})";

    request->event.event = span_str("");
    page_begin(request, "Session");
    page_finish(request, &(struct page_end){.status = 200, .script = script, .framed = true});
}
