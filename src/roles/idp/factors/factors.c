/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record a user, {"uid", "totp": {"secret", "since", "last"}, "pending": {"secret", "until"},
 * "recovery": [hash, ...], "recoverySince", "sms": {"number", "since"}, "graceFrom"}; passkeys are
 * records of their own, because they are looked up by their id.
 */
#include "idp/factors/sms.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "otp/totp.h"

#define FACTORS "factors"

enum { PENDING_SEC = 600, HEX_SIZE = 2 * TOTP_SECRET_LEN + 1 };

static const struct {
    enum factor factor;
    const char *name;
} names[] = {{FACTOR_TOTP, "totp"},
             {FACTOR_PASSKEY, "webauthn"},
             {FACTOR_SMS, "sms"},
             {FACTOR_RECOVERY, "recovery"},
             {FACTOR_PASSWORD, "password"}};

const char *factor_name(enum factor factor)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].factor == factor)
            return names[i].name;
    return "";
}

enum factor factor_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].factor;
    return 0;
}

json_t *factor_names(unsigned factors)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (factors & names[i].factor)
            json_array_append_new(list, json_string(names[i].name));
    return list;
}

unsigned factors_there(const struct idp *idp)
{
    return FACTOR_TOTP | FACTOR_PASSKEY | (sms_is_there(idp) ? FACTOR_SMS : 0);
}

/* ------------------------------------------------------------------ the record */

void factors_free(struct factors *factors)
{
    json_decref(factors->record);
    *factors = (struct factors){0};
}

