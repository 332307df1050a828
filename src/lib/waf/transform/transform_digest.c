/* SPDX-License-Identifier: Apache-2.0 */
/* length, md5, sha1, parity. */
#include "waf/transform/transform_internal.h"

#include <openssl/evp.h>

bool transform_length(struct transform *t)
{
    enum { DIGITS = 24 };

    if (transform_begin(t, 0, DIGITS) == NULL)
        return false;
    int len = snprintf((char *)t->room, DIGITS, "%zu", t->in.len);
    return transform_end(t, t->room + len);
}

static bool digest(struct transform *t, const EVP_MD *md)
{
    unsigned len = 0;

    if (transform_begin(t, 0, EVP_MAX_MD_SIZE) == NULL)
        return false;
    /* OpenSSL may have been told to do without md5: then the value is empty. */
    if (EVP_Digest(t->in.p, t->in.len, t->room, &len, md, NULL) != 1)
        len = 0;
    return transform_end(t, t->room + len);
}

bool transform_md5(struct transform *t)
{
    return digest(t, EVP_md5());
}

bool transform_sha1(struct transform *t)
{
    return digest(t, EVP_sha1());
}

/* The top bit of each byte becomes the parity of the seven others, or its opposite. ModSecurity
 * takes the parity of all eight bits. */
static bool parity(struct transform *t, bool odd)
{
    if (t->in.len == 0 || transform_begin(t, 0, t->in.len) == NULL)
        return false;
    for (size_t i = 0; i < t->in.len; i++) {
        uint8_t c = t->in.p[i];
        bool set = (__builtin_popcount(c) & 1) != odd;
        t->room[i] = (uint8_t)((c & 0x7F) | (set ? 0x80 : 0));
    }
    return transform_end(t, t->room + t->in.len);
}

bool transform_parity_even(struct transform *t)
{
    return parity(t, false);
}

bool transform_parity_odd(struct transform *t)
{
    return parity(t, true);
}

TRANSFORM_SCAN(first_high, c & 0x80)

bool transform_parity_zero(struct transform *t)
{
    size_t same = first_high(t->in.p, t->in.len);

    if (same == t->in.len || transform_begin(t, same, t->in.len) == NULL)
        return false;
    for (size_t i = same; i < t->in.len; i++)
        t->room[i] = t->in.p[i] & 0x7F;
    return transform_end(t, t->room + t->in.len);
}
