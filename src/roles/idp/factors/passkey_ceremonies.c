/* SPDX-License-Identifier: Apache-2.0 */
/* What browsers send of passkeys: registrations and assertions (lib/webauthn), against what is
 * stored. */
#include "idp/factors/factors.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "webauthn/webauthn.h"

enum { ID_TEXT_MAX = (WEBAUTHN_ID_MAX * 4 + 2) / 3 };

static struct webauthn_site site_of(const struct idp *idp)
{
    return (struct webauthn_site){.rp_id = idp->rp_id, .origin = idp->origin};
}

/* ------------------------------------------------------------------ registration */

/* The bytes of a member in base64url. */
static int read_bytes(const json_t *object, const char *name, struct buf *out, struct err *err)
{
    const char *text = codec_json_text(object, name, "");

    if (text[0] == '\0')
        return err_set(err, ERR_INVALID, "the credential has no %s", name);
    if (enc_unbase64(ENC_BASE64URL, span_str(text), out, err) < 0)
        return err_wrap(err, "%s of the credential", name);
    return 0;
}

/* Only what is a list of short words is kept. */
static json_t *transports_of(const json_t *response)
{
    json_t *kept = json_array();
    const json_t *one;
    size_t i;

    json_array_foreach (json_object_get(response, "transports"), i, one)
        if (i < 8 && json_is_string(one) && json_string_length(one) <= 16)
            json_array_append(kept, (json_t *)(uintptr_t)one);
    return kept;
}

static int check_attestation(const struct idp *idp, const struct webauthn_credential *made,
                             struct err *err)
{
    if (!idp->attestation_required || made->attestation == WEBAUTHN_ATTESTATION_TRUSTED)
        return 0;
    return err_set(err, ERR_DENIED,
                   "only authenticators of makers that this platform trusts can be used here; this "
                   "one's attestation is \"%s\"",
                   webauthn_attestation_name(made->attestation));
}

static int put_key(const struct sign_key *key, struct buf *out, struct err *err)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);

    TRY(sign_key_to_spki(key, &spki, err));
    enc_base64_put(ENC_BASE64, buf_span(&spki), out);
    return buf_check(out, "a public key", err);
}

static int describe(const struct account *account, const struct webauthn_credential *made,
                    const char *name, const json_t *credential, json_t **out, struct err *err)
{
    CLEANUP(buf_free) struct buf id = BUF_INIT(ID_TEXT_MAX);
    CLEANUP(buf_free) struct buf key = BUF_INIT(2 * SIGN_SPKI_MAX);
    char aaguid[2 * WEBAUTHN_AAGUID_LEN + 1];

    enc_base64_put(ENC_BASE64URL, made->id, &id);
    enc_hex(span_of(made->aaguid, sizeof(made->aaguid)), aaguid);
    TRY(put_key(made->key, &key, err));
    *out =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:o, s:b, s:b, s:b, s:s, s:I}", "user",
                  account->name, "uid", account->uid, "credential", buf_text(&id), "key",
                  buf_text(&key), "count", (json_int_t)made->sign_count, "aaguid", aaguid, "format",
                  made->format, "attestation", webauthn_attestation_name(made->attestation),
                  "transports", transports_of(json_object_get(credential, "response")), "verified",
                  made->user_verified, "eligible", made->backup_eligible, "backedUp",
                  made->backed_up, "name", name, "created", (json_int_t)clock_wall_sec());
    return 0;
}

/* Stores it; nobody else may have it already (section 7.1, step 26). */
static int keep(struct idp *idp, const json_t *record, json_t **shown, struct err *err)
{
    CLEANUP_JSON json_t *other = NULL;
    char id[IDP_ID_SIZE];

    idp_id_of(codec_json_text(record, "credential", ""), id);
    if (record_get(idp, PASSKEYS, id, &other, err) == 0)
        return err_set(err, ERR_EXISTS, "this passkey is registered already");
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    *shown = passkey_shown(id, record);
    return passkey_put(idp, id, record, err);
}

int passkey_register(struct idp *idp, const struct account *account, const char *challenge,
                     const char *name, const json_t *credential, json_t **shown, struct err *err)
{
    const json_t *response = json_object_get(credential, "response");
    CLEANUP(buf_free) struct buf client = BUF_INIT(WEBAUTHN_CLIENT_DATA_MAX);
    CLEANUP(buf_free) struct buf object = BUF_INIT(WEBAUTHN_ATTESTATION_MAX);
    CLEANUP_JSON json_t *record = NULL;
    struct webauthn_site site = site_of(idp);
    struct webauthn_ceremony how = {.site = &site, .challenge = span_str(challenge)};
    struct webauthn_credential made;

    TRY(passkey_check_name(name, err));
    TRY(read_bytes(response, "clientDataJSON", &client, err));
    TRY(read_bytes(response, "attestationObject", &object, err));
    TRY(webauthn_register(&how, idp->passkey_roots, buf_span(&client), buf_span(&object), &made,
                          err));
    int described = check_attestation(idp, &made, err);
    if (described == 0)
        described = describe(account, &made, name, credential, &record, err);
    sign_key_free(made.key);
    TRY(described);
    return keep(idp, record, shown, err);
}

