/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"

static const char hex_digits[] = "0123456789abcdef";

void enc_hex(struct span bytes, char *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        out[2 * i] = hex_digits[bytes.p[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes.p[i] & 15];
    }
    out[2 * bytes.len] = '\0';
}

void enc_hex_put(struct span bytes, struct buf *out)
{
    uint8_t *at = buf_reserve(out, 2 * bytes.len);

    if (at == NULL)
        return;
    enc_hex(bytes, (char *)at);
    buf_commit(out, 2 * bytes.len);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int enc_unhex(struct span text, uint8_t *out, size_t out_len, struct err *err)
{
    if (text.len != 2 * out_len)
        return err_set(err, ERR_INVALID, "hex text has %zu characters, not %zu", text.len,
                       2 * out_len);
    for (size_t i = 0; i < out_len; i++) {
        int high = hex_value(text.p[2 * i]);
        int low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return err_set(err, ERR_INVALID, "character %zu is not a hex digit", 2 * i + 1);
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static const char alphabets[2][65] = {
    [ENC_BASE64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [ENC_BASE64URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

static bool is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void enc_percent_put(const char *text, struct buf *out)
{
    static const char upper[] = "0123456789ABCDEF";

    for (; *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;
        if (is_unreserved(c)) {
            buf_put_u8(out, c);
            continue;
        }
        buf_put_u8(out, '%');
        buf_put_u8(out, (uint8_t)upper[c >> 4]);
        buf_put_u8(out, (uint8_t)upper[c & 15]);
    }
}

void enc_base64_put(enum enc_base64 kind, struct span bytes, struct buf *out)
{
    const char *alphabet = alphabets[kind];
    size_t whole = bytes.len / 3 * 3;
    size_t rest = bytes.len - whole;
    uint8_t *at = buf_reserve(out, whole / 3 * 4);

    if (at == NULL)
        return;
    for (size_t i = 0; i < whole; i += 3) {
        uint32_t v = (uint32_t)bytes.p[i] << 16 | (uint32_t)bytes.p[i + 1] << 8 | bytes.p[i + 2];
        *at++ = (uint8_t)alphabet[v >> 18];
        *at++ = (uint8_t)alphabet[v >> 12 & 63];
        *at++ = (uint8_t)alphabet[v >> 6 & 63];
        *at++ = (uint8_t)alphabet[v & 63];
    }
    buf_commit(out, whole / 3 * 4);
    if (rest == 0)
        return;
    uint32_t v =
        (uint32_t)bytes.p[whole] << 16 | (rest == 2 ? (uint32_t)bytes.p[whole + 1] << 8 : 0);
    char four[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63],
                    rest == 2 ? alphabet[v >> 6 & 63] : '=', '='};
    buf_put(out, four, kind == ENC_BASE64 ? 4 : rest + 1);
}

static int base64_value(enum enc_base64 kind, uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (uint8_t)alphabets[kind][62])
        return 62;
    return c == (uint8_t)alphabets[kind][63] ? 63 : -1;
}

/* The text without its padding; -1 when the padding is not as the kind demands. */
static int strip_padding(enum enc_base64 kind, struct span *text, struct err *err)
{
    if (kind == ENC_BASE64) {
        if (text->len % 4 != 0)
            return err_set(err, ERR_INVALID, "base64 text has %zu characters, no multiple of 4",
                           text->len);
        for (int i = 0; i < 2 && text->len > 0 && text->p[text->len - 1] == '='; i++)
            text->len--;
    }
    if (text->len % 4 == 1)
        return err_set(err, ERR_INVALID, "base64 text of %zu characters is cut off", text->len);
    return 0;
}

int enc_unbase64(enum enc_base64 kind, struct span text, struct buf *out, struct err *err)
{
    uint32_t bits = 0;
    unsigned count = 0;

    TRY(strip_padding(kind, &text, err));
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(kind, text.p[i]);
        if (value < 0)
            return err_set(err, ERR_INVALID, "character %zu is not of the base64 alphabet", i + 1);
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_put_u8(out, (uint8_t)(bits >> count));
            bits &= (1U << count) - 1;
        }
    }
    if (bits != 0)
        return err_set(err, ERR_INVALID, "base64 text ends in bits that are not zero");
    return buf_check(out, "decoded base64 text", err);
}
