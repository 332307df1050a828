/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/factors.h"

#include "base/mem.h"
#include "idp/oauth/oauth.h"

void cookie_put(struct serve_request *request, const char *name, const char *value, int64_t seconds)
{
    CLEANUP_FREE char *cookie =
        mem_printf("%s=%s; Path=/; Max-Age=%lld; HttpOnly; Secure; SameSite=Lax", name, value,
                   (long long)seconds);

    http_answer_header(request->answer, "Set-Cookie", cookie);
    mem_wipe(cookie, strlen(cookie));
}

void cookie_drop(struct serve_request *request, const char *name)
{
    cookie_put(request, name, "", 0);
}

bool cookie_get(const struct serve_request *request, const char *name, char out[IDP_SECRET_SIZE])
{
    const char *header = http_request_header(request->http, "Cookie");
    struct span cookie = oauth_cookie_find(span_str(header == NULL ? "" : header), name);

    if (cookie.p == NULL || cookie.len != IDP_SECRET_SIZE - 1)
        return false;
    snprintf(out, IDP_SECRET_SIZE, "%.*s", SPAN_ARG(cookie));
    return true;
}
