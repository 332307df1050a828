/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"
#include "scim/scim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ENTERPRISE "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

static json_t *json_of(const char *text)
{
    json_t *json = NULL;
    struct err err = ERR_INIT;

    if (codec_json_parse(span_str(text), "test", &json, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return json;
}

struct change {
    const char *before, *operations, *after; /* after: NULL when it is refused with */
    const char *type;
};

static json_t *message_of(const char *operations)
{
    return json_pack("{s:[s], s:o}", "schemas", "urn:ietf:params:scim:api:messages:2.0:PatchOp",
                     "Operations", json_of(operations));
}

static void check(const struct scim_resource *resource, const struct change *change)
{
    CLEANUP_JSON json_t *target = json_of(change->before);
    CLEANUP_JSON json_t *wanted = json_of(change->after != NULL ? change->after : change->before);
    CLEANUP_JSON json_t *message = message_of(change->operations);
    const char *type = NULL;
    struct err err = ERR_INIT;

    int result = scim_patch(resource, target, message, &type, &err);
    if ((result == 0) != (change->after != NULL))
        fail_msg("%s on %s: %s", change->operations, change->before,
                 result == 0 ? "was taken" : err.msg);
    if (change->after == NULL)
        assert_string_equal(type, change->type);
    if (!json_equal(target, wanted)) {
        CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 16);
        codec_json_put(target, &text);
        fail_msg("%s on %s gives %s", change->operations, change->before, buf_text(&text));
    }
}

static void users_are_changed(void **state UNUSED)
{
    static const struct change changes[] = {
        {"{\"userName\":\"a\"}", "[{\"op\":\"add\",\"path\":\"title\",\"value\":\"x\"}]",
         "{\"userName\":\"a\",\"title\":\"x\"}", NULL},
        {"{\"userName\":\"a\",\"active\":true}",
         "[{\"op\":\"Replace\",\"path\":\"active\",\"value\":\"False\"}]",
         "{\"userName\":\"a\",\"active\":false}", NULL},
        {"{\"userName\":\"a\",\"active\":true}",
         "[{\"op\":\"replace\",\"value\":{\"active\":false}}]",
         "{\"userName\":\"a\",\"active\":false}", NULL},
        {"{\"id\":\"1\",\"userName\":\"a\"}",
         "[{\"op\":\"replace\",\"value\":{\"id\":\"1\",\"title\":\"x\"}}]",
         "{\"id\":\"1\",\"userName\":\"a\",\"title\":\"x\"}", NULL},
        {"{\"userName\":\"a\",\"name\":{\"familyName\":\"F\"}}",
         "[{\"op\":\"replace\",\"path\":\"name\",\"value\":{\"givenName\":\"G\"}}]",
         "{\"userName\":\"a\",\"name\":{\"familyName\":\"F\",\"givenName\":\"G\"}}", NULL},
        {"{\"userName\":\"a\"}", "[{\"op\":\"add\",\"path\":\"name.givenName\",\"value\":\"G\"}]",
         "{\"userName\":\"a\",\"name\":{\"givenName\":\"G\"}}", NULL},
        {"{\"userName\":\"a\"}", "[{\"op\":\"add\",\"value\":{\"name.givenName\":\"G\"}}]",
         "{\"userName\":\"a\",\"name\":{\"givenName\":\"G\"}}", NULL},
        {"{\"userName\":\"a\",\"name\":{\"givenName\":\"G\"}}",
         "[{\"op\":\"remove\",\"path\":\"name.givenName\"}]", "{\"userName\":\"a\"}", NULL},
        /* many values */
        {"{\"userName\":\"a\",\"emails\":[{\"value\":\"x\",\"primary\":true}]}",
         "[{\"op\":\"add\",\"path\":\"emails\",\"value\":[{\"value\":\"y\",\"primary\":true}]}]",
         "{\"userName\":\"a\",\"emails\":[{\"value\":\"x\",\"primary\":false},{\"value\":\"y\",\"primary\":true}]}",
         NULL},
        {"{\"userName\":\"a\",\"emails\":[{\"value\":\"x\",\"type\":\"work\"}]}",
         "[{\"op\":\"add\",\"path\":\"emails\",\"value\":{\"value\":\"x\",\"type\":\"work\"}}]",
         "{\"userName\":\"a\",\"emails\":[{\"value\":\"x\",\"type\":\"work\"}]}", NULL},
        {"{\"userName\":\"a\",\"emails\":[{\"value\":\"x\"}]}",
         "[{\"op\":\"replace\",\"path\":\"emails\",\"value\":[{\"value\":\"y\"}]}]",
         "{\"userName\":\"a\",\"emails\":[{\"value\":\"y\"}]}", NULL},
        {"{\"userName\":\"a\",\"emails\":[{\"value\":\"x\",\"type\":\"work\"},{\"value\":\"y\",\"type\":\"home\"}]}",
         "[{\"op\":\"replace\",\"path\":\"emails[type eq \\\"work\\\"].value\",\"value\":\"z\"}]",
         "{\"userName\":\"a\",\"emails\":[{\"value\":\"z\",\"type\":\"work\"},{\"value\":\"y\",\"type\":\"home\"}]}",
         NULL},
        {"{\"userName\":\"a\"}",
         "[{\"op\":\"Add\",\"path\":\"emails[type eq \\\"work\\\"].value\",\"value\":\"z\"}]",
         "{\"userName\":\"a\",\"emails\":[{\"type\":\"work\",\"value\":\"z\"}]}", NULL},
        {"{\"userName\":\"a\",\"emails\":[{\"value\":\"x\",\"type\":\"work\"}]}",
         "[{\"op\":\"remove\",\"path\":\"emails[type eq \\\"work\\\"]\"}]", "{\"userName\":\"a\"}",
         NULL},
        {"{\"userName\":\"a\"}",
         "[{\"op\":\"replace\",\"path\":\"emails[type eq \\\"work\\\"].value\",\"value\":\"z\"}]",
         NULL, "noTarget"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"remove\",\"path\":\"emails[type eq \\\"work\\\"]\"}]",
         "{\"userName\":\"a\"}", NULL},
        /* the extension */
        {"{\"userName\":\"a\"}",
         "[{\"op\":\"add\",\"path\":\"" ENTERPRISE ":department\",\"value\":\"D\"}]",
         "{\"userName\":\"a\",\"" ENTERPRISE "\":{\"department\":\"D\"}}", NULL},
        {"{\"userName\":\"a\"}",
         "[{\"op\":\"add\",\"value\":{\"" ENTERPRISE "\":{\"department\":\"D\"}}}]",
         "{\"userName\":\"a\",\"" ENTERPRISE "\":{\"department\":\"D\"}}", NULL},
        {"{\"userName\":\"a\",\"" ENTERPRISE "\":{\"department\":\"D\"}}",
         "[{\"op\":\"remove\",\"path\":\"" ENTERPRISE ":department\"}]", "{\"userName\":\"a\"}",
         NULL},
        {"{\"userName\":\"a\",\"" ENTERPRISE "\":{\"department\":\"D\"}}",
         "[{\"op\":\"remove\",\"path\":\"" ENTERPRISE "\"}]", "{\"userName\":\"a\"}", NULL},
        /* refused, and nothing of it is done */
        {"{\"userName\":\"a\"}",
         "[{\"op\":\"add\",\"path\":\"title\",\"value\":\"x\"},{\"op\":\"remove\",\"path\":\"userName\"}]",
         NULL, "mutability"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"replace\",\"path\":\"id\",\"value\":\"9\"}]", NULL,
         "mutability"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"replace\",\"path\":\"userName\",\"value\":\"\"}]",
         NULL, "invalidValue"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"replace\",\"path\":\"userName\",\"value\":5}]", NULL,
         "invalidValue"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"replace\",\"path\":\"active\",\"value\":\"maybe\"}]",
         NULL, "invalidValue"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"replace\",\"path\":\"nosuch\",\"value\":5}]", NULL,
         "invalidPath"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"replace\",\"path\":\"emails[type ~ 1]\",\"value\":5}]",
         NULL, "invalidFilter"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"remove\"}]", NULL, "noTarget"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"move\",\"path\":\"title\"}]", NULL, "invalidSyntax"},
        {"{\"userName\":\"a\"}", "[{\"op\":\"add\",\"path\":\"title\"}]", NULL, "invalidValue"},
        {"{\"userName\":\"a\"}", "[]", NULL, "invalidSyntax"},
    };

    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        check(&scim_user, &changes[i]);
}

static void groups_are_changed(void **state UNUSED)
{
    static const struct change changes[] = {
        {"{\"displayName\":\"g\"}",
         "[{\"op\":\"add\",\"path\":\"members\",\"value\":[{\"value\":\"1\"},{\"value\":\"2\"}]}]",
         "{\"displayName\":\"g\",\"members\":[{\"value\":\"1\"},{\"value\":\"2\"}]}", NULL},
        {"{\"displayName\":\"g\",\"members\":[{\"value\":\"1\"}]}",
         "[{\"op\":\"add\",\"path\":\"members\",\"value\":[{\"value\":\"1\"}]}]",
         "{\"displayName\":\"g\",\"members\":[{\"value\":\"1\"}]}", NULL},
        {"{\"displayName\":\"g\",\"members\":[{\"value\":\"1\"},{\"value\":\"2\"}]}",
         "[{\"op\":\"remove\",\"path\":\"members[value eq \\\"1\\\"]\"}]",
         "{\"displayName\":\"g\",\"members\":[{\"value\":\"2\"}]}", NULL},
        {"{\"displayName\":\"g\",\"members\":[{\"value\":\"1\"},{\"value\":\"2\"}]}",
         "[{\"op\":\"Remove\",\"path\":\"members\",\"value\":[{\"value\":\"2\"}]}]",
         "{\"displayName\":\"g\",\"members\":[{\"value\":\"1\"}]}", NULL},
        {"{\"displayName\":\"g\",\"members\":[{\"value\":\"1\"}]}",
         "[{\"op\":\"remove\",\"path\":\"members\"}]", "{\"displayName\":\"g\"}", NULL},
        {"{\"displayName\":\"g\",\"members\":[{\"value\":\"1\"}]}",
         "[{\"op\":\"replace\",\"path\":\"members[value eq \\\"1\\\"].value\",\"value\":\"9\"}]",
         NULL, "mutability"},
        {"{\"displayName\":\"g\"}", "[{\"op\":\"replace\",\"value\":{\"displayName\":\"h\"}}]",
         "{\"displayName\":\"h\"}", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        check(&scim_group, &changes[i]);
}

static void a_message_that_is_none_is_refused(void **state UNUSED)
{
    CLEANUP_JSON json_t *target = json_of("{\"userName\":\"a\"}");
    CLEANUP_JSON json_t *message =
        json_of("{\"Operations\":[{\"op\":\"remove\",\"path\":\"title\"}]}");
    const char *type = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(scim_patch(&scim_user, target, message, &type, &err), -1);
    assert_string_equal(type, "invalidSyntax");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_changed),
        cmocka_unit_test(groups_are_changed),
        cmocka_unit_test(a_message_that_is_none_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
