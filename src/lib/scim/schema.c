/* SPDX-License-Identifier: Apache-2.0 */
/* The schemas of RFC 7643 sections 3.1, 4 and 8.7.1. */
#include "scim/scim_internal.h"

#include "base/mem.h"

#include <strings.h>

const char scim_invalid_filter[] = "invalidFilter", scim_invalid_path[] = "invalidPath",
           scim_invalid_syntax[] = "invalidSyntax", scim_invalid_value[] = "invalidValue",
           scim_not_mutable[] = "mutability", scim_no_target[] = "noTarget";

/* clang-format off */
#define TEXT(name, doc)    {name, doc, SCIM_STRING}
#define FLAG(name, doc)    {name, doc, SCIM_BOOLEAN}
#define GROUP(name, doc, table) {name, doc, SCIM_COMPLEX, .sub = table}
#define MANY(name, doc, table)  {name, doc, SCIM_COMPLEX, .many = true, .sub = table}
#define REFERENCE(name, doc)  {name, doc, SCIM_REFERENCE, .case_exact = true}
#define END                   {0}

static const struct scim_attribute meta_sub[] = {
    {"resourceType", "The name of the resource type", SCIM_STRING, .case_exact = true, .mutability = SCIM_READ_ONLY},
    {"created", "When it was made", SCIM_DATETIME, .mutability = SCIM_READ_ONLY},
    {"lastModified", "When it was last changed", SCIM_DATETIME, .mutability = SCIM_READ_ONLY},
    {"location", "Its URL", SCIM_REFERENCE, .case_exact = true, .mutability = SCIM_READ_ONLY},
    {"version", "Its entity tag", SCIM_STRING, .case_exact = true, .mutability = SCIM_READ_ONLY},
    END};

const struct scim_attribute scim_common[] = {
    {"schemas", "The URNs of the schemas of the resource", SCIM_REFERENCE, .many = true, .required = true,
     .case_exact = true, .returned = SCIM_ALWAYS},
    {"id", "The server's name of the resource", SCIM_STRING, .case_exact = true, .unique = true,
     .mutability = SCIM_READ_ONLY, .returned = SCIM_ALWAYS},
    {"externalId", "The client's name of the resource", SCIM_STRING, .case_exact = true},
    {"meta", "About the resource itself", SCIM_COMPLEX, .mutability = SCIM_READ_ONLY, .sub = meta_sub},
    END};

static const struct scim_attribute name_sub[] = {
    TEXT("formatted", "The whole name, for display"),
    TEXT("familyName", "The family name"),
    TEXT("givenName", "The given name"),
    TEXT("middleName", "The middle names"),
    TEXT("honorificPrefix", "A title before the name"),
    TEXT("honorificSuffix", "What follows the name"),
    END};

#define PLURAL(kind)                                                                      \
    {"value", kind, SCIM_STRING}, TEXT("display", "A name for display"),                  \
    TEXT("type", "What it is for: work, home, other"), FLAG("primary", "The preferred one")

static const struct scim_attribute email_sub[] = {PLURAL("An e-mail address"), END};
static const struct scim_attribute phone_sub[] = {PLURAL("A telephone number"), END};
static const struct scim_attribute im_sub[] = {PLURAL("An address for messages"), END};
static const struct scim_attribute entitlement_sub[] = {PLURAL("An entitlement"), END};
static const struct scim_attribute role_sub[] = {PLURAL("A role"), END};
static const struct scim_attribute photo_sub[] = {
    REFERENCE("value", "The URL of a photograph"), TEXT("display", "A name for display"),
    TEXT("type", "photo or thumbnail"), FLAG("primary", "The preferred one"), END};
static const struct scim_attribute certificate_sub[] = {
    {"value", "A certificate, DER in base64", SCIM_BINARY, .case_exact = true},
    TEXT("display", "A name for display"), TEXT("type", "What it is for"), FLAG("primary", "The preferred one"), END};
