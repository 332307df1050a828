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

static void what_a_client_sends_becomes_the_schemas(void **state UNUSED)
{
    static const struct {
        const char *sent, *read; /* NULL: refused with */
        const char *type;
    } cases[] = {
        {"{\"USERNAME\":\"a\",\"Active\":\"True\",\"id\":\"mine\",\"meta\":{},\"nickName\":null}",
         "{\"userName\":\"a\",\"active\":true}", NULL},
        {"{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\",\"" ENTERPRISE
         "\"],\"userName\":\"a\",\"" ENTERPRISE "\":{\"DEPARTMENT\":\"d\"}}",
         "{\"userName\":\"a\",\"" ENTERPRISE "\":{\"department\":\"d\"}}", NULL},
        {"{\"userName\":\"a\",\"groups\":[{\"value\":\"admins\"}],\"password\":\"p\"}",
         "{\"userName\":\"a\",\"password\":\"p\"}", NULL},
        {"{\"userName\":\"a\",\"emails\":[{\"Value\":\"x\",\"primary\":true}]}",
         "{\"userName\":\"a\",\"emails\":[{\"value\":\"x\",\"primary\":true}]}", NULL},
        {"{\"title\":\"a\"}", NULL, "invalidValue"},
        {"{\"userName\":\"\"}", NULL, "invalidValue"},
        {"{\"userName\":7}", NULL, "invalidValue"},
        {"{\"userName\":\"a\",\"emails\":{\"value\":\"x\"}}", NULL, "invalidValue"},
        {"{\"userName\":\"a\",\"emails\":[5]}", NULL, "invalidValue"},
        {"{\"userName\":\"a\",\"nosuch\":1}", NULL, "invalidSyntax"},
        {"{\"userName\":\"a\",\"name\":{\"nosuch\":1}}", NULL, "invalidSyntax"},
        {"{\"userName\":\"a\",\"schemas\":[\"urn:x\"]}", NULL, "invalidValue"},
        {"{\"userName\":\"a\",\"x509Certificates\":[{\"value\":\"***\"}]}", NULL, "invalidValue"},
        {"[]", NULL, "invalidSyntax"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_JSON json_t *sent = json_of(cases[i].sent);
        CLEANUP_JSON json_t *wanted = cases[i].read != NULL ? json_of(cases[i].read) : NULL;
        CLEANUP_JSON json_t *read = NULL;
        const char *type = NULL;
        struct err err = ERR_INIT;
        int result = scim_read(&scim_user, sent, &read, &type, &err);
        if ((result == 0) != (wanted != NULL))
            fail_msg("%s: %s", cases[i].sent, result == 0 ? "was taken" : err.msg);
        if (wanted == NULL)
            assert_string_equal(type, cases[i].type);
        else if (!json_equal(read, wanted))
            fail_msg("%s was read as something else", cases[i].sent);
    }
}

static void a_client_chooses_what_it_gets(void **state UNUSED)
{
    static const char user[] =
        "{\"schemas\":[\"s\"],\"id\":\"1\",\"userName\":\"a\",\"password\":\"p\",\"name\":{\"givenName\":\"G\",\"familyName\":\"F\"},"
        "\"emails\":[{\"value\":\"x\",\"type\":\"work\"}],\"" ENTERPRISE
        "\":{\"department\":\"d\",\"division\":\"v\"}}";
    static const struct {
        const char *attributes, *excluded, *after;
    } cases[] = {
        {"userName", "", "{\"schemas\":[\"s\"],\"id\":\"1\",\"userName\":\"a\"}"},
        {"name.givenName, emails.value", "",
         "{\"schemas\":[\"s\"],\"id\":\"1\",\"name\":{\"givenName\":\"G\"},\"emails\":[{\"value\":\"x\"}]}"},
        {"name.givenName,name.familyName", "",
         "{\"schemas\":[\"s\"],\"id\":\"1\",\"name\":{\"givenName\":\"G\",\"familyName\":\"F\"}}"},
        {ENTERPRISE ":department", "",
         "{\"schemas\":[\"s\"],\"id\":\"1\",\"" ENTERPRISE "\":{\"department\":\"d\"}}"},
        {"password", "", "{\"schemas\":[\"s\"],\"id\":\"1\"}"},
        {"", "id,name,emails.type," ENTERPRISE,
         "{\"schemas\":[\"s\"],\"id\":\"1\",\"userName\":\"a\",\"emails\":[{\"value\":\"x\"}]}"},
    };
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 16);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_JSON json_t *target = json_of(user);
        CLEANUP_JSON json_t *wanted = json_of(cases[i].after);
        assert_int_equal(
            scim_project(&scim_user, target, cases[i].attributes, cases[i].excluded, arena, &err),
            0);
        if (!json_equal(target, wanted)) {
            CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 16);
            codec_json_put(target, &text);
            fail_msg("%s / %s gives %s", cases[i].attributes, cases[i].excluded, buf_text(&text));
        }
    }
    CLEANUP_JSON json_t *target = json_of(user);
    assert_int_equal(scim_project(&scim_user, target, "nosuch", "", arena, &err), -1);
}

static void the_schemas_are_told(void **state UNUSED)
{
    CLEANUP_JSON json_t *schema = scim_schema_json(scim_user.schema, "https://drun.test/scim/v2");
    CLEANUP_JSON json_t *type = scim_resource_json(&scim_user, "https://drun.test/scim/v2");

    assert_string_equal(codec_json_text(schema, "id", ""),
                        "urn:ietf:params:scim:schemas:core:2.0:User");
    assert_string_equal(
        codec_json_text(json_object_get(schema, "meta"), "location", ""),
        "https://drun.test/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User");
    assert_true(json_array_size(json_object_get(schema, "attributes")) > 15);
    assert_string_equal(codec_json_text(type, "endpoint", ""), "/Users");
    assert_int_equal(json_array_size(json_object_get(type, "schemaExtensions")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_client_sends_becomes_the_schemas),
        cmocka_unit_test(a_client_chooses_what_it_gets),
        cmocka_unit_test(the_schemas_are_told),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