/* ------------------------------------------------------------------ signing in */

static int unknown(struct err *err)
{
    return err_set(err, ERR_DENIED, "this passkey is not known here");
}

static int find(struct idp *idp, const struct account *account, const json_t *credential,
                struct passkey *out, struct err *err)
{
    const char *given = codec_json_text(credential, "id", "");

    if (given[0] == '\0' || strlen(given) > ID_TEXT_MAX)
        return err_set(err, ERR_INVALID, "the credential has no id");
    idp_id_of(given, out->id);
    if (record_get(idp, PASSKEYS, out->id, &out->record, err) < 0)
        return err->code == ERR_NOT_FOUND ? unknown(err) : -1;
    if (account != NULL && strcmp(codec_json_text(out->record, "uid", ""), account->uid) != 0)
        return unknown(err);
    return 0;
}

/* Section 7.2, step 6: the handle is ours, the user's uid. */
static int check_handle(const json_t *response, const char *uid, bool needed, struct err *err)
{
    CLEANUP_JSON json_t *wanted = passkey_handle(uid);
    const char *given = codec_json_text(response, "userHandle", "");

    if (given[0] == '\0' && !needed)
        return 0;
    return strcmp(given, json_string_value(wanted)) == 0 ? 0 : unknown(err);
}

static int verify(struct idp *idp, const struct passkey *passkey, const char *challenge,
                  const json_t *response, bool alone, struct webauthn_assertion *out,
                  struct err *err)
{
    CLEANUP(buf_free) struct buf client = BUF_INIT(WEBAUTHN_CLIENT_DATA_MAX);
    CLEANUP(buf_free) struct buf auth = BUF_INIT(WEBAUTHN_AUTH_DATA_MAX);
    CLEANUP(buf_free) struct buf signature = BUF_INIT(SIGN_SIG_MAX);
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    struct webauthn_site site = site_of(idp);
    struct webauthn_ceremony how = {
        .site = &site, .challenge = span_str(challenge), .user_verification = alone};

    TRY(read_bytes(response, "clientDataJSON", &client, err));
    TRY(read_bytes(response, "authenticatorData", &auth, err));
    TRY(read_bytes(response, "signature", &signature, err));
    TRY(enc_unbase64(ENC_BASE64, span_str(codec_json_text(passkey->record, "key", "")), &spki,
                     err));
    TRY(sign_key_from_spki(buf_span(&spki), &key, err));
    struct webauthn_response bytes = {.client_data = buf_span(&client),
                                      .auth_data = buf_span(&auth),
                                      .signature = buf_span(&signature)};
    return webauthn_assert(&how, key, &bytes, out, err);
}

static int check_history(const json_t *record, const struct webauthn_assertion *seen,
                         struct err *err)
{
    if (seen->backup_eligible != json_is_true(json_object_get(record, "eligible")))
        return err_set(
            err, ERR_DENIED,
            "the passkey says now that it can be copied, or cannot, against what it said "
            "when it was registered");
    if (!webauthn_count_is_good((uint32_t)record_number(record, "count"), seen->sign_count))
        return err_set(
            err, ERR_DENIED,
            "the passkey's counter went back to %u: there may be a copy of it; remove it "
            "and register a new one",
            seen->sign_count);
    return 0;
}

int passkey_assert(struct idp *idp, const struct account *account, const char *challenge,
                   const json_t *credential, struct passkey *out, char amr[AMR_SIZE],
                   struct err *err)
{
    const json_t *response = json_object_get(credential, "response");
    CLEANUP(passkey_free) struct passkey passkey = {0};
    struct webauthn_assertion seen;

    TRY(find(idp, account, credential, &passkey, err));
    TRY(check_handle(response, codec_json_text(passkey.record, "uid", ""), account == NULL, err));
    TRY(verify(idp, &passkey, challenge, response, account == NULL, &seen, err));
    TRY(check_history(passkey.record, &seen, err));
    json_object_set_new(passkey.record, "count", json_integer(seen.sign_count));
    json_object_set_new(passkey.record, "backedUp", json_boolean(seen.backed_up));
    json_object_set_new(passkey.record, "used", json_integer(clock_wall_sec()));
    TRY(passkey_put(idp, passkey.id, passkey.record, err));
    amr_add(amr, seen.backup_eligible ? "swk user" : "hwk user");
    if (seen.user_verified)
        amr_add(amr, "mfa"); /* a key, and a PIN or a finger */
    *out = passkey;
    passkey = (struct passkey){0};
    return 0;
}
