/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's functions, found in the shared library at run time. */
#ifndef DRUN_FETCH_CURL_H
#define DRUN_FETCH_CURL_H

#include "base/err.h"

#include <curl/curl.h>

struct curl_api {
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *curl);
    void (*easy_reset)(CURL *curl);
    CURLcode (*easy_setopt)(CURL *curl, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *curl, CURLINFO info, ...);
    CURLcode (*easy_perform)(CURL *curl);
    const char *(*easy_strerror)(CURLcode code);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
};

/* ERR_UNSUPPORTED when the library is not installed. */
int curl_api_load(const struct curl_api **out, struct err *err) MUST_USE;

#endif
