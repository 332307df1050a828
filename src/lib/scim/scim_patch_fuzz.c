/* SPDX-License-Identifier: Apache-2.0 */
/* A body of a write, of a PATCH, and a list of attributes. */
#include "codec/json.h"
#include "scim/scim.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_JSON json_t *user =
        json_pack("{s:s, s:b, s:{s:s}, s:[{s:s, s:s}]}", "userName", "alice", "active", 1, "name",
                  "givenName", "A", "emails", "value", "a@b", "type", "work");
    CLEANUP_JSON json_t *before = json_deep_copy(user);
    CLEANUP_JSON json_t *body = NULL;
    CLEANUP_JSON json_t *read = NULL;
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    const char *type;
    struct err err = ERR_INIT;

    if (codec_json_parse(span_of(data, size), "fuzz", &body, &err) < 0)
        return 0;
    (void)!scim_read(&scim_user, body, &read, &type, &err);
    if (scim_patch(&scim_user, user, body, &type, &err) < 0)
        INVARIANT(json_equal(user, before));
    if (json_is_string(body))
        (void)!scim_project(&scim_user, user, json_string_value(body), "", arena, &err);
    return 0;
}
