/* SPDX-License-Identifier: Apache-2.0 */
/* detectSQLi, detectXSS: libinjection, as it is inside libmodsecurity; and geoLookup. */
#include "waf/operator/operator_internal.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <maxminddb.h>

enum { FINGERPRINT = 8 };

/* libinjection.h is not installed with libmodsecurity. */
int libinjection_sqli(const char *text, size_t len, char fingerprint[FINGERPRINT]);
int libinjection_xss(const char *text, size_t len);

bool op_detect_sqli(const struct op_call *call, struct waf_op_found *found)
{
    char fingerprint[FINGERPRINT] = "";

    if (libinjection_sqli((const char *)call->value.p, call->value.len, fingerprint) == 0)
        return false;
    size_t len = strnlen(fingerprint, sizeof(fingerprint));
    found->capture = span_of(arena_copy(call->run->arena, span_of(fingerprint, len)), len);
    return true;
}

bool op_detect_xss(const struct op_call *call, struct waf_op_found *found)
{
    found->capture = call->value;
    /* Tags, comments and types of documents begin with <, and an attribute has a value behind =. */
    if (call->value.len == 0 || (memchr(call->value.p, '<', call->value.len) == NULL &&
                                 memchr(call->value.p, '=', call->value.len) == NULL))
        return false;
    return libinjection_xss((const char *)call->value.p, call->value.len) != 0;
}

/* ------------------------------------------------------------------ geoLookup */

struct waf_geo {
    MMDB_s database;
};

int waf_geo_open(const char *path, struct waf_geo **out, struct err *err)
{
    struct waf_geo *geo = mem_new(sizeof(*geo));
    int status = MMDB_open(path, MMDB_MODE_MMAP, &geo->database);

    *out = NULL;
    if (status != MMDB_SUCCESS) {
        free(geo);
        return err_set(err, ERR_INVALID, "%s cannot be used as a MaxMind database: %s", path,
                       MMDB_strerror(status));
    }
    *out = geo;
    return 0;
}

void waf_geo_free(struct waf_geo *geo)
{
    if (geo == NULL)
        return;
    MMDB_close(&geo->database);
    free(geo);
}

void waf_geo_free_ptr(struct waf_geo **geo)
{
    waf_geo_free(*geo);
}

enum { GEO_PATH = 4 };
static const struct {
    const char *name;
    const char *path[GEO_PATH];
} FIELDS[WAF_GEO_COUNT] = {
    [WAF_GEO_COUNTRY_CODE] = {"COUNTRY_CODE", {"country", "iso_code"}},
    [WAF_GEO_COUNTRY_NAME] = {"COUNTRY_NAME", {"country", "names", "en"}},
    [WAF_GEO_COUNTRY_CONTINENT] = {"COUNTRY_CONTINENT", {"continent", "names", "en"}},
    [WAF_GEO_CITY] = {"CITY", {"city", "names", "en"}},
    [WAF_GEO_POSTAL_CODE] = {"POSTAL_CODE", {"postal", "code"}},
    [WAF_GEO_LATITUDE] = {"LATITUDE", {"location", "latitude"}},
    [WAF_GEO_LONGITUDE] = {"LONGITUDE", {"location", "longitude"}},
};

const char *waf_geo_field_name(enum waf_geo_field field)
{
    INVARIANT(field < WAF_GEO_COUNT);
    return FIELDS[field].name;
}

static bool parse_address(struct span text, struct sockaddr_storage *out)
{
    char buffer[INET6_ADDRSTRLEN];
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    if (text.len >= sizeof(buffer))
        return false;
    memcpy(buffer, text.p, text.len);
    buffer[text.len] = '\0';
    *out = (struct sockaddr_storage){.ss_family = AF_INET};
    if (inet_pton(AF_INET, buffer, &v4->sin_addr) == 1)
        return true;
    out->ss_family = AF_INET6;
    return inet_pton(AF_INET6, buffer, &v6->sin6_addr) == 1;
}

static struct span field_text(const MMDB_entry_data_s *data, struct arena *arena)
{
    if (data->has_data && data->type == MMDB_DATA_TYPE_UTF8_STRING)
        return span_of(data->utf8_string, data->data_size);
    if (!data->has_data || data->type != MMDB_DATA_TYPE_DOUBLE)
        return span_of(NULL, 0);
    const char *text = arena_printf(arena, "%f", data->double_value);
    return text == NULL ? span_of(NULL, 0) : span_str(text);
}

bool op_geo_lookup(const struct op_call *call, struct waf_op_found *found)
{
    struct sockaddr_storage address;
    int error = MMDB_SUCCESS;

    (void)found;
    if (call->run->geo == NULL || call->value.len == 0 || !parse_address(call->value, &address))
        return false;
    MMDB_lookup_result_s result =
        MMDB_lookup_sockaddr(&call->run->geo->database, (const struct sockaddr *)&address, &error);
    if (error != MMDB_SUCCESS || !result.found_entry)
        return false;
    for (size_t i = 0; i < WAF_GEO_COUNT; i++) {
        MMDB_entry_data_s data = {.has_data = false};
        if (MMDB_aget_value(&result.entry, &data, FIELDS[i].path) != MMDB_SUCCESS)
            data.has_data = false;
        call->run->geo_record[i] = field_text(&data, call->run->arena);
    }
    return true;
}
