/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/factors.h"

#include "crypto/crypto.h"

/* Crockford's: no i, l, o, u. */
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { CHARACTERS = 16, GROUP = 4 };

static void group(const char plain[CHARACTERS], char out[RECOVERY_SIZE])
{
    size_t len = 0;

    for (size_t i = 0; i < CHARACTERS; i++) {
        if (i > 0 && i % GROUP == 0)
            out[len++] = '-';
        out[len++] = plain[i];
    }
    out[len] = '\0';
}

int recovery_make(char out[RECOVERY_SIZE], struct err *err)
{
    uint8_t bytes[CHARACTERS];
    char plain[CHARACTERS];

    TRY(crypto_random(bytes, sizeof(bytes), err));
    for (size_t i = 0; i < CHARACTERS; i++)
        plain[i] = alphabet[bytes[i] % 32]; /* 256 is a multiple of 32 */
    group(plain, out);
    return 0;
}

static char normal(char c)
{
    if (c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    if (c == 'o')
        return '0';
    return c == 'i' || c == 'l' ? '1' : c;
}

bool recovery_normal(const char *typed, char out[RECOVERY_SIZE])
{
    char plain[CHARACTERS];
    size_t len = 0;

    for (; *typed != '\0'; typed++) {
        char c = normal(*typed);
        if (c == '-' || c == ' ')
            continue;
        if (len == CHARACTERS || strchr(alphabet, c) == NULL)
            return false;
        plain[len++] = c;
    }
    if (len != CHARACTERS)
        return false;
    group(plain, out);
    return true;
}
