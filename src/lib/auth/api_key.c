/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"
#include "base/mem.h"
#include "crypto/crypto.h"

enum { PREFIX_LEN = 8, BODY_LEN = 43, CHECK_LEN = 6, RANDOM_LEN = 32, BASE = 62 };

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 (IEEE 802.3), half a byte at a time. */
static uint32_t crc32_of(const char *text, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= (uint8_t)text[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static void put_check(const char *key, char out[CHECK_LEN])
{
    uint32_t crc = crc32_of(key, PREFIX_LEN + BODY_LEN);

    for (int i = CHECK_LEN - 1; i >= 0; i--) {
        out[i] = digits[crc % BASE];
        crc /= BASE;
    }
}

/* The number in base 62, most significant digit first. */
static void put_body(uint8_t number[RANDOM_LEN], char out[BODY_LEN])
{
    for (int i = BODY_LEN - 1; i >= 0; i--) {
        uint32_t rest = 0;
        for (int j = 0; j < RANDOM_LEN; j++) {
            rest = rest << 8 | number[j];
            number[j] = (uint8_t)(rest / BASE);
            rest %= BASE;
        }
        out[i] = digits[rest];
    }
}

int auth_key_generate(char out[AUTH_KEY_SIZE], struct err *err)
{
    uint8_t number[RANDOM_LEN];

    TRY(crypto_random(number, sizeof(number), err));
    memcpy(out, AUTH_KEY_PREFIX, PREFIX_LEN);
    put_body(number, out + PREFIX_LEN);
    put_check(out, out + PREFIX_LEN + BODY_LEN);
    out[AUTH_KEY_LEN] = '\0';
    mem_wipe(number, sizeof(number));
    return 0;
}

static bool is_digit(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

int auth_key_check(struct span text, struct err *err)
{
    char check[CHECK_LEN];

    if (text.len != AUTH_KEY_LEN || !span_has_prefix(text, AUTH_KEY_PREFIX))
        return err_set(err, ERR_INVALID, "an API key is \"%s\" and %d characters", AUTH_KEY_PREFIX,
                       BODY_LEN + CHECK_LEN);
    for (size_t i = PREFIX_LEN; i < text.len; i++)
        if (!is_digit(text.p[i]))
            return err_set(err, ERR_INVALID, "character %zu of the API key is no letter or digit",
                           i + 1);
    put_check((const char *)text.p, check);
    if (memcmp(check, text.p + PREFIX_LEN + BODY_LEN, CHECK_LEN) != 0)
        return err_set(err, ERR_INVALID, "the API key is mistyped: its check sum is wrong");
    return 0;
}
