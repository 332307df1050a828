/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/sms.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "egress/egress.h"
#include "idp/factors/quota.h"
#include "log/log.h"
#include "role/settings.h"

#include <fcntl.h>
#include <stdlib.h>

enum { AUTH_MAX = 4096, BODY_MAX = 8192, HOUR = 3600, DAY = 86400 };

struct sms {
    const struct settings *settings;
    char *headers[3]; /* Content-Type, Authorization; ends with NULL */
    struct buf ca;
    struct quota *quota;
};

void sms_free(struct sms *sms)
{
    if (sms == NULL)
        return;
    quota_free(sms->quota);
    buf_free(&sms->ca);
    for (size_t i = 0; i < ARRAY_LEN(sms->headers); i++) {
        if (sms->headers[i] != NULL)
            mem_wipe(sms->headers[i], strlen(sms->headers[i]));
        free(sms->headers[i]);
    }
    free(sms);
}

/* The first line of the file is the value of the Authorization header. */
static int read_authorization(struct sms *sms, const char *path, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(AUTH_MAX);

    TRY(fd_read_file(AT_FDCWD, path, &text, err));
    size_t len = strcspn(buf_text(&text), "\r\n");
    if (len == 0)
        return err_set(err, ERR_INVALID, "%s: its first line is empty", path);
    sms->headers[1] = mem_printf("Authorization: %.*s", (int)len, buf_text(&text));
    return 0;
}

int sms_start(struct idp *idp, struct err *err)
{
    const struct settings *settings = role_settings(idp->role);

    if (settings->sms_url == NULL)
        return 0;
    if (strncmp(settings->sms_url, "https://", 8) != 0)
        return err_set(err, ERR_INVALID, "sms-url must begin with https://");
    struct sms *sms = mem_new(sizeof(*sms));
    idp->sms = sms;
    *sms = (struct sms){.settings = settings, .ca = BUF_INIT(EGRESS_CA_MAX), .quota = quota_new()};
    sms->headers[0] = mem_printf("Content-Type: %s", sms_content_type(settings->sms_body));
    if (settings->sms_authorization_file != NULL)
        TRY(read_authorization(sms, settings->sms_authorization_file, err));
    if (settings->sms_ca_file != NULL)
        TRY(fd_read_file(AT_FDCWD, settings->sms_ca_file, &sms->ca, err));
    return 0;
}

bool sms_is_there(const struct idp *idp)
{
    return idp->sms != NULL;
}

/* ------------------------------------------------------------------ limits */

static bool prefix_is_allowed(const struct settings *settings, const char *number)
{
    if (settings->sms_prefixes.count == 0)
        return true;
    for (size_t i = 0; i < settings->sms_prefixes.count; i++)
        if (strncmp(number, settings->sms_prefixes.items[i],
                    strlen(settings->sms_prefixes.items[i])) == 0)
            return true;
    return false;
}

int sms_allow(struct idp *idp, struct serve_request *request, const char *user, const char *number,
              struct err *err)
{
    const struct settings *settings = idp->sms->settings;
    char country[5];
    const struct quota_rule rules[] = {
        {"sms number/hour", number, 5, HOUR},
        {"sms number/day", number, 10, DAY},
        {"sms account/day", user, 10, DAY},
        {"sms address/hour", serve_address(request), 20, HOUR},
        {"sms country/hour", country, (uint32_t)settings->sms_per_hour, HOUR},
    };

    snprintf(country, sizeof(country), "%.4s", number);
    if (!prefix_is_allowed(settings, number))
        return err_set(err, ERR_DENIED, "this platform sends no messages to numbers of %s…",
                       country);
    uint32_t wait =
        quota_take(idp->sms->quota, rules, ARRAY_LEN(rules), clock_mono_ns() / 1000000000ULL);
    if (wait == 0)
        return 0;
    reply_retry_after(request, wait);
    return err_set(err, ERR_LIMITED,
                   "too many messages were sent; the next one is possible in %u s", wait);
}

/* ------------------------------------------------------------------ codes */

static void hash_of(const struct idp *idp, const char *number, const char *code,
                    char out[2 * CRYPTO_HASH_LEN + 1])
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(128);
    uint8_t mac[CRYPTO_HASH_LEN];

    buf_printf(&text, "sms code %s %s", number, code);
    crypto_hmac_sha256(span_of(idp->pepper, sizeof(idp->pepper)), buf_span(&text), mac);
    enc_hex(span_of(mac, sizeof(mac)), out);
}

