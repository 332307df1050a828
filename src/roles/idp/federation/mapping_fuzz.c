/* SPDX-License-Identifier: Apache-2.0 */
/* What an outside provider says, through a mapping: a spec, a NUL, claims; and a directory's entry
 * as claims. Whatever comes, a name fits a User and a group is one that may be given. */
#include "base/mem.h"
#include "codec/json.h"
#include "egress/wire.h"
#include "idp/federation/entry.h"
#include "idp/federation/mapping.h"
#include "kube/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct person *person)
{
    const json_t *group;
    size_t i;

    INVARIANT(kube_format_check(KUBE_DNS_SUBDOMAIN, person->user_name) == NULL ||
              strlen(person->user_name) > 63 || strpbrk(person->user_name, ".-") != NULL);
    INVARIANT(json_array_size(person->groups) <= MAPPING_GROUPS_MAX);
    json_array_foreach (person->groups, i, group) {
        INVARIANT(mapping_group_is_good(json_string_value(group)));
        INVARIANT(kube_format_check(KUBE_PATH_SEGMENT, json_string_value(group)) == NULL);
    }
}

static void try_mapping(const json_t *spec, const json_t *claims)
{
    CLEANUP(person_free) struct person person = {.subject = ""};
    struct err err = ERR_INIT;

    if (mapping_run(spec, claims, &person, &err) == 0)
        check(&person);
}

static void try_entry(const json_t *spec, struct span bytes)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1024 * 1024);
    struct egress_directory found = {0};
    const char *names[ENTRY_NAMES];
    struct err err = ERR_INIT;

    if (egress_get_directory(bytes, arena, &found, &err) < 0 || found.entry_count == 0)
        return;
    CLEANUP_JSON json_t *claims = json_object();
    entry_names(json_object_get(spec, "ldap"), names);
    entry_claims(&found.entries[0], names, claims);
    try_mapping(spec, claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    CLEANUP_JSON json_t *spec = NULL;
    CLEANUP_JSON json_t *claims = NULL;
    struct err err = ERR_INIT;

    if (nul == NULL ||
        codec_json_parse(span_of(data, (size_t)(nul - data)), "spec", &spec, &err) < 0)
        return 0;
    struct span rest = span_of(nul + 1, size - (size_t)(nul + 1 - data));
    if (codec_json_parse(rest, "claims", &claims, &err) == 0)
        try_mapping(spec, claims);
    else
        try_entry(spec, rest);
    return 0;
}
