/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_ROLES_AUDIT_API_INTERNAL_H
#define DRUN_ROLES_AUDIT_API_INTERNAL_H

#include "api.h"

#include <sys/queue.h>

enum {
    API_LIMIT = 500,
    API_LIMIT_MAX = 1000,
    API_SCAN_MAX = 5000,       /* records that one request opens: the role has other things to do */
    API_WATCH_SCAN_MAX = 2000, /* what a slow client may have to be kept for it */
    API_WATCHES_MAX = 64,
};

/* The filters of a request with the texts that they point to. */
struct api_filter {
    struct audit_query query;
    uint64_t limit;
};

struct api_watch {
    struct audit_api *api;
    struct http_stream *stream;
    char *texts[4];
    struct api_filter filter;
    uint64_t next;
    LIST_ENTRY(api_watch) entry;
};

struct audit_api {
    struct audit_api_config config;
    LIST_HEAD(, api_watch) watches;
    size_t watch_count;
};

/* 0, or -1 when an argument is bad. Its texts are the request's. */
int api_read_filter(const struct http_request *request, const char *namespace,
                    struct api_filter *out, struct err *err) MUST_USE;
/* {"apiVersion":...,"kind":"AuditEvent",...} without its end, so that more may follow. */
void api_put_event(const struct audit_found *found, struct buf *out);
void api_put_base64(struct span bytes, struct buf *out);
void api_fail(struct http_answer *answer, const struct err *err);
void api_json(struct http_answer *answer);

void api_list(struct audit_api *api, const struct api_filter *filter, struct http_answer *answer);
void api_get(struct audit_api *api, const char *name, struct http_answer *answer);
void api_consistency(struct audit_api *api, const struct http_request *request,
                     struct http_answer *answer);
void api_start_watch(struct audit_api *api, const struct api_filter *filter,
                     struct http_answer *answer);

#endif
