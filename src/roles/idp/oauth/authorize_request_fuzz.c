/* SPDX-License-Identifier: Apache-2.0 */
/* Lines "name=value" as parameters, for a public and for a confidential client: what is granted
 * keeps the rules, and a redirect URI that matches is on the registered host. */
#include "idp/oauth/authorize_request.h"
#include "idp/oauth/oauth.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_lines(char *text, struct form *form)
{
    for (char *at = text; at != NULL;) {
        char *next = strchr(at, '\n');
        if (next != NULL)
            *next++ = '\0';
        char *value = strchr(at, '=');
        if (value != NULL) {
            *value = '\0';
            form_put(form, at, value + 1);
        }
        at = next;
    }
}

static void check(const struct client *client, const struct form *form)
{
    struct authorize_wish wish;

    if (authorize_read(client, form, 1800000000, &wish) < 0) {
        INVARIANT(wish.error != NULL && wish.why != NULL);
        return;
    }
    INVARIANT(strcmp(form->value[FORM_RESPONSE_TYPE], "code") == 0);
    INVARIANT(!client->open || strlen(form->value[FORM_CODE_CHALLENGE]) == OAUTH_CHALLENGE_LEN);
    INVARIANT(wish.since >= 0 && wish.since <= 1800000000);
    INVARIANT(!(wish.silent && wish.anew));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char app[] = "https://app.example/cb";
    static const char loopback[] = "http://127.0.0.1/cb";
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    json_t *grants = json_pack("[s]", "authorization_code");
    struct client client = {.grants = grants};
    struct form form = {0};

    put_lines(text, &form);
    check(&client, &form);
    client.open = true;
    check(&client, &form);
    json_decref(grants);
    const char *uri = form.value[FORM_REDIRECT_URI];
    if (uri == NULL)
        return 0;
    INVARIANT(!oauth_redirect_matches(app, uri) || strcmp(app, uri) == 0);
    if (oauth_redirect_matches(loopback, uri))
        INVARIANT(strncmp(uri, "http://127.0.0.1", 16) == 0 && strchr(":/", uri[16]) != NULL &&
                  strchr(uri, '@') == NULL && strcmp(uri + strlen(uri) - 3, "/cb") == 0);
    return 0;
}
