/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include "handle.h"
#include "keys/wire.h"
#include "role/role.h"

enum {
    NAME = 4 + KEYS_NAME_SIZE - 1,
    WRAPPED = 4 + KEYS_WRAPPED_MAX,
    SIGN = NAME + 4 + SIGN_KID_SIZE + 2 + 4 * KEYS_BATCH_MAX + KEYS_SIGN_MAX,
    CERTIFY = 4 + X509_DER_MAX + 4 + 2 + KEYS_SANS_MAX * (1 + 4 + X509_SAN_SIZE),
};

#define SUPERVISOR IPC_FROM(ROLE_SUPERVISOR)
#define AUDIT      IPC_FROM(ROLE_AUDIT)
#define API        IPC_FROM(ROLE_API)
#define IDP        IPC_FROM(ROLE_IDP)
#define SECRETS    IPC_FROM(ROLE_SECRETS)
#define AGENT      IPC_FROM(ROLE_AGENT)
#define POSTURE    IPC_FROM(ROLE_POSTURE)
#define STORES     (AUDIT | API | IDP | SECRETS | AGENT)
#define ALL        (SUPERVISOR | STORES | POSTURE | ROLE_GATEWAYS)

/* clang-format off */
static const struct ipc_message messages[] = {
    /* type            name           from                 max_len     flags      handler */
    {KMS_STATUS,      "status",      ALL,                  0,          IPC_EMPTY, handle_status},
    {KMS_DATA_NEW,    "data_new",    STORES,               NAME,       0, handle_data_new},
    {KMS_DATA_OPEN,   "data_open",   STORES,               NAME + WRAPPED, 0, handle_data_open},
    {KMS_DATA_REWRAP, "data_rewrap", STORES,               NAME + WRAPPED, 0, handle_data_rewrap},
    {KMS_SIGN,        "sign",        AUDIT | IDP,          SIGN,       0, handle_sign},
    {KMS_PUBLIC,      "public",      AUDIT | API | IDP,    NAME,       0, handle_public},
    {KMS_LIST_PUBLIC, "list_public", AUDIT | API | IDP,    NAME,       0, handle_list_public},
    {KMS_CERTIFY,     "certify",     ROLE_GATEWAYS,        CERTIFY,    0, handle_certify},
    {KMS_CA_PEM,      "ca_pem",      SUPERVISOR | API | ROLE_GATEWAYS, 0, IPC_EMPTY, handle_ca_pem},
    {KMS_ROTATE,      "rotate",      SUPERVISOR | AUDIT | IDP, NAME,   0, handle_rotate},
    {KMS_UNSEAL,      "unseal",      SUPERVISOR,           4 + KEYS_PASSPHRASE_MAX, 0, handle_unseal},
    {KMS_SEAL,        "seal",        SUPERVISOR,           0,          IPC_EMPTY, handle_seal},
    {KMS_EVENTS,      "events",      AUDIT,                16,         0, handle_events},
    {KMS_WITHDRAW,    "withdraw",    SUPERVISOR,           4 + SIGN_KID_SIZE - 1, 0, handle_withdraw},
    {KMS_RESEAL,      "reseal",      SUPERVISOR,           NAME + 4 + KEYS_PASSPHRASE_MAX, 0, handle_reseal},
    {0},
};

struct grant {
    enum role_id role;
    const char *what;
};

/* Whose collections start with what. */
static const struct grant collections[] = {
    {ROLE_AUDIT,   "audit/"},
    {ROLE_API,     "api/"},
    {ROLE_IDP,     "idp/"},
    {ROLE_SECRETS, "secrets/"},
    {ROLE_AGENT,   "agent/"},
};

/* Who signs with which key. */
static const struct grant signers[] = {
    {ROLE_AUDIT, "audit"},
    {ROLE_IDP,   "oidc"},
    {ROLE_IDP,   "oidc-rs256"},
    {ROLE_IDP,   "oidc-eddsa"},
};

/* Who may rotate what before its time: an operator (through the supervisor) and the signer. */
static const struct grant rotators[] = {
    {ROLE_SUPERVISOR, "kek"},
    {ROLE_SUPERVISOR, "ca"},
    {ROLE_SUPERVISOR, "audit"},
    {ROLE_SUPERVISOR, "oidc"},
    {ROLE_SUPERVISOR, "oidc-rs256"},
    {ROLE_SUPERVISOR, "oidc-eddsa"},
    {ROLE_AUDIT,      "audit"},
    {ROLE_IDP,        "oidc"},
    {ROLE_IDP,        "oidc-rs256"},
    {ROLE_IDP,        "oidc-eddsa"},
};
/* clang-format on */

const struct ipc_table kms_table = {
    .server = "kms", .messages = messages, .refused = handle_refused};

static bool is_collection_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == '/';
}

static bool is_granted(const struct grant *grants, size_t count, unsigned peer, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (grants[i].role == peer && strcmp(grants[i].what, what) == 0)
            return true;
    return false;
}

int table_may_open(unsigned peer, const char *collection, struct err *err)
{
    for (const char *c = collection; *c != '\0'; c++)
        if (!is_collection_char(*c))
            return err_set(err, ERR_INVALID, "a collection's name has a character 0x%02x",
                           (uint8_t)*c);
    for (size_t i = 0; i < ARRAY_LEN(collections); i++) {
        size_t len = strlen(collections[i].what);
        if (collections[i].role == peer && strncmp(collection, collections[i].what, len) == 0 &&
            collection[len] != '\0')
            return 0;
    }
    return err_set(err, ERR_DENIED, "this role may not have keys of the collection \"%s\"",
                   collection);
}

int table_may_sign(unsigned peer, const char *name, struct err *err)
{
    if (!is_granted(signers, ARRAY_LEN(signers), peer, name))
        return err_set(err, ERR_DENIED, "this role may not sign with \"%s\"", name);
    return 0;
}

int table_may_rotate(unsigned peer, const char *what, struct err *err)
{
    if (!is_granted(rotators, ARRAY_LEN(rotators), peer, what))
        return err_set(err, ERR_DENIED, "this role may not rotate \"%s\"", what);
    return 0;
}
