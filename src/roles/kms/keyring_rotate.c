/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/num.h"
#include "keyring_internal.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

/* Tokens live for a day at most, server certificates for a week; checkpoints of the audit log are
 * verified for as long as there is a log. */
const struct keyring_policy keyring_policies[] = {
    /* name          algorithm    signs      known before  verifies after */
    {"oidc", SIGN_ES256, 30 * DAY, 1 * DAY, 1 * DAY + HOUR},
    {"oidc-rs256", SIGN_RS256, 30 * DAY, 1 * DAY, 1 * DAY + HOUR},
    {"oidc-eddsa", SIGN_EDDSA, 30 * DAY, 1 * DAY, 1 * DAY + HOUR},
    {"audit", SIGN_EDDSA, 365 * DAY, 1 * DAY, KEYRING_KEEP},
    {"ca", SIGN_ES256, 365 * DAY, 7 * DAY, 8 * DAY},
    {0},
};

const struct keyring_policy *keyring_policy(const char *name)
{
    for (const struct keyring_policy *policy = keyring_policies; policy->name != NULL; policy++)
        if (strcmp(policy->name, name) == 0)
            return policy;
    return NULL;
}

static const struct keyring_generation *newest(const struct keyring *keyring, const char *name)
{
    for (size_t i = keyring->generation_count; i > 0; i--)
        if (strcmp(keyring->generations[i - 1].name, name) == 0)
            return &keyring->generations[i - 1];
    return NULL;
}

int keyring_add_kek(struct keyring *keyring, int64_t now_sec, struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    uint32_t version = keyring->kek_count == 0 ? 1 : keyring_newest_kek(keyring)->version + 1;

    if (keyring->kek_count == KEYRING_KEKS_MAX)
        return err_set(err, ERR_LIMITED, "the keyring holds %d KEKs already", KEYRING_KEKS_MAX);
    TRY(secret_random(CRYPTO_KEY_LEN, &key, err));
    struct keyring_kek *kek = keyring_push_kek(keyring);
    *kek = (struct keyring_kek){.version = version, .created_sec = now_sec, .key = key};
    key = NULL;
    return 0;
}

static int make_key(const struct keyring_policy *policy, struct keyring_generation *out,
                    struct err *err)
{
    CLEANUP_FREE char *common_name = NULL;

    TRY(sign_key_generate(policy->alg, &out->key, err));
    sign_key_kid(out->key, out->kid);
    if (strcmp(policy->name, "ca") != 0)
        return 0;
    /* Each CA has its own subject, or a client cannot tell two of them apart. */
    common_name = mem_printf("drun CA %.8s", out->kid);
    return x509_ca_new(out->key, common_name, KEYRING_CA_TTL_SEC, &out->cert, err);
}

