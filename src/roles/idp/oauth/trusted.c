/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of elsewhere, by what their own platform says about them: a CI job's token becomes that
 * of a service account here, without any secret that both would have to keep. */
#include "idp/oauth/exchange.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "idp/oauth/remote_keys.h"
#include "idp/programs/namespaces.h"
#include "jose/jose.h"

/* '*' stands for any run of characters; only the last one is tried again. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *resume = NULL;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool claim_fits(const json_t *value, const char *pattern)
{
    const json_t *item;
    char text[24];
    size_t i;

    if (json_is_string(value))
        return matches(pattern, json_string_value(value));
    if (json_is_boolean(value))
        return strcmp(pattern, json_is_true(value) ? "true" : "false") == 0;
    if (json_is_integer(value)) {
        snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
        return strcmp(pattern, text) == 0;
    }
    json_array_foreach (value, i, item)
        if (json_is_string(item) && matches(pattern, json_string_value(item)))
            return true;
    return false;
}

static bool rule_fits(const json_t *rule, const json_t *claims)
{
    const char *subject = codec_json_text(claims, "sub", NULL);
    const char *name;
    json_t *pattern;

    if (subject == NULL || !matches(codec_json_text(rule, "subject", ""), subject))
        return false;
    json_object_foreach (json_object_get(rule, "claims"), name, pattern)
        if (!json_is_string(pattern) ||
            !claim_fits(json_object_get(claims, name), json_string_value(pattern)))
            return false;
    return true;
}

const json_t *trusted_match(const json_t *rules, const json_t *claims)
{
    const json_t *rule;
    size_t i;

    json_array_foreach (rules, i, rule)
        if (rule_fits(rule, claims))
            return json_object_get(rule, "serviceAccount");
    return NULL;
}

/* ------------------------------------------------------------------ the issuer */

/* Whoever names an account here hands out its tokens. */
static int check_rules(struct idp *idp, const struct kube_change *change, struct err *err)
{
    const json_t *rule;
    size_t i;

    json_array_foreach (codec_json_at(change->object, "spec", "rules", NULL), i, rule) {
        const json_t *account = json_object_get(rule, "serviceAccount");
        if (members_may_become_account(idp, change->principal,
                                       codec_json_text(account, "namespace", ""),
                                       codec_json_text(account, "name", ""), err) < 0)
            return err_wrap(err, "spec.rules[%zu].serviceAccount", i);
    }
    return 0;
}

int trusted_admit(struct idp *idp, const struct kube_change *change, struct err *err)
{
    CLEANUP(jose_keys_free_ptr) struct jose_keys *keys = NULL;
    const json_t *spec = json_object_get(change->object, "spec");

    if (change->object == NULL)
        return 0;
    if (!json_equal(json_object_get(change->old, "spec"), spec))
        TRY(check_rules(idp, change, err));
    if (json_object_get(spec, "jwks") == NULL)
        return 0;
    if (jose_keys_from_jwks(json_object_get(spec, "jwks"), &keys, err) == 0)
        return 0;
    err->code = ERR_INVALID;
    return err_wrap(err, "spec.jwks");
}

struct search {
    const char *issuer;
    json_t *spec;
};

static int look_at(void *ctx, const json_t *object, struct err *err UNUSED)
{
    struct search *search = ctx;
    json_t *spec = json_object_get(object, "spec");

    if (strcmp(codec_json_text(spec, "issuer", ""), search->issuer) != 0 ||
        json_is_true(json_object_get(spec, "disabled")))
        return 0;
    search->spec = json_incref(spec);
    return 1;
}

static int find_issuer(struct idp *idp, const char *issuer, json_t **spec, struct err *err)
{
    struct search search = {.issuer = issuer};

    if (kube_object_each(serve_kube(idp->serve), &kube_trusted_issuer, NULL, look_at, &search,
                         err) < 0)
        return -1;
    if (search.spec == NULL)
        return err_set(err, ERR_UNAUTHENTICATED, "no TrustedIssuer has the issuer of this token");
    *spec = search.spec;
    return 0;
}

/* One of the audiences of the issuer, or ours when it names none. */
static int verify(struct idp *idp, const json_t *spec, const char *text, json_t **claims,
                  struct err *err)
{
    CLEANUP(jose_keys_free_ptr) struct jose_keys *own = NULL;
    const struct jose_keys *keys;
    const char *uri = codec_json_text(spec, "jwksUri", "");
    struct remote_source source = {.owner = "TrustedIssuer",
                                   .uri = uri,
                                   .ca_pem = codec_json_text(spec, "ca", ""),
                                   .private_network =
                                       json_is_true(json_object_get(spec, "privateNetwork"))};
    const json_t *audiences = json_object_get(spec, "audiences");
    struct jose_expect expect = {.issuer = codec_json_text(spec, "issuer", ""),
                                 .audience = idp->url,
                                 .now = clock_wall_sec(),
                                 .skew_sec = AUTH_SKEW_SEC};
    size_t count = json_array_size(audiences);

    if (uri[0] != '\0')
        TRY(remote_keys_find(idp->remote_keys, &source, text, &keys, err));
    else
        TRY(jose_keys_from_jwks(json_object_get(spec, "jwks"), &own, err));
    if (uri[0] == '\0')
        keys = own;
    for (size_t i = 0; i < NUM_MAX(count, (size_t)1); i++) {
        err_clear(err);
        if (count > 0)
            expect.audience = json_string_value(json_array_get(audiences, i));
        if (jose_jwt_verify(keys, span_str(text), &expect, claims, err) == 0)
            return 0;
    }
    return -1;
}

/* The account must be there; its token goes when it does, or its namespace. */
static int note(struct idp *idp, const char *namespace, const char *name, const char *subject,
                struct err *err)
{
    CLEANUP(buf_free) struct buf uid = BUF_INIT(256);

    TRY(serve_ask_uid(idp->role, &kube_service_account, namespace, name, &uid, err));
    if (uid.len == 0)
        return err_set(err, ERR_DENIED, "the service account %s/%s is not there", namespace, name);
    return namespace_note_token(idp, namespace, subject, buf_text(&uid),
                                clock_wall_sec() + EXCHANGE_SEC, err);
}

int exchange_read_foreign(struct idp *idp, struct serve_request *request, const char *text,
                          struct exchange_subject *out, struct err *err)
{
    CLEANUP_JSON json_t *unverified = NULL;
    CLEANUP_JSON json_t *spec = NULL;
    CLEANUP_JSON json_t *claims = NULL;

    TRY(jose_jwt_peek(span_str(text), &unverified, err));
    TRY(find_issuer(idp, codec_json_text(unverified, "iss", ""), &spec, err));
    TRY(verify(idp, spec, text, &claims, err));
    const json_t *account = trusted_match(json_object_get(spec, "rules"), claims);
    if (account == NULL)
        return err_set(err, ERR_DENIED,
                       "no rule of the TrustedIssuer fits the claims of the token");
    const char *namespace = codec_json_text(account, "namespace", "");
    const char *name = codec_json_text(account, "name", "");
    out->subject =
        arena_printf(request->http->arena, "system:serviceaccount:%s:%s", namespace, name);
    TRY(arena_check(request->http->arena, "the request", err));
    TRY(note(idp, namespace, name, out->subject, err));
    out->actor = json_pack("{s:s, s:s}", "iss", codec_json_text(claims, "iss", ""), "sub",
                           codec_json_text(claims, "sub", ""));
    /* It may live on for its own time: the foreign token was good when it was shown. */
    return 0;
}