int sms_code(struct idp *idp, const char *number, char code[SMS_CODE_DIGITS + 1], json_t **record,
             struct err *err)
{
    char hash[2 * CRYPTO_HASH_LEN + 1];
    uint32_t random;

    /* The highest numbers would make some codes likelier than others. */
    do
        TRY(crypto_random(&random, sizeof(random), err));
    while (random >= 4294000000U);
    snprintf(code, SMS_CODE_DIGITS + 1, "%06u", random % 1000000U);
    hash_of(idp, number, code, hash);
    *record = json_pack("{s:s, s:s, s:I, s:i}", "number", number, "hash", hash, "until",
                        (json_int_t)(clock_wall_sec() + SMS_CODE_SEC), "tries", 0);
    return 0;
}

int sms_check(const struct idp *idp, const json_t *record, const char *number, const char *code,
              struct err *err)
{
    const char *kept = codec_json_text(record, "hash", "");
    char hash[2 * CRYPTO_HASH_LEN + 1];

    hash_of(idp, number, code, hash);
    if (record_number(record, "until") > clock_wall_sec() && strlen(kept) == sizeof(hash) - 1 &&
        mem_equal_ct(kept, hash, sizeof(hash) - 1))
        return 0;
    return err_set(err, ERR_UNAUTHENTICATED, "the code is wrong, or its time is over");
}

/* ------------------------------------------------------------------ sending */

struct sending {
    struct serve_request *request;
    char mask[SMS_NUMBER_SIZE];
};

static void answer(struct sending *sending, const struct err *failed)
{
    if (failed != NULL) {
        reply_err(sending->request, failed);
        return;
    }
    CLEANUP_JSON json_t *body =
        json_pack("{s:s, s:i}", "number", sending->mask, "expiresInSeconds", SMS_CODE_SEC);
    reply_json(sending->request, 202, body);
}

static void on_sent(void *ctx, const struct egress_answer *got, const struct err *why)
{
    struct sending *sending = ctx;
    struct err err = ERR_INIT;

    if (why != NULL)
        err_set(&err, ERR_UNAVAILABLE, "the message could not be sent: %s", why->msg);
    else if (got->status < 200 || got->status > 299)
        err_set(&err, ERR_UNAVAILABLE,
                "the message could not be sent: the text message gateway answered %u", got->status);
    if (err.code != ERR_NONE)
        log_error("idp.sms", &err);
    answer(sending, err.code != ERR_NONE ? &err : NULL);
    serve_answered(sending->request);
}

static int hand_over(struct idp *idp, const char *number, const char *code, struct sending *sending,
                     struct err *err)
{
    const struct sms *sms = idp->sms;
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(BODY_MAX);
    CLEANUP_FREE char *text =
        mem_printf("%s is your code for %s. It holds for %d minutes. Nobody of us will ask you for "
                   "it.",
                   code, idp->rp_id, SMS_CODE_SEC / 60);
    struct egress_request request = {
        .endpoint = {.name = "setting sms-url",
                     .ca_pem = buf_span(&sms->ca),
                     .private_network = sms->settings->sms_private_network},
        .method = "POST",
        .url = sms->settings->sms_url,
        .headers = (const char *const *)sms->headers,
    };

    sms_put_body(sms->settings->sms_body, number, text, &body);
    mem_wipe(text, strlen(text));
    TRY(buf_check(&body, "the text message", err));
    request.body = buf_span(&body);
    return egress_fetch(idp->egress, &request, on_sent, sending, NULL, err);
}

void sms_send(struct idp *idp, struct serve_request *request, const char *number, const char *code)
{
    struct sending *sending = arena_alloc(request->http->arena, sizeof(*sending));
    struct err err = ERR_INIT;

    if (arena_check(request->http->arena, "the request", &err) < 0) {
        reply_err(request, &err);
        return;
    }
    *sending = (struct sending){.request = request};
    sms_mask(number, sending->mask);
    if (hand_over(idp, number, code, sending, &err) < 0)
        answer(sending, &err);
    else
        serve_later(request);
}
