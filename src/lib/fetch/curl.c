/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/curl.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static const struct symbol {
    const char *name;
    size_t offset;
} symbols[] = {
    {"curl_easy_init", offsetof(struct curl_api, easy_init)},
    {"curl_easy_cleanup", offsetof(struct curl_api, easy_cleanup)},
    {"curl_easy_reset", offsetof(struct curl_api, easy_reset)},
    {"curl_easy_setopt", offsetof(struct curl_api, easy_setopt)},
    {"curl_easy_getinfo", offsetof(struct curl_api, easy_getinfo)},
    {"curl_easy_perform", offsetof(struct curl_api, easy_perform)},
    {"curl_easy_strerror", offsetof(struct curl_api, easy_strerror)},
    {"curl_slist_append", offsetof(struct curl_api, slist_append)},
    {"curl_slist_free_all", offsetof(struct curl_api, slist_free_all)},
};

int curl_api_load(const struct curl_api **out, struct err *err)
{
    static struct curl_api api;
    static bool loaded;

    *out = &api;
    if (loaded)
        return 0;
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return err_set(err, ERR_UNSUPPORTED, "libcurl is not installed (package libcurl4): %s",
                       dlerror());
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *found = dlsym(library, symbols[i].name);
        if (found == NULL)
            return err_set(err, ERR_UNSUPPORTED, "libcurl has no %s", symbols[i].name);
        memcpy((uint8_t *)&api + symbols[i].offset, &found, sizeof(found));
    }
    loaded = true;
    return 0;
}
