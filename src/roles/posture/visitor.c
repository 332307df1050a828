/* SPDX-License-Identifier: Apache-2.0 */
#include "visitor.h"

#include "base/mem.h"
#include "codec/json.h"

#include <stdlib.h>
#include <strings.h>

void visitor_free(struct visitor *visitor)
{
    for (size_t i = 0; i < visitor->count; i++) {
        mem_wipe(visitor->cookies[i], strlen(visitor->cookies[i]));
        free(visitor->cookies[i]);
    }
    free(visitor->location);
    *visitor = (struct visitor){0};
}

void visitor_copy(const struct visitor *from, struct visitor *to)
{
    *to = (struct visitor){.front = from->front, .count = from->count};
    for (size_t i = 0; i < from->count; i++)
        to->cookies[i] = mem_strdup(from->cookies[i]);
}

static void take_out(struct visitor *visitor, const char *pair)
{
    size_t len = strcspn(pair, "=") + 1;

    for (size_t i = 0; i < visitor->count; i++) {
        if (strncmp(visitor->cookies[i], pair, len) != 0)
            continue;
        free(visitor->cookies[i]);
        visitor->cookies[i] = visitor->cookies[--visitor->count];
        return;
    }
}

/* "name=value; Path=/; …": an empty value is how a cookie is taken away. */
static void keep(struct visitor *visitor, const char *header)
{
    CLEANUP_FREE char *pair = mem_strndup(header, strcspn(header, ";"));

    take_out(visitor, pair);
    if (pair[0] == '\0' || pair[strlen(pair) - 1] == '=' || visitor->count == VISITOR_COOKIES_MAX)
        return;
    visitor->cookies[visitor->count++] = pair;
    pair = NULL;
}

static void keep_cookies(struct visitor *visitor, const char *headers)
{
    static const char name[] = "set-cookie:";

    while (headers != NULL && *headers != '\0') {
        if (strncasecmp(headers, name, strlen(name)) == 0) {
            const char *value = headers + strlen(name);
            CLEANUP_FREE char *line = mem_strndup(value + strspn(value, " \t"),
                                                  strcspn(value + strspn(value, " \t"), "\r\n"));
            keep(visitor, line);
        }
        headers = strchr(headers, '\n');
        headers = headers == NULL ? NULL : headers + 1;
    }
}

static char *cookie_header(const struct visitor *visitor)
{
    struct buf text = BUF_INIT(4096);

    for (size_t i = 0; i < visitor->count; i++)
        buf_printf(&text, "%s%s", i == 0 ? "Cookie: " : "; ", visitor->cookies[i]);
    return buf_take(&text);
}

unsigned visitor_call(struct proof *proof, struct visitor *visitor, const char *method,
                      const char *path, const json_t *body, json_t **out)
{
    CLEANUP_FREE char *cookies = cookie_header(visitor);
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;
    unsigned status = 0;

    free(visitor->location);
    visitor->location = NULL;
    if (front_visit(visitor->front, method, path, "", visitor->count > 0 ? cookies : NULL, body,
                    &status, &answer, &err) < 0) {
        proof_broken(proof, &err);
        status = 0;
    } else {
        keep_cookies(visitor, front_headers(visitor->front));
        visitor->location = front_header(visitor->front, "Location");
    }
    if (cookies != NULL)
        mem_wipe(cookies, strlen(cookies));
    if (out != NULL)
        *out = json_incref(answer);
    return status;
}
