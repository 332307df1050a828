/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"
#include "scim/scim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    CLEANUP_JSON json_t *user =
        json_pack("{s:s, s:b, s:{s:s}, s:[{s:s, s:s}]}", "userName", "alice", "active", 1, "name",
                  "givenName", "A", "emails", "value", "a@b", "type", "work");
    const struct scim_filter *filter;
    struct scim_path path;
    const char *type;
    struct err err = ERR_INIT;

    if (scim_filter_parse(&scim_user, span_of(data, size), arena, &filter, &err) == 0) {
        (void)scim_filter_matches(filter, user);
        (void)scim_filter_demands(filter, "userName");
    }
    if (scim_path_parse(&scim_user, span_of(data, size), arena, &path, &type, &err) == 0 &&
        path.attribute != NULL)
        (void)scim_compare(&path, user, user);
    return 0;
}
