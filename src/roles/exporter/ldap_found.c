/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "exporter/ldap_api.h"
#include "ipc/ipc.h"

static void put_values(const struct ldap_api *api, LDAP *ld, LDAPMessage *entry, const char *name,
                       struct buf *out)
{
    struct berval **values = api->get_values_len(ld, entry, name);
    uint32_t count = 0;

    while (values != NULL && values[count] != NULL)
        count++;
    buf_put_block(out, span_str(name));
    buf_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++)
        buf_put_block(out, span_of(values[i]->bv_val, values[i]->bv_len));
    api->value_free_len(values);
}

/* The count stands before the attributes and is known behind them. */
static void put_entry(const struct ldap_api *api, LDAP *ld, LDAPMessage *entry, struct buf *out)
{
    CLEANUP(buf_free_wiped) struct buf attributes = BUF_INIT(IPC_BODY_MAX);
    BerElement *at = NULL;
    uint32_t count = 0;
    char *dn = api->get_dn(ld, entry);

    for (char *name = api->first_attribute(ld, entry, &at); name != NULL;
         name = api->next_attribute(ld, entry, at)) {
        put_values(api, ld, entry, name, &attributes);
        api->memfree(name);
        count++;
    }
    api->ber_free(at, 0);
    buf_put_block(out, span_str(dn == NULL ? "" : dn));
    buf_put_u32(out, count);
    buf_put_span(out, buf_span(&attributes));
    out->overflowed = out->overflowed || attributes.overflowed;
    api->memfree(dn);
}

void ldap_put_found(const struct ldap_api *api, LDAP *ld, LDAPMessage *chain, struct buf *out)
{
    uint32_t count = 0;

    for (LDAPMessage *entry = api->first_entry(ld, chain); entry != NULL;
         entry = api->next_entry(ld, entry))
        count++;
    buf_put_u32(out, count);
    for (LDAPMessage *entry = api->first_entry(ld, chain); entry != NULL;
         entry = api->next_entry(ld, entry))
        put_entry(api, ld, entry, out);
}
