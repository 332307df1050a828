/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passkeys: a record for each credential under the hash of its id, {"user", "uid", "credential",
 * "key", "count", ...}. The key is kept as SubjectPublicKeyInfo, so that only a registration reads
 * CBOR. What a browser sends is checked by lib/webauthn; here is what it is checked against.
 */
#include "idp/factors/factors.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "role/settings.h"
#include "webauthn/webauthn.h"

#include <fcntl.h>

enum {
    PASSKEYS_MAX = 20,
    ROOTS_FILE_MAX = 4 * 1024 * 1024,
    TIMEOUT_MS = 5 * 60 * 1000,
};

void passkey_free(struct passkey *passkey)
{
    json_decref(passkey->record);
    *passkey = (struct passkey){0};
}

/* ------------------------------------------------------------------ the site */

/* The relying party is the host of the platform's address, without its port. */
static void set_site(struct idp *idp)
{
    size_t len = oauth_origin_len(idp->url);
    const char *host = strstr(idp->url, "://");

    snprintf(idp->origin, sizeof(idp->origin), "%.*s", (int)len, idp->url);
    host = host == NULL ? idp->url : host + 3;
    snprintf(idp->rp_id, sizeof(idp->rp_id), "%.*s", (int)strcspn(host, ":/"), host);
}

int passkeys_start(struct idp *idp, struct err *err)
{
    const struct settings *settings = role_settings(idp->role);
    CLEANUP(buf_free) struct buf pem = BUF_INIT(ROOTS_FILE_MAX);

    set_site(idp);
    idp->attestation_required = settings->passkey_attestation == SETTINGS_ATTESTATION_REQUIRED;
    if (settings->passkey_roots == NULL)
        return idp->attestation_required
                   ? err_set(err, ERR_INVALID,
                             "passkey-attestation is required, but passkey-roots names no file of "
                             "certificates that vouch for authenticators")
                   : 0;
    TRY(fd_read_file(AT_FDCWD, settings->passkey_roots, &pem, err));
    if (webauthn_roots_new(buf_span(&pem), &idp->passkey_roots, err) < 0)
        return err_wrap(err, "%s", settings->passkey_roots);
    return 0;
}

/* ------------------------------------------------------------------ records */

int passkey_put(struct idp *idp, const char *id, const json_t *record, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", codec_json_text(record, "user", ""));

    return record_put(idp, PASSKEYS, id, record, term, err);
}

struct each {
    struct idp *idp;
    const char *uid; /* NULL: any */
    size_t count;
    json_t *list;
};

static bool is_of(const struct each *each, const json_t *record)
{
    return each->uid == NULL || strcmp(codec_json_text(record, "uid", ""), each->uid) == 0;
}

static int each_passkey(struct idp *idp, const char *user, record_fn *fn, struct each *each,
                        struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", user);

    each->idp = idp;
    return record_each(idp, PASSKEYS, term, fn, each, err);
}

static int count_one(void *ctx, const char *id UNUSED, const json_t *record, struct err *err UNUSED)
{
    struct each *each = ctx;

    each->count += is_of(each, record);
    return 0;
}

int passkeys_count(struct idp *idp, const struct account *account, size_t *out, struct err *err)
{
    struct each each = {.uid = account->uid};

    TRY(each_passkey(idp, account->name, count_one, &each, err));
    *out = each.count;
    return 0;
}

static int drop_one(void *ctx, const char *id, const json_t *record UNUSED, struct err *err)
{
    const struct each *each = ctx;

    return record_delete(each->idp, PASSKEYS, id, err);
}

int passkeys_drop_all(struct idp *idp, const char *user, struct err *err)
{
    struct each each = {.count = 0};

    return each_passkey(idp, user, drop_one, &each, err);
}

static void set_time(json_t *object, const char *name, int64_t sec)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_sec(sec, text);
    json_object_set_new(object, name, sec > 0 ? json_string(text) : json_null());
}

json_t *passkey_shown(const char *id, const json_t *record)
{
    json_t *shown = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "id", id, "name",
                              codec_json_text(record, "name", ""), "aaguid",
                              codec_json_text(record, "aaguid", ""), "format",
                              codec_json_text(record, "format", ""), "attestation",
                              codec_json_text(record, "attestation", ""), "synced",
                              json_is_true(json_object_get(record, "eligible")), "backedUp",
                              json_is_true(json_object_get(record, "backedUp")));

    set_time(shown, "createdAt", record_number(record, "created"));
    set_time(shown, "lastUsedAt", record_number(record, "used"));
    return shown;
}

static int list_one(void *ctx, const char *id, const json_t *record, struct err *err UNUSED)
{
    const struct each *each = ctx;

    return is_of(each, record) ? json_array_append_new(each->list, passkey_shown(id, record)) : 0;
}

