/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions and reviews over every policy snapshot that the loader accepts. As in snapshot_fuzz,
 * checksum and length are made right first. */
#include "base/mem.h"
#include "rbac/rbac.h"
#include "snapshot/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct snapshot *policy)
{
    const struct span groups[] = {span_str("system:authenticated"), span_str("drun:operators"),
                                  span_str("drun:auditors")};
    struct rbac_request request = {
        .user = {span_str("alice"), groups, ARRAY_LEN(groups)},
        .verb = span_str("get"),
        .api_group = span_str("drun.io"),
        .resource = span_str("models"),
        .namespace = span_str("team-a"),
        .name = span_str("m"),
    };
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);
    struct rbac_reason reason;

    if (rbac_decide(policy, &request, &reason))
        rbac_reason_put(&reason, &text);
    request.subresource = span_str("status");
    if (rbac_decide(policy, &request, &reason))
        rbac_reason_put(&reason, &text);
    request.path = span_str("/healthz");
    if (rbac_decide(policy, &request, &reason))
        rbac_reason_put(&reason, &text);
    json_decref(rbac_rules_review(policy, &request.user, request.namespace));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE uint8_t *file = mem_new(size);
    CLEANUP(snapshot_free_ptr) struct snapshot *policy = NULL;
    struct err err = ERR_INIT;

    if (size < sizeof(struct format_header))
        return 0;
    memcpy(file, data, size);
    struct format_header *header = (struct format_header *)(void *)file;
    header->length = size;
    format_digest(file, size, header->digest);
    if (snapshot_from_bytes(&policy_snapshot, span_of(file, size), &policy, &err) == 0)
        ask(policy);
    return 0;
}
