/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/idp_internal.h"

#include "base/mem.h"
#include "idp/oauth.h"

static const char *const names[ACR_COUNT] = {
    [ACR_NONE] = "0",
    [ACR_PASSWORD] = "urn:drun:password",
    [ACR_MFA] = "urn:drun:mfa",
    [ACR_PHISHING_RESISTANT] = "phr",
};

const char *acr_name(enum acr acr)
{
    return names[acr];
}

enum acr acr_by_name(struct span name)
{
    for (enum acr acr = ACR_PASSWORD; acr < ACR_COUNT; acr++)
        if (span_eq_str(name, names[acr]))
            return acr;
    return ACR_NONE;
}

/* Keys of WebAuthn cannot be used at another site; codes can be told to one. */
enum acr acr_of(const char *amr)
{
    static const char *const keys[] = {"hwk", "swk", "phr"};
    static const char *const second[] = {"mfa", "otp", "sms"};
    struct span words = span_str(amr);

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (oauth_scope_has(words, keys[i]))
            return ACR_PHISHING_RESISTANT;
    for (size_t i = 0; i < ARRAY_LEN(second); i++)
        if (oauth_scope_has(words, second[i]))
            return ACR_MFA;
    return words.len > 0 ? ACR_PASSWORD : ACR_NONE;
}