static int read_record(struct idp *idp, const struct account *account, json_t **out,
                       struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;

    if (record_get(idp, FACTORS, account->name, &record, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
    }
    /* What another user of that name left behind is nobody's. */
    if (record == NULL || strcmp(codec_json_text(record, "uid", ""), account->uid) != 0) {
        json_decref(record);
        record = json_pack("{s:s}", "uid", account->uid);
    }
    *out = json_incref(record);
    return 0;
}

static void count(struct factors *factors, size_t passkeys)
{
    factors->have = passkeys > 0 ? FACTOR_PASSKEY : 0;
    if (json_object_get(factors->record, "totp") != NULL)
        factors->have |= FACTOR_TOTP;
    if (json_object_get(factors->record, "sms") != NULL)
        factors->have |= FACTOR_SMS;
    if (factors_recovery_left(factors) > 0)
        factors->have |= FACTOR_RECOVERY;
}

int factors_load(struct idp *idp, const struct account *account, struct factors *out,
                 struct err *err)
{
    CLEANUP(factors_free)
    struct factors factors = {.user = account->name, .uid = account->uid};
    size_t passkeys = 0;

    TRY(read_record(idp, account, &factors.record, err));
    TRY(passkeys_count(idp, account, &passkeys, err));
    count(&factors, passkeys);
    *out = factors;
    factors = (struct factors){0};
    return 0;
}

int factors_save(struct idp *idp, struct factors *factors, struct err *err)
{
    count(factors, (factors->have & FACTOR_PASSKEY) != 0);
    return record_put(idp, FACTORS, factors->user, factors->record, NULL, err);
}

int factors_publish(struct idp *idp, const char *user, unsigned have, struct err *err)
{
    struct kube_server *kube = serve_kube(idp->serve);
    CLEANUP_JSON json_t *object = NULL;
    CLEANUP_JSON json_t *status = json_object();

    if (kube_object_get(kube, &kube_user, "", user, &object, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    json_object_update(status, json_object_get(object, "status"));
    json_object_set_new(status, "mfaMethods", factor_names(have));
    return kube_object_put_status(kube, &kube_user, "", user, status, err);
}

int factors_drop_all(struct idp *idp, const char *user, struct err *err)
{
    TRY(record_delete(idp, FACTORS, user, err));
    TRY(passkeys_drop_all(idp, user, err));
    TRY(device_drop_all(idp, user, err));
    return factors_publish(idp, user, 0, err);
}

/* ------------------------------------------------------------------ TOTP */

static int read_secret(const json_t *totp, uint8_t out[TOTP_SECRET_LEN], struct err *err)
{
    return enc_unhex(span_str(codec_json_text(totp, "secret", "")), out, TOTP_SECRET_LEN, err);
}

/* "https://" is no part of what an app shows. */
static const char *issuer_of(const struct idp *idp)
{
    const char *host = strstr(idp->url, "://");

    return host == NULL ? idp->url : host + 3;
}

int factors_begin_totp(struct idp *idp, struct factors *factors, char secret[64], struct buf *uri,
                       struct err *err)
{
    uint8_t bytes[TOTP_SECRET_LEN];
    char hex[HEX_SIZE];
    CLEANUP_FREE char *issuer = mem_printf("drun %s", issuer_of(idp));

    TRY(crypto_random(bytes, sizeof(bytes), err));
    enc_hex(span_of(bytes, sizeof(bytes)), hex);
    totp_secret_text(span_of(bytes, sizeof(bytes)), secret);
    totp_put_uri(issuer, factors->user, span_of(bytes, sizeof(bytes)), uri);
    json_object_set_new(factors->record, "pending",
                        json_pack("{s:s, s:I}", "secret", hex, "until",
                                  (json_int_t)(clock_wall_sec() + PENDING_SEC)));
    mem_wipe(bytes, sizeof(bytes));
    mem_wipe(hex, sizeof(hex));
    return factors_save(idp, factors, err);
}

int factors_confirm_totp(struct factors *factors, const char *code, struct err *err)
{
    const json_t *pending = json_object_get(factors->record, "pending");
    int64_t now = clock_wall_sec();
    uint8_t secret[TOTP_SECRET_LEN];
    int64_t step = 0;

    if (pending == NULL || record_number(pending, "until") <= now)
        return err_set(err, ERR_GONE, "there is no secret to be confirmed; begin again");
    TRY(read_secret(pending, secret, err));
    int checked = totp_check(span_of(secret, sizeof(secret)), code, now, 0, &step, err);
    mem_wipe(secret, sizeof(secret));
    TRY(checked);
    json_object_set_new(factors->record, "totp",
                        json_pack("{s:s, s:I, s:I}", "secret",
                                  codec_json_text(pending, "secret", ""), "since", (json_int_t)now,
                                  "last", (json_int_t)step));
    json_object_del(factors->record, "pending");
    return 0;
}

int factors_take_totp(struct factors *factors, const char *code, struct err *err)
{
    json_t *totp = json_object_get(factors->record, "totp");
    uint8_t secret[TOTP_SECRET_LEN];
    int64_t step = 0;

    if (totp == NULL)
        return err_set(err, ERR_UNAUTHENTICATED, "the code is wrong, or was used before");
    TRY(read_secret(totp, secret, err));
    int checked = totp_check(span_of(secret, sizeof(secret)), code, clock_wall_sec(),
                             record_number(totp, "last"), &step, err);
    mem_wipe(secret, sizeof(secret));
    TRY(checked);
    json_object_set_new(totp, "last", json_integer(step));
    return 0;
}

/* ------------------------------------------------------------------ recovery codes */

size_t factors_recovery_left(const struct factors *factors)
{
    return json_array_size(json_object_get(factors->record, "recovery"));
}

int factors_make_recovery(struct factors *factors, json_t **codes, struct err *err)
{
    CLEANUP_JSON json_t *shown = json_array();
    CLEANUP_JSON json_t *kept = json_array();

    for (int i = 0; i < RECOVERY_COUNT; i++) {
        char code[RECOVERY_SIZE];
        char id[IDP_ID_SIZE];
        TRY(recovery_make(code, err));
        idp_id_of(code, id);
        json_array_append_new(shown, json_string(code));
        json_array_append_new(kept, json_string(id));
        mem_wipe(code, sizeof(code));
    }
    json_object_set(factors->record, "recovery", kept);
    json_object_set_new(factors->record, "recoverySince", json_integer(clock_wall_sec()));
    *codes = json_incref(shown);
    return 0;
}

int factors_take_recovery(struct factors *factors, const char *code, struct err *err)
{
    json_t *kept = json_object_get(factors->record, "recovery");
    char normal[RECOVERY_SIZE] = "";
    char id[IDP_ID_SIZE];
    bool readable = recovery_normal(code, normal);
    size_t found = SIZE_MAX;
    const json_t *one;
    size_t i;

    idp_id_of(normal, id);
    mem_wipe(normal, sizeof(normal));
    json_array_foreach (kept, i, one)
        if (json_string_length(one) == IDP_ID_SIZE - 1 &&
            mem_equal_ct(json_string_value(one), id, IDP_ID_SIZE - 1))
            found = i;
    if (!readable || found == SIZE_MAX)
        return err_set(err, ERR_UNAUTHENTICATED, "the code is wrong, or was used before");
    return json_array_remove(kept, found);
}