int passkeys_list(struct idp *idp, const struct account *account, json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *list = json_array();
    struct each each = {.uid = account->uid, .list = list};

    TRY(each_passkey(idp, account->name, list_one, &each, err));
    *out = json_incref(list);
    return 0;
}

/* ------------------------------------------------------------------ options */

static int describe_one(void *ctx, const char *id UNUSED, const json_t *record,
                        struct err *err UNUSED)
{
    const struct each *each = ctx;
    const json_t *transports = json_object_get(record, "transports");

    if (!is_of(each, record))
        return 0;
    json_t *one = json_pack("{s:s, s:s}", "type", "public-key", "id",
                            codec_json_text(record, "credential", ""));
    if (json_array_size(transports) > 0)
        json_object_set(one, "transports", (json_t *)(uintptr_t)transports);
    return json_array_append_new(each->list, one);
}

json_t *passkey_handle(const char *uid)
{
    CLEANUP(buf_free) struct buf encoded = BUF_INIT(1024);

    enc_base64_put(ENC_BASE64URL, span_str(uid), &encoded);
    return json_string(buf_text(&encoded));
}

int passkeys_create_options(struct idp *idp, const struct account *account, const char *challenge,
                            json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *exclude = json_array();
    struct each each = {.uid = account->uid, .list = exclude};
    const char *display = account->display[0] != '\0' ? account->display : account->name;

    TRY(each_passkey(idp, account->name, describe_one, &each, err));
    if (json_array_size(exclude) >= PASSKEYS_MAX)
        return err_set(err, ERR_CONFLICT, "you have %d passkeys, which is as many as there can be",
                       PASSKEYS_MAX);
    bool ask = idp->passkey_roots != NULL;
    *out = json_pack(
        "{s:{s:s, s:s}, s:{s:o, s:s, s:s}, s:s, s:[{s:s, s:i}, {s:s, s:i}, {s:s, s:i}], s:i, s:O, "
        "s:{s:s, s:b, s:s}, s:s, s:{s:b}}",
        "rp", "id", idp->rp_id, "name", "drun", "user", "id", passkey_handle(account->uid), "name",
        account->name, "displayName", display, "challenge", challenge, "pubKeyCredParams", "type",
        "public-key", "alg", WEBAUTHN_ES256, "type", "public-key", "alg", WEBAUTHN_EDDSA, "type",
        "public-key", "alg", WEBAUTHN_RS256, "timeout", TIMEOUT_MS, "excludeCredentials", exclude,
        "authenticatorSelection", "residentKey", "preferred", "requireResidentKey", 0,
        "userVerification", "preferred", "attestation", ask ? "direct" : "none", "extensions",
        "credProps", 1);
    return 0;
}

int passkeys_get_options(struct idp *idp, const struct account *account, const char *challenge,
                         json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *allow = json_array();
    struct each each = {.uid = account == NULL ? NULL : account->uid, .list = allow};

    if (account != NULL)
        TRY(each_passkey(idp, account->name, describe_one, &each, err));
    *out = json_pack("{s:s, s:s, s:i, s:O, s:s}", "challenge", challenge, "rpId", idp->rp_id,
                     "timeout", TIMEOUT_MS, "allowCredentials", allow, "userVerification",
                     account == NULL ? "required" : "preferred");
    return 0;
}

/* ------------------------------------------------------------------ managing */

static int find_own(struct idp *idp, const struct account *account, const char *id, json_t **out,
                    struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;
    int found = strlen(id) == IDP_ID_SIZE - 1 ? record_get(idp, PASSKEYS, id, &record, err)
                                              : err_set(err, ERR_NOT_FOUND, "no id");

    if (found < 0 && err->code != ERR_NOT_FOUND)
        return -1;
    if (found < 0 || strcmp(codec_json_text(record, "uid", ""), account->uid) != 0)
        return err_set(err, ERR_NOT_FOUND, "you have no such passkey");
    *out = json_incref(record);
    return 0;
}

int passkey_check_name(const char *name, struct err *err)
{
    if (name[0] == '\0' || strlen(name) > PASSKEY_NAME_MAX)
        return err_set(err, ERR_INVALID, "a passkey's name has 1 to %d bytes", PASSKEY_NAME_MAX);
    return 0;
}

int passkey_rename(struct idp *idp, const struct account *account, const char *id, const char *name,
                   struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;

    TRY(passkey_check_name(name, err));
    TRY(find_own(idp, account, id, &record, err));
    json_object_set_new(record, "name", json_string(name));
    return passkey_put(idp, id, record, err);
}

int passkey_drop(struct idp *idp, const struct account *account, const char *id, struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;

    TRY(find_own(idp, account, id, &record, err));
    return record_delete(idp, PASSKEYS, id, err);
}
