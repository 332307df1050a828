/* SPDX-License-Identifier: Apache-2.0 */
/* What may be asked of the way out, and by whom. */
#include "egress/wire.h"
#include "exporter/exporter_internal.h"
#include "wire/secrets.h"

/* idp: outside identity providers, directories, SMS and logout messages, breached passwords; the
 * gateways' keepers: certificates of an ACME authority. Each only as an administrator's object
 * says.
 */
static const struct sender senders[] = {
    {.role = ROLE_IDP, .private_network = true, .secrets = true},
    {.role = ROLE_GATEWAY, .private_network = true},
    {.role = ROLE_GATEWAY2, .private_network = true},
};

int sender_check(unsigned peer, const struct egress_endpoint *endpoint, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(senders); i++)
        if (senders[i].role == peer && (senders[i].private_network || !endpoint->private_network))
            return 0;
    return err_set(err, ERR_DENIED, "%s: %s may not send there", endpoint->name,
                   peer < ROLE_COUNT ? role_name((enum role_id)peer) : "nobody");
}

int sender_secret(struct exporter *exporter, unsigned peer, const struct egress_secret *secret,
                  struct buf *out, struct err *err)
{
    CLEANUP(buf_free) struct buf question = BUF_INIT(1024);
    bool may = false;

    for (size_t i = 0; i < ARRAY_LEN(senders); i++)
        may |= senders[i].role == peer && senders[i].secrets;
    if (!may || exporter->role == NULL)
        return err_set(err, ERR_DENIED, "who asks may have no Secret put in");
    buf_put_block(&question, span_str(secret->namespace));
    buf_put_block(&question, span_str(secret->name));
    buf_put_block(&question, span_str(secret->key));
    return ipc_call(role_peer(exporter->role, ROLE_SECRETS), SECRETS_PROVIDER_KEY,
                    buf_span(&question), out, NULL, err);
}

static const struct ipc_message messages[] = {
    {EGRESS_FETCH, "fetch", IPC_FROM(ROLE_IDP) | ROLE_GATEWAYS, IPC_BODY_MAX, 0, fetch_handle},
    {EGRESS_BIND, "bind", IPC_FROM(ROLE_IDP), IPC_BODY_MAX, 0, ldap_handle},
    {0},
};

const struct ipc_table exporter_table = {.server = "exporter", .messages = messages};
