/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as Kubernetes' rbac.authorization.k8s.io/v1 has them: what one allows, and what covers
 * what. */
#ifndef DRUN_RBAC_RULE_H
#define DRUN_RBAC_RULE_H

#include "rbac/rbac.h"

struct rbac_list {
    const struct span *items;
    size_t count;
};

struct rbac_rule {
    struct rbac_list verbs;
    struct rbac_list groups;
    struct rbac_list resources;
    struct rbac_list names;
    struct rbac_list urls;
};

struct rbac_rules {
    const struct rbac_rule *items;
    size_t count;
};

/* The longest name in an object; RBAC_TEXT_MAX bounds "resource/subresource" too. */
enum { RBAC_TEXT_MAX = 1024 };

/* "resource/subresource", or the resource alone, in the caller's room. False when it is too long to
 * be in any rule. */
bool rbac_combined_resource(const struct rbac_request *request, char room[RBAC_TEXT_MAX],
                            struct span *out);
bool rbac_url_matches(struct span pattern, struct span path);
bool rbac_rule_allows(const struct rbac_rule *rule, const struct rbac_request *request);
bool rbac_rules_allow(const struct rbac_rules *rules, const struct rbac_request *request);

/* Does the owner have all that the servant would have? If not, `missing` gets the first tuple that
 * the owner lacks, as a rule whose lists point into the servant's and into `room`. */
struct rbac_tuple {
    struct span verb;
    struct span group;
    struct span resource;
    struct span name; /* p is NULL: every name */
    struct span url;  /* p is NULL: a resource */
};
bool rbac_rules_cover(const struct rbac_rules *owner, const struct rbac_rules *servant,
                      struct rbac_tuple *missing);

#endif