static const struct scim_attribute address_sub[] = {
    TEXT("formatted", "The whole address, for display"), TEXT("streetAddress", "Street and number"),
    TEXT("locality", "The city"), TEXT("region", "The state or region"), TEXT("postalCode", "The postal code"),
    TEXT("country", "The country, ISO 3166-1 alpha-2"), TEXT("type", "work, home or other"),
    FLAG("primary", "The preferred one"), END};
static const struct scim_attribute user_group_sub[] = {
    {"value", "The id of the group", SCIM_STRING, .case_exact = true, .mutability = SCIM_READ_ONLY},
    {"$ref", "The URL of the group", SCIM_REFERENCE, .case_exact = true, .mutability = SCIM_READ_ONLY, .refers = "Group"},
    {"display", "The name of the group", SCIM_STRING, .mutability = SCIM_READ_ONLY},
    {"type", "direct or indirect", SCIM_STRING, .mutability = SCIM_READ_ONLY},
    END};

static const struct scim_attribute user_attributes[] = {
    {"userName", "The name to sign in with", SCIM_STRING, .required = true, .unique = true},
    GROUP("name", "The parts of the person's name", name_sub),
    TEXT("displayName", "The name for display"),
    TEXT("nickName", "The casual name"),
    REFERENCE("profileUrl", "The URL of a page about the person"),
    TEXT("title", "The title, such as Vice President"),
    TEXT("userType", "The relation to the organization, such as Contractor"),
    TEXT("preferredLanguage", "As in Accept-Language"),
    TEXT("locale", "A language tag for dates and numbers"),
    TEXT("timezone", "A name of the IANA time zone database"),
    FLAG("active", "May the user sign in"),
    {"password", "A password to set", SCIM_STRING, .case_exact = true, .mutability = SCIM_WRITE_ONLY, .returned = SCIM_NEVER},
    MANY("emails", "E-mail addresses", email_sub),
    MANY("phoneNumbers", "Telephone numbers", phone_sub),
    MANY("ims", "Addresses for messages", im_sub),
    MANY("photos", "Photographs", photo_sub),
    MANY("addresses", "Postal addresses", address_sub),
    {"groups", "The groups that the user is in", SCIM_COMPLEX, .many = true, .mutability = SCIM_READ_ONLY, .sub = user_group_sub},
    MANY("entitlements", "Entitlements", entitlement_sub),
    MANY("roles", "Roles, as the client has them", role_sub),
    MANY("x509Certificates", "Certificates", certificate_sub),
    END};

static const struct scim_attribute manager_sub[] = {
    {"value", "The id of the manager", SCIM_STRING, .case_exact = true},
    {"$ref", "The URL of the manager", SCIM_REFERENCE, .case_exact = true, .refers = "User"},
    {"displayName", "The manager's name", SCIM_STRING, .mutability = SCIM_READ_ONLY},
    END};
static const struct scim_attribute enterprise_attributes[] = {
    TEXT("employeeNumber", "The number of the employee"), TEXT("costCenter", "The cost center"),
    TEXT("organization", "The organization"), TEXT("division", "The division"), TEXT("department", "The department"),
    GROUP("manager", "The user's manager", manager_sub), END};

static const struct scim_attribute member_sub[] = {
    {"value", "The id of the member", SCIM_STRING, .case_exact = true, .mutability = SCIM_IMMUTABLE},
    {"$ref", "The URL of the member", SCIM_REFERENCE, .case_exact = true, .mutability = SCIM_IMMUTABLE, .refers = "User"},
    {"type", "The type of the member", SCIM_STRING, .mutability = SCIM_IMMUTABLE, .canonical = "User"},
    /* Not in RFC 7643 section 8.7.1, but clients send it. */
    {"display", "The name of the member", SCIM_STRING, .mutability = SCIM_READ_ONLY, .returned = SCIM_NEVER},
    END};
static const struct scim_attribute group_attributes[] = {
    {"displayName", "The name of the group", SCIM_STRING, .required = true, .unique = true},
    MANY("members", "Who is in the group", member_sub),
    END};

static const struct scim_schema user_schema = {
    "urn:ietf:params:scim:schemas:core:2.0:User", "User", "A person with an account", user_attributes};
