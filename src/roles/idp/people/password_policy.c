/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a password must be: long enough, not the user's own name, none of those that are tried
 * first, and not in the list of breached ones when there is one. The list is a file of SHA-1 hashes
 * in hex, sorted, one a line, as Have I Been Pwned gives them ("HASH:COUNT"); a line may also have
 * only the first digits of a hash, ten at least. It is searched in place, never read whole.
 */
#include "idp/factors/factors.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/num.h"
#include "crypto/crypto.h"
#include "idp/people/breached.h"
#include "role/settings.h"

#include <fcntl.h>

/* What the lists of leaked passwords begin with, of those that are long enough; in lower case. */
static const char *const common[] = {
    "123456789012",   "1234567890123",  "12345678901234",   "123123123123",     "111111111111",
    "000000000000",   "1q2w3e4r5t6y",   "qwertyuiop12",     "qwertyuiopas",     "qwertyuiop123",
    "q1w2e3r4t5y6",   "1qaz2wsx3edc",   "qazwsxedcrfv",     "abcdefghijkl",     "abcd1234abcd",
    "password1234",   "password12345",  "passwordpassword", "mypassword123",    "welcome12345",
    "administrator",  "administrator1", "adminadminadmin",  "changeme1234",     "changemechangeme",
    "letmeinletmein", "iloveyou1234",   "unknownunknown",   "superman1234",     "football1234",
    "baseball1234",   "sunshine1234",   "princess1234",     "qwerty123456",     "qwertyqwerty",
    "secretsecret",   "testtesttest",   "test12345678",     "user12345678",     "admin1234567",
    "admin12345678",  "p@ssw0rd1234",   "passw0rd1234",     "trustno1trustno1",
};

static bool same_letters(const char *password)
{
    return strspn(password, (char[]){password[0], '\0'}) == strlen(password);
}

static bool is_guessable(const char *name, const char *password)
{
    size_t len = strlen(password);
    bool guessable = same_letters(password) ||
                     (strlen(name) >= 3 && strcasestr(password, name) && len < strlen(name) + 8);

    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        guessable |= strcasecmp(password, common[i]) == 0;
    return guessable;
}

int password_policy_start(struct idp *idp, struct err *err)
{
    const char *path = role_settings(idp->role)->breached.file;

    if (path == NULL)
        return 0;
    idp->breached_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (idp->breached_fd < 0)
        return err_sys(err, "cannot open the list of breached passwords, %s", path);
    return breached_check_file(idp->breached_fd, path, err);
}

void password_refuse_breached(struct err *err)
{
    err_set(err, ERR_INVALID,
            "this password was in a breach of some other site and is known to attackers; take "
            "another one");
}

int password_check(const struct idp *idp, const char *name, const char *password, struct err *err)
{
    size_t least = (size_t)role_settings(idp->role)->password_min_length;
    size_t len = strlen(password);
    bool found = false;

    if (len < least)
        return err_set(err, ERR_INVALID, "a password needs at least %zu characters", least);
    if (len > HASHER_PASSWORD_MAX)
        return err_set(err, ERR_INVALID, "a password has at most %d bytes", HASHER_PASSWORD_MAX);
    if (is_guessable(name, password))
        return err_set(err, ERR_INVALID,
                       "this password is among the first that are guessed; take another one");
    if (idp->breached_fd >= 0)
        TRY(breached_find(idp->breached_fd, password, &found, err));
    if (found)
        password_refuse_breached(err);
    return found ? -1 : 0;
}
