/* SPDX-License-Identifier: Apache-2.0 */
/* libldap's functions, found in the shared library at run time (docs/decisions/0006). */
#ifndef DRUN_EXPORTER_LDAP_API_H
#define DRUN_EXPORTER_LDAP_API_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <ldap.h>

struct ldap_api {
    int (*initialize)(LDAP **ld, const char *url);
    int (*set_option)(LDAP *ld, int option, const void *value);
    int (*get_option)(LDAP *ld, int option, void *value);
    int (*start_tls_s)(LDAP *ld, LDAPControl **server, LDAPControl **client);
    int (*sasl_bind_s)(LDAP *ld, const char *dn, const char *mechanism, struct berval *credential,
                       LDAPControl **server, LDAPControl **client, struct berval **answer);
    int (*search_ext_s)(LDAP *ld, const char *base, int scope, const char *filter,
                        char **attributes, int types_only, LDAPControl **server,
                        LDAPControl **client, struct timeval *timeout, int limit,
                        LDAPMessage **out);
    LDAPMessage *(*first_entry)(LDAP *ld, LDAPMessage *chain);
    LDAPMessage *(*next_entry)(LDAP *ld, LDAPMessage *entry);
    char *(*get_dn)(LDAP *ld, LDAPMessage *entry);
    char *(*first_attribute)(LDAP *ld, LDAPMessage *entry, BerElement **at);
    char *(*next_attribute)(LDAP *ld, LDAPMessage *entry, BerElement *at);
    struct berval **(*get_values_len)(LDAP *ld, LDAPMessage *entry, const char *attribute);
    void (*value_free_len)(struct berval **values);
    void (*memfree)(void *p);
    int (*msgfree)(LDAPMessage *chain);
    int (*unbind_ext_s)(LDAP *ld, LDAPControl **server, LDAPControl **client);
    char *(*err2string)(int code);
    int (*ber_sockbuf_ctrl)(Sockbuf *sb, int option, void *value);
    void (*ber_free)(BerElement *ber, int free_buffer);
};

/* ERR_UNSUPPORTED when the library is not installed. */
int ldap_api_load(const struct ldap_api **out, struct err *err) MUST_USE;

/* What a search found, as egress_get_directory() reads it. */
void ldap_put_found(const struct ldap_api *api, LDAP *ld, LDAPMessage *chain, struct buf *out);

#endif
