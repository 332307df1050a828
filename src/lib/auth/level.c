/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "base/clock.h"

static const char *const acrs[AUTH_LEVEL_COUNT] = {
    [AUTH_LEVEL_NONE] = "",
    [AUTH_LEVEL_PASSWORD] = "urn:drun:password",
    [AUTH_LEVEL_DEVICE] = "urn:drun:trusted-device",
    [AUTH_LEVEL_MFA] = "urn:drun:mfa",
    [AUTH_LEVEL_PHISHING_RESISTANT] = "phr",
};

const char *auth_level_acr(enum auth_level level)
{
    return acrs[level];
}

enum auth_level auth_level_by_acr(struct span acr)
{
    for (enum auth_level level = AUTH_LEVEL_PASSWORD; level < AUTH_LEVEL_COUNT; level++)
        if (span_eq_str(acr, acrs[level]))
            return level;
    return AUTH_LEVEL_NONE;
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
            return true;
    return false;
}

enum auth_level auth_level_of_amr(const char *amr)
{
    if (amr == NULL || amr[0] == '\0')
        return AUTH_LEVEL_NONE;
    if (has_word(amr, "mfa"))
        return has_word(amr, "hwk") || has_word(amr, "swk") ? AUTH_LEVEL_PHISHING_RESISTANT
                                                            : AUTH_LEVEL_MFA;
    return has_word(amr, "rba") ? AUTH_LEVEL_DEVICE : AUTH_LEVEL_PASSWORD;
}

bool auth_satisfies(enum auth_level level, int64_t auth_time, const struct auth_demand *demand)
{
    /* A clock that was set back makes no sign-in fresh for ever. */
    int64_t age = clock_wall_sec() - auth_time;

    return level >= demand->level &&
           (demand->max_age_sec == 0 ||
            (age <= (int64_t)demand->max_age_sec && age >= -AUTH_SKEW_SEC));
}