static const struct scim_schema enterprise_schema = {
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "EnterpriseUser", "A person in an organization",
    enterprise_attributes};
static const struct scim_schema group_schema = {
    "urn:ietf:params:scim:schemas:core:2.0:Group", "Group", "People who are given the same rights", group_attributes};

const struct scim_resource scim_user = {"User", "/Users", &user_schema, &enterprise_schema};
const struct scim_resource scim_group = {"Group", "/Groups", &group_schema, NULL};
/* clang-format on */

const struct scim_attribute *scim_attribute_find(const struct scim_attribute *table,
                                                 struct span name)
{
    for (; table != NULL && table->name != NULL; table++)
        if (strlen(table->name) == name.len &&
            strncasecmp(table->name, (const char *)name.p, name.len) == 0)
            return table;
    return NULL;
}

const struct scim_attribute *scim_default_sub(const struct scim_attribute *attribute)
{
    return scim_attribute_find(attribute->sub, span_str("value"));
}

/* ------------------------------------------------------------------ as JSON */

static const char *const type_names[] = {"string",    "boolean", "integer", "dateTime",
                                         "reference", "binary",  "complex"};
static const char *const mutability_names[] = {"readWrite", "readOnly", "immutable", "writeOnly"};
static const char *const returned_names[] = {"default", "always", "never"};

static json_t *attributes_json(const struct scim_attribute *table)
{
    json_t *list = json_array();

    for (; table->name != NULL; table++) {
        json_t *one = json_pack("{s:s, s:s, s:b, s:s, s:b, s:s, s:s, s:s}", "name", table->name,
                                "type", type_names[table->type], "multiValued", table->many,
                                "description", table->doc, "required", table->required,
                                "mutability", mutability_names[table->mutability], "returned",
                                returned_names[table->returned], "uniqueness",
                                table->unique ? "server" : "none");
        INVARIANT(one != NULL);
        if (table->type == SCIM_COMPLEX)
            json_object_set_new(one, "subAttributes", attributes_json(table->sub));
        else if (table->type != SCIM_BOOLEAN)
            json_object_set_new(one, "caseExact", json_boolean(table->case_exact));
        if (table->type == SCIM_REFERENCE)
            json_object_set_new(one, "referenceTypes",
                                json_pack("[s]", table->refers != NULL ? table->refers : "uri"));
        if (table->canonical != NULL)
            json_object_set_new(one, "canonicalValues", json_pack("[s]", table->canonical));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *meta_json(const char *type, const char *base_url, const char *folder,
                         const char *name)
{
    json_t *meta = json_pack("{s:s, s:s++++}", "resourceType", type, "location", base_url, folder,
                             "/", name, "");

    INVARIANT(meta != NULL);
    return meta;
}

json_t *scim_schema_json(const struct scim_schema *schema, const char *base_url)
{
    json_t *json = json_pack("{s:[s], s:s, s:s, s:s, s:o, s:o}", "schemas",
                             "urn:ietf:params:scim:schemas:core:2.0:Schema", "id", schema->urn,
                             "name", schema->name, "description", schema->doc, "attributes",
                             attributes_json(schema->attributes), "meta",
                             meta_json("Schema", base_url, "/Schemas", schema->urn));

    INVARIANT(json != NULL);
    return json;
}

json_t *scim_resource_json(const struct scim_resource *resource, const char *base_url)
{
    json_t *json =
        json_pack("{s:[s], s:s, s:s, s:s, s:s, s:s, s:[], s:o}", "schemas",
                  "urn:ietf:params:scim:schemas:core:2.0:ResourceType", "id", resource->name,
                  "name", resource->name, "description", resource->schema->doc, "endpoint",
                  resource->endpoint, "schema", resource->schema->urn, "schemaExtensions", "meta",
                  meta_json("ResourceType", base_url, "/ResourceTypes", resource->name));

    INVARIANT(json != NULL);
    if (resource->extension != NULL)
        json_array_append_new(
            json_object_get(json, "schemaExtensions"),
            json_pack("{s:s, s:b}", "schema", resource->extension->urn, "required", false));
    return json;
}
