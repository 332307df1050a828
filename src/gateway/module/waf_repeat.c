/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients say the same again: the same headers, the same path, a body that differs in its prose
 * alone. A request of which the rules see the same bytes as of one that met no rule meets none, as
 * long as no rule looks at the time or at what is random (waf_engine_is_repeatable). What is kept
 * of such a request is half of the SHA-256 of all that the rules see.
 */
#include "gateway/module/waf.h"

#include "crypto/crypto.h"

enum { PLACES = 4096, SEEN_MAX = 64 * 1024 };

struct place {
    struct gw_waf_print print;
    enum gw_waf_answers answers;
};

static struct place places[PLACES];

void gw_waf_forget(void)
{
    memset(places, 0, sizeof(places));
}

static void put(struct buf *out, struct span text)
{
    buf_put_u32(out, (uint32_t)text.len);
    buf_put_span(out, text);
}

static void put_headers(const ngx_http_request_t *r, struct span length, struct buf *out)
{
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            bool is_length = &headers[i] == r->headers_in.content_length && length.p != NULL;
            put(out, gw_span(headers[i].key));
            put(out, is_length ? length : gw_span(headers[i].value));
        }
    }
}

bool gw_waf_print_of(ngx_http_request_t *r, const struct gw_waf_subject *subject,
                     const struct gw_waf_seen *seen, struct gw_waf_print *out)
{
    static uint8_t room[SEEN_MAX + 1]; /* one request at a time */
    struct buf text = {.data = room, .cap = sizeof(room), .max = SEEN_MAX};
    uint8_t hash[CRYPTO_HASH_LEN];

    put(&text, gw_span(r->connection->addr_text));
    put(&text, gw_span(r->connection->listening->addr_text));
    put(&text, gw_waf_user(subject));
    put(&text, subject->namespace);
    put(&text, subject->service);
    put(&text, gw_span(r->method_name));
    put(&text, gw_span(r->unparsed_uri));
    put(&text, gw_span(r->http_protocol));
    put(&text, seen->body);
    put_headers(r, seen->length, &text);
    if (text.overflowed)
        return false;
    crypto_sha256(buf_span(&text), hash);
    memcpy(out, hash, sizeof(*out));
    return true;
}

static struct place *place_of(const struct gw_waf_print *print)
{
    return &places[print->words[0] % PLACES];
}

bool gw_waf_is_known(const struct gw_waf_print *print, enum gw_waf_answers *answers)
{
    const struct place *place = place_of(print);

    *answers = place->answers;
    return place->print.words[0] == print->words[0] && place->print.words[1] == print->words[1] &&
           (print->words[0] | print->words[1]) != 0;
}

void gw_waf_remember(const struct gw_waf_print *print, enum gw_waf_answers answers)
{
    *place_of(print) = (struct place){.print = *print, .answers = answers};
}
