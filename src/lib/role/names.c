/* SPDX-License-Identifier: Apache-2.0 */
#include "role/role.h"

#include "base/enc.h"
#include "crypto/crypto.h"

static const char *const names[ROLE_COUNT] = {
    [ROLE_SUPERVISOR] = "supervisor",
    [ROLE_KMS] = "kms",
    [ROLE_AUDIT] = "audit",
    [ROLE_API] = "api",
    [ROLE_IDP] = "idp",
    [ROLE_SECRETS] = "secrets",
    [ROLE_AGENT] = "agent",
    [ROLE_POSTURE] = "posture",
    [ROLE_GATEWAY] = "gateway",
    [ROLE_EXPORTER] = "exporter",
    [ROLE_WAF] = "waf",
    [ROLE_GATEWAY2] = "gateway2",
};

const char *role_name(enum role_id id)
{
    INVARIANT(id < ROLE_COUNT);
    return names[id];
}

int role_by_name(const char *name)
{
    for (int id = 0; id < ROLE_COUNT; id++)
        if (strcmp(names[id], name) == 0)
            return id;
    return -1;
}

/* A Unix socket's path is short and names are long: their hash. */
void role_service_id(const char *namespace, const char *name, char out[ROLE_SERVICE_ID_SIZE])
{
    const struct span parts[] = {span_str(namespace), span_str("/"), span_str(name)};
    uint8_t hash[CRYPTO_HASH_LEN];
    char hex[2 * CRYPTO_HASH_LEN + 1];

    crypto_sha256_parts(parts, ARRAY_LEN(parts), hash);
    enc_hex(span_of(hash, sizeof(hash)), hex);
    snprintf(out, ROLE_SERVICE_ID_SIZE, "%.16s", hex);
}

void role_engine_socket(const char *run_dir, const char *namespace, const char *name,
                        unsigned place, char out[ROLE_SOCKET_SIZE])
{
    char id[ROLE_SERVICE_ID_SIZE];

    role_service_id(namespace, name, id);
    if (place == 0)
        snprintf(out, ROLE_SOCKET_SIZE, "%s/agent/%s/engine.sock", run_dir, id);
    else
        snprintf(out, ROLE_SOCKET_SIZE, "%s/agent/%s.%u/engine.sock", run_dir, id, place);
}

void role_upstream_socket(const char *run_dir, const char *namespace, const char *name,
                          char out[ROLE_SOCKET_SIZE])
{
    char id[ROLE_SERVICE_ID_SIZE];

    role_service_id(namespace, name, id);
    snprintf(out, ROLE_SOCKET_SIZE, "%s/exporter/up/%s.sock", run_dir, id);
}
