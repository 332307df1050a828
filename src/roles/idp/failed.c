/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What could not be stored was not done: the batch is undone, and each of its answers says so in
 * the words of its protocol. Why is in the log; it names files, which are nobody's business here.
 */
#include "idp/idp_internal.h"

#include "idp/page.h"

static bool is_below(const char *path, const char *folder)
{
    return strncmp(path, folder, strlen(folder)) == 0;
}

static bool is_page(const char *path)
{
    return strcmp(path, "/oauth2/authorize") == 0 || strcmp(path, "/oauth2/consent") == 0 ||
           strcmp(path, "/oauth2/logout") == 0 || strcmp(path, "/oauth2/device") == 0 ||
           strcmp(path, "/device") == 0;
}

/* RFC 7644 section 3.12. */
static void reply_scim(struct serve_request *request)
{
    buf_put_str(&request->answer->body,
                "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],"
                "\"status\":\"503\",\"detail\":\"" REPLY_UNDONE "\"}");
    serve_answer(request, 503, "application/scim+json");
}

bool idp_failed(void *ctx UNUSED, struct serve_request *request, const struct err *err UNUSED)
{
    const char *path = request->http->path;

    if (request->answer->instead != NULL) {
        reply_redirect(request, request->answer->instead);
        return true;
    }
    reply_retry_after(request, 1);
    if (is_page(path))
        page_fail(request, 503, REPLY_UNDONE);
    else if (is_below(path, "/oauth2/"))
        reply_oauth(request, 503, "temporarily_unavailable", REPLY_UNDONE);
    else if (strcmp(path, "/session") == 0 || is_below(path, "/session/"))
        reply_problem(request, 503, "%s", REPLY_UNDONE);
    else if (is_below(path, "/scim/"))
        reply_scim(request);
    else
        return false;
    return true;
}
