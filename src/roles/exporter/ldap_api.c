/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/ldap_api.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static const struct symbol {
    const char *name;
    size_t offset;
} symbols[] = {
    {"ldap_initialize", offsetof(struct ldap_api, initialize)},
    {"ldap_set_option", offsetof(struct ldap_api, set_option)},
    {"ldap_get_option", offsetof(struct ldap_api, get_option)},
    {"ldap_start_tls_s", offsetof(struct ldap_api, start_tls_s)},
    {"ldap_sasl_bind_s", offsetof(struct ldap_api, sasl_bind_s)},
    {"ldap_search_ext_s", offsetof(struct ldap_api, search_ext_s)},
    {"ldap_first_entry", offsetof(struct ldap_api, first_entry)},
    {"ldap_next_entry", offsetof(struct ldap_api, next_entry)},
    {"ldap_get_dn", offsetof(struct ldap_api, get_dn)},
    {"ldap_first_attribute", offsetof(struct ldap_api, first_attribute)},
    {"ldap_next_attribute", offsetof(struct ldap_api, next_attribute)},
    {"ldap_get_values_len", offsetof(struct ldap_api, get_values_len)},
    {"ldap_value_free_len", offsetof(struct ldap_api, value_free_len)},
    {"ldap_memfree", offsetof(struct ldap_api, memfree)},
    {"ldap_msgfree", offsetof(struct ldap_api, msgfree)},
    {"ldap_unbind_ext_s", offsetof(struct ldap_api, unbind_ext_s)},
    {"ldap_err2string", offsetof(struct ldap_api, err2string)},
    {"ber_sockbuf_ctrl", offsetof(struct ldap_api, ber_sockbuf_ctrl)},
    {"ber_free", offsetof(struct ldap_api, ber_free)},
};

/* Debian 13 and 12. */
static const char *const names[] = {"libldap.so.2", "libldap-2.5.so.0"};

static void *open_library(void)
{
    void *library = NULL;

    /* No ldap.conf and no variable changes what is asked for here. */
    (void)setenv("LDAPNOINIT", "1", 1);
    for (size_t i = 0; i < ARRAY_LEN(names) && library == NULL; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}

int ldap_api_load(const struct ldap_api **out, struct err *err)
{
    static struct ldap_api api;
    static bool loaded;
    int version;

    *out = &api;
    if (loaded)
        return 0;
    void *library = open_library();
    if (library == NULL)
        return err_set(err, ERR_UNSUPPORTED,
                       "libldap is not installed (package libldap2 or "
                       "libldap-2.5-0)");
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *found = dlsym(library, symbols[i].name);
        if (found == NULL)
            return err_set(err, ERR_UNSUPPORTED, "libldap has no %s", symbols[i].name);
        memcpy((uint8_t *)&api + symbols[i].offset, &found, sizeof(found));
    }
    /* Sets the library's own state up, before there are threads in it. */
    api.get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
    loaded = true;
    return 0;
}
