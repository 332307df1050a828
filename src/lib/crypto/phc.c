/* SPDX-License-Identifier: Apache-2.0 */
/* The PHC string format, for Argon2id: one text for each set of values, and no other. */
#include "base/enc.h"
#include "base/num.h"
#include "crypto/crypto_internal.h"

enum { BASE64_MAX = 96 };

static bool take_literal(struct span *text, const char *literal)
{
    if (!span_has_prefix(*text, literal))
        return false;
    *text = span_of(text->p + strlen(literal), text->len - strlen(literal));
    return true;
}

/* Up to the next `end`, or to the end of the text. */
static struct span take_until(struct span *text, uint8_t end)
{
    const uint8_t *at = text->len == 0 ? NULL : memchr(text->p, end, text->len);
    struct span part = span_of(text->p, at == NULL ? text->len : (size_t)(at - text->p));

    *text = span_of(text->p + part.len, text->len - part.len);
    return part;
}

static int take_number(struct span *text, const char *name, uint8_t end, uint32_t *out,
                       struct err *err)
{
    uint64_t value;

    if (!take_literal(text, name))
        return err_set(err, ERR_INVALID, "a password hash lacks \"%s\"", name);
    TRY(num_parse_u64(take_until(text, end), 0, UINT32_MAX, name, &value, err));
    *out = (uint32_t)value;
    return 0;
}

static int take_bytes(struct span *text, size_t min, size_t max, uint8_t *out, size_t *out_len,
                      struct err *err)
{
    CLEANUP(buf_free) struct buf padded = BUF_INIT(BASE64_MAX);
    CLEANUP(buf_free_wiped) struct buf bytes = BUF_INIT(max);

    if (!take_literal(text, "$"))
        return err_set(err, ERR_INVALID, "a password hash ends too early");
    buf_put_span(&padded, take_until(text, '$'));
    if (memchr(buf_text(&padded), '=', padded.len) != NULL)
        return err_set(err, ERR_INVALID, "a password hash has padding in its base64");
    while (padded.len % 4 != 0 && !padded.overflowed)
        buf_put_u8(&padded, '=');
    TRY(buf_check(&padded, "a part of a password hash", err));
    TRY(enc_unbase64(ENC_BASE64, buf_span(&padded), &bytes, err));
    if (bytes.len < min)
        return err_set(err, ERR_INVALID, "a part of a password hash has %zu bytes, less than %zu",
                       bytes.len, min);
    memcpy(out, bytes.data, bytes.len);
    *out_len = bytes.len;
    return 0;
}

int kdf_phc_parse(struct span text, struct kdf_phc *out, struct err *err)
{
    if (!take_literal(&text, "$argon2id$v=19$"))
        return err_set(err, ERR_INVALID, "a password hash is not of Argon2id, version 19");
    TRY(take_number(&text, "m=", ',', &out->params.memory_kib, err));
    TRY(take_number(&text, ",t=", ',', &out->params.passes, err));
    TRY(take_number(&text, ",p=", '$', &out->params.lanes, err));
    TRY(kdf_params_check(&out->params, err));
    TRY(take_bytes(&text, KDF_SALT_MIN, KDF_SALT_MAX, out->salt, &out->salt_len, err));
    TRY(take_bytes(&text, KDF_HASH_MIN, KDF_HASH_MAX, out->hash, &out->hash_len, err));
    if (text.len > 0)
        return err_set(err, ERR_INVALID, "a password hash has %zu characters after its end",
                       text.len);
    return 0;
}

static void put_bytes(struct span bytes, struct buf *out)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(BASE64_MAX);

    enc_base64_put(ENC_BASE64, bytes, &text);
    while (text.len > 0 && text.data[text.len - 1] == '=')
        text.len--;
    buf_put_u8(out, '$');
    buf_put_span(out, buf_span(&text));
}

void kdf_phc_put(const struct kdf_phc *phc, struct buf *out)
{
    buf_printf(out, "$argon2id$v=19$m=%u,t=%u,p=%u", phc->params.memory_kib, phc->params.passes,
               phc->params.lanes);
    put_bytes(span_of(phc->salt, phc->salt_len), out);
    put_bytes(span_of(phc->hash, phc->hash_len), out);
}
