/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/federation/entry.h"

#include "base/buf.h"
#include "base/mem.h"
#include "codec/json.h"

enum { VALUE_MAX = 4096 };

void entry_names(const json_t *ldap, const char *names[ENTRY_NAMES])
{
    static const char *const always[] = {"uid",     "cn", "displayName", "mail", "sAMAccountName",
                                         "memberOf"};
    const json_t *name;
    size_t count = 0;
    size_t i;

    names[count++] = codec_json_text(ldap, "idAttribute", "entryUUID");
    for (i = 0; i < ARRAY_LEN(always); i++)
        if (strcmp(names[0], always[i]) != 0)
            names[count++] = always[i];
    json_array_foreach (json_object_get(ldap, "attributes"), i, name)
        if (count < EGRESS_ATTRIBUTES_MAX)
            names[count++] = json_string_value(name);
    names[count] = NULL;
}

json_t *entry_value(struct span value)
{
    json_t *text = json_stringn((const char *)value.p, value.len);

    if (text != NULL && memchr(value.p, '\0', value.len) == NULL)
        return text;
    json_decref(text);
    CLEANUP(buf_free) struct buf hex = BUF_INIT(2 * VALUE_MAX + 1);
    for (size_t i = 0; i < value.len; i++)
        buf_printf(&hex, "%02x", value.p[i]);
    return hex.overflowed ? json_null() : json_string(buf_text(&hex));
}

static json_t *values_of(const struct egress_attribute *attribute)
{
    json_t *list = json_array();

    if (attribute->value_count == 1) {
        json_decref(list);
        return entry_value(attribute->values[0]);
    }
    for (size_t i = 0; i < attribute->value_count; i++)
        json_array_append_new(list, entry_value(attribute->values[i]));
    return list;
}

void entry_claims(const struct egress_entry *entry, const char *const *names, json_t *claims)
{
    json_object_set_new(claims, "dn", entry_value(entry->dn));
    for (; *names != NULL; names++) {
        const struct egress_attribute *attribute = egress_entry_attribute(entry, *names);
        if (attribute != NULL)
            json_object_set_new(claims, *names, values_of(attribute));
    }
}
