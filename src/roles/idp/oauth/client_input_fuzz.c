/* SPDX-License-Identifier: Apache-2.0 */
/* Client assertions, request objects, registration bodies and device codes of a client that nobody
 * knows: refused with a reason, or within their limits. And the languages of a reader. */
#include "idp/oauth/assertion.h"
#include "idp/oauth/device_grant.h"
#include "idp/oauth/registration.h"
#include "idp/oauth/request_object.h"
#include "idp/page_words.h"

#include "base/mem.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct jose_keys *known_keys(void)
{
    static struct jose_keys *keys; /* kept from input to input */
    CLEANUP(sign_key_free_ptr) struct sign_key *pair = NULL;
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct jose_key *key = NULL;
    struct err err = ERR_INIT;

    if (keys != NULL)
        return keys;
    INVARIANT(secret_heap_init(&err) == 0);
    INVARIANT(sign_key_generate(SIGN_ES256, &pair, &err) == 0);
    INVARIANT(sign_key_to_spki(pair, &spki, &err) == 0);
    INVARIANT(jose_key_from_spki("k", buf_span(&spki), &key, &err) == 0);
    keys = jose_keys_new();
    jose_keys_add(keys, &key);
    return keys;
}

static void check_tokens(const char *text)
{
    static const char *const audiences[] = {"https://drun.test", NULL};
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    struct assertion_expect expect = {
        .keys = known_keys(), .client_id = "app", .audiences = audiences, .now = 1800000000};
    struct request_object_expect wanted = {
        .keys = known_keys(), .client_id = "app", .issuer = "https://drun.test", .now = 1800000000};
    struct assertion assertion;
    struct form form;
    char id[64];
    struct err err = ERR_INIT;

    assertion_client(text, id, sizeof(id));
    INVARIANT(strlen(id) < sizeof(id));
    INVARIANT(assertion_check(&expect, text, &assertion, &err) < 0);
    INVARIANT(err.code == ERR_UNAUTHENTICATED);
    err_clear(&err);
    INVARIANT(request_object_read(&wanted, text, arena, &form, &err) < 0);
    INVARIANT(err.code == ERR_INVALID);
}

static void check_registration(struct span body)
{
    CLEANUP_JSON json_t *spec = NULL;
    CLEANUP_JSON json_t *out = json_object();
    const json_t *scope;
    struct err err = ERR_INIT;
    size_t i;

    if (registration_read(body, &spec, &err) < 0) {
        INVARIANT(err.msg[0] != '\0');
        return;
    }
    INVARIANT(json_is_true(json_object_get(spec, "consentRequired")));
    json_array_foreach (json_object_get(spec, "scopes"), i, scope)
        INVARIANT(strcmp(json_string_value(scope), "drun") != 0);
    registration_put(spec, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    char code[DEVICE_CODE_SIZE];

    check_tokens(text);
    check_registration(span_of(data, size));
    if (device_read_code(text, code))
        INVARIANT(strlen(code) == DEVICE_CODE_SIZE - 1);
    INVARIANT(page_language_of(text, text) < PAGE_LANGUAGES);
    return 0;
}
