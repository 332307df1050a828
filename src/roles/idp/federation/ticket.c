/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on its way through a provider, in a cookie of its own: a secret and, readable but sealed,
 * where it goes. `state`, `nonce` and the code verifier are keyed hashes of both. Nothing is stored
 * until somebody has signed in, so that nobody can fill the store; then it is used up.
 */
#include "idp/federation/flow.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "idp/oauth/oauth.h"

enum { COOKIE_NAME_SIZE = 40, COOKIE_MAX = 3900, SECRET_LEN = IDP_SECRET_SIZE - 1 };

static void cookie_name(const char *state, char out[COOKIE_NAME_SIZE])
{
    char id[IDP_ID_SIZE];

    idp_id_of(state, id);
    snprintf(out, COOKIE_NAME_SIZE, "__Host-drun-at-%.12s", id);
}

/* 43 characters that nobody else can know, of what is in the cookie. */
static void derive(const struct flow *flow, const char *what, const char *cookie,
                   char out[IDP_SECRET_SIZE])
{
    CLEANUP_FREE char *text = mem_printf("federation %s %s %s", what, flow->provider.uid, cookie);
    CLEANUP(buf_free_wiped) struct buf encoded = BUF_INIT(64);
    uint8_t mac[CRYPTO_HASH_LEN];

    crypto_hmac_sha256(span_of(flow->idp->pepper, sizeof(flow->idp->pepper)), span_str(text), mac);
    enc_base64_put(ENC_BASE64URL, span_of(mac, sizeof(mac)), &encoded);
    snprintf(out, IDP_SECRET_SIZE, "%s", buf_text(&encoded));
    mem_wipe(text, strlen(text));
    mem_wipe(mac, sizeof(mac));
}

static void put_derived(struct flow *flow, const char *name, const char *cookie)
{
    char text[IDP_SECRET_SIZE];

    derive(flow, name, cookie, text);
    json_object_set_new(flow->record, name, json_string(text));
    mem_wipe(text, sizeof(text));
}

int ticket_make(struct flow *flow, char state[IDP_SECRET_SIZE], struct err *err)
{
    CLEANUP(buf_free) struct buf payload = BUF_INIT(COOKIE_MAX);
    CLEANUP(buf_free_wiped) struct buf cookie = BUF_INIT(COOKIE_MAX);
    char secret[IDP_SECRET_SIZE], name[COOKIE_NAME_SIZE];

    TRY(idp_random(secret, err));
    json_object_set_new(flow->record, "until",
                        json_integer(clock_wall_sec() + FEDERATION_FLOW_SEC));
    codec_json_put(flow->record, &payload);
    buf_printf(&cookie, "%s.", secret);
    mem_wipe(secret, sizeof(secret));
    enc_base64_put(ENC_BASE64URL, buf_span(&payload), &cookie);
    if (payload.overflowed || cookie.overflowed)
        return err_set(err, ERR_TOO_LARGE, "where it leads afterwards is too long");
    derive(flow, "state", buf_text(&cookie), state);
    put_derived(flow, "nonce", buf_text(&cookie));
    put_derived(flow, "verifier", buf_text(&cookie));
    cookie_name(state, name);
    cookie_put(flow->request, name, buf_text(&cookie), FEDERATION_FLOW_SEC);
    return 0;
}

static int is_over(struct err *err)
{
    return err_set(err, ERR_GONE,
                   "this sign-in was answered already, took too long or was begun in another "
                   "browser; begin again");
}

static int read_payload(struct flow *flow, const char *cookie, struct err *err)
{
    CLEANUP(buf_free) struct buf payload = BUF_INIT(COOKIE_MAX);
    const char *dot = strchr(cookie, '.');

    if (dot == NULL || dot - cookie != SECRET_LEN)
        return is_over(err);
    TRY(enc_unbase64(ENC_BASE64URL, span_str(dot + 1), &payload, err));
    return codec_json_parse(buf_span(&payload), "the cookie", &flow->record, err);
}

int ticket_take(struct flow *flow, struct err *err)
{
    const char *header = http_request_header(flow->request->http, "Cookie");
    const char *state = http_request_query(flow->request->http, "state");
    char name[COOKIE_NAME_SIZE], expected[IDP_SECRET_SIZE];

    if (state == NULL || strlen(state) != SECRET_LEN)
        return is_over(err);
    cookie_name(state, name);
    struct span found = oauth_cookie_find(span_str(header == NULL ? "" : header), name);
    if (found.p == NULL || found.len > COOKIE_MAX)
        return is_over(err);
    CLEANUP_FREE char *cookie = mem_strndup((const char *)found.p, found.len);
    derive(flow, "state", cookie, expected);
    if (!mem_equal_ct(expected, state, SECRET_LEN))
        return is_over(err);
    cookie_drop(flow->request, name);
    TRY(read_payload(flow, cookie, err));
    if (record_number(flow->record, "until") <= clock_wall_sec())
        return is_over(err);
    put_derived(flow, "nonce", cookie);
    put_derived(flow, "verifier", cookie);
    return 0;
}

int ticket_use_up(struct flow *flow, struct err *err)
{
    CLEANUP_FREE char *text =
        mem_printf("federation %s", codec_json_text(flow->record, "nonce", ""));
    CLEANUP_JSON json_t *record =
        json_pack("{s:I}", "until", (json_int_t)record_number(flow->record, "until"));
    char id[IDP_ID_SIZE];

    idp_id_of(text, id);
    if (record_put_new(flow->idp, GRANT_USED, id, record, err) == 0)
        return 0;
    return err->code == ERR_EXISTS ? is_over(err) : -1;
}