int keyring_add_generation(struct keyring *keyring, const struct keyring_policy *policy,
                           int64_t now_sec, int64_t from_sec, struct err *err)
{
    const struct keyring_generation *last = newest(keyring, policy->name);

    if (keyring->generation_count == KEYRING_GENERATIONS_MAX)
        return err_set(err, ERR_LIMITED, "the keyring holds %d signing keys already",
                       KEYRING_GENERATIONS_MAX);
    if (last != NULL)
        from_sec = NUM_MAX(from_sec, last->from_sec + 1);
    struct keyring_generation *made = keyring_push_generation(keyring);
    memcpy(made->name, policy->name, strlen(policy->name) + 1);
    made->alg = policy->alg;
    made->created_sec = now_sec;
    made->from_sec = from_sec;
    if (make_key(policy, made, err) < 0) {
        keyring_drop_generation(keyring, keyring->generation_count - 1);
        return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ by schedule */

bool keyring_kek_spent(const struct keyring *keyring)
{
    return keyring_newest_kek(keyring)->wraps >= KEYRING_KEK_WRAPS;
}

static int add_saved_kek(struct keyring *keyring, int64_t now_sec, struct err *err)
{
    TRY(keyring_add_kek(keyring, now_sec, err));
    if (keyring_save(keyring, err) == 0)
        return 0;
    keyring_drop_kek(keyring);
    return -1;
}

static int add_saved_generation(struct keyring *keyring, const struct keyring_policy *policy,
                                int64_t now_sec, int64_t from_sec, struct err *err)
{
    TRY(keyring_add_generation(keyring, policy, now_sec, from_sec, err));
    if (keyring_save(keyring, err) == 0)
        return 0;
    keyring_drop_generation(keyring, keyring->generation_count - 1);
    return -1;
}

static int forget_ended(struct keyring *keyring, int64_t now_sec, struct err *err)
{
    size_t before = keyring->generation_count;
    enum keys_state state;
    int64_t until_sec;

    for (size_t i = 0; i < keyring->generation_count;)
        if (keyring_generation_state(keyring, i, now_sec, &state, &until_sec))
            i++;
        else
            keyring_drop_generation(keyring, i);
    return keyring->generation_count == before ? 0 : keyring_save(keyring, err);
}

static void put_name(struct buf *names, const char *name)
{
    if (names->len > 0)
        buf_put_u8(names, ' ');
    buf_put_str(names, name);
}

/* When a generation that must be made now starts to sign; -1 when none is due. */
static int64_t next_from_sec(const struct keyring *keyring, const struct keyring_policy *policy,
                             int64_t now_sec)
{
    const struct keyring_generation *last = newest(keyring, policy->name);

    if (last == NULL) /* a key that the drun which made the keyring did not have */
        return now_sec;
    int64_t end_sec = last->from_sec + policy->period_sec;
    return now_sec < end_sec - policy->publish_sec
               ? -1
               : NUM_MAX(end_sec, now_sec + policy->publish_sec);
}

int keyring_rotate_due(struct keyring *keyring, int64_t now_sec, struct buf *names, struct err *err)
{
    int made = 0;

    if (keyring_kek_spent(keyring) ||
        now_sec - keyring_newest_kek(keyring)->created_sec >= KEYRING_KEK_AGE_SEC) {
        TRY(add_saved_kek(keyring, now_sec, err));
        put_name(names, "kek");
        made++;
    }
    for (const struct keyring_policy *policy = keyring_policies; policy->name != NULL; policy++) {
        int64_t from_sec = next_from_sec(keyring, policy, now_sec);
        if (from_sec < 0)
            continue;
        TRY(add_saved_generation(keyring, policy, now_sec, from_sec, err));
        put_name(names, policy->name);
        made++;
    }
    TRY(forget_ended(keyring, now_sec, err));
    return made;
}

/* ------------------------------------------------------------------ on demand */

static int check_gap(const char *what, int64_t last_sec, int64_t now_sec, struct err *err)
{
    int64_t age_sec = now_sec - last_sec;

    if (age_sec >= 0 && age_sec < KEYRING_ROTATE_GAP_SEC)
        return err_set(err, ERR_LIMITED, "%s is %lld seconds old; rotate at most once a minute",
                       what, (long long)age_sec);
    return 0;
}

/* Some generations stay for ever: nobody may fill the keyring with them. */
static int check_room(const struct keyring *keyring, const char *what, struct err *err)
{
    size_t count = 0;

    for (size_t i = 0; i < keyring->generation_count; i++)
        count += strcmp(keyring->generations[i].name, what) == 0;
    if (count >= KEYRING_ON_DEMAND_MAX)
        return err_set(err, ERR_LIMITED, "%s has %zu generations; it rotates by schedule only",
                       what, count);
    return 0;
}

int keyring_rotate(struct keyring *keyring, const char *what, int64_t now_sec, struct err *err)
{
    const struct keyring_policy *policy = keyring_policy(what);

    if (strcmp(what, "kek") == 0) {
        TRY(check_gap(what, keyring_newest_kek(keyring)->created_sec, now_sec, err));
        return add_saved_kek(keyring, now_sec, err);
    }
    if (policy == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no key \"%s\" to rotate", what);
    const struct keyring_generation *last = newest(keyring, what);
    if (last == NULL)
        return add_saved_generation(keyring, policy, now_sec, now_sec, err);
    if (last->from_sec > now_sec)
        return err_set(err, ERR_EXISTS, "the next generation of %s is published already", what);
    TRY(check_gap(what, last->created_sec, now_sec, err));
    TRY(check_room(keyring, what, err));
    return add_saved_generation(keyring, policy, now_sec, now_sec + policy->publish_sec, err);
}

/* ------------------------------------------------------------------ withdrawal */

static int find_kid(const struct keyring *keyring, const char *kid, size_t *out_i, struct err *err)
{
    for (size_t i = 0; i < keyring->generation_count; i++)
        if (strcmp(keyring->generations[i].kid, kid) == 0) {
            *out_i = i;
            return 0;
        }
    return err_set(err, ERR_NOT_FOUND, "there is no key with the kid \"%s\"", kid);
}

/* The published next generation signs now, or a new one does. */
static int sign_with_next(struct keyring *keyring, const struct keyring_policy *policy,
                          int64_t now_sec, struct err *err)
{
    const struct keyring_generation *last = newest(keyring, policy->name);

    if (last == NULL || last->from_sec <= now_sec)
        return keyring_add_generation(keyring, policy, now_sec, now_sec, err);
    keyring->generations[last - keyring->generations].from_sec = now_sec;
    return 0;
}

int keyring_withdraw(struct keyring *keyring, const char *kid, int64_t now_sec, struct err *err)
{
    enum keys_state state;
    int64_t until_sec;
    size_t i = 0;

    TRY(find_kid(keyring, kid, &i, err));
    const struct keyring_policy *policy = keyring_policy(keyring->generations[i].name);
    (void)keyring_generation_state(keyring, i, now_sec, &state, &until_sec);
    bool stays = policy->keep_sec == KEYRING_KEEP && state != KEYS_NEXT;
    if (stays && state == KEYS_RETIRED)
        return err_set(err, ERR_EXISTS, "the key %s signs no more; it stays to verify", kid);
    if (!stays)
        keyring_drop_generation(keyring, i);
    if (state == KEYS_CURRENT)
        TRY(sign_with_next(keyring, policy, now_sec, err));
    if (keyring_save(keyring, err) < 0)
        return err_wrap(err, "the key is withdrawn, but comes back at the next start");
    return 0;
}
