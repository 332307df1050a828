/* SPDX-License-Identifier: Apache-2.0 */
/* waf.snap as const data, and the checks of a loaded one. */
#include "waf/image.h"

#include <assert.h>
#include <stddef.h>

static_assert(VAR_COUNT <= UINT8_MAX && (int)WAF_OP_COUNT <= UINT8_MAX, "checked as bytes");

static const struct snapshot_field head_fields[] = {
    SNAPSHOT_UPTO(image_head, engine, ENGINE_DETECT),
    SNAPSHOT_UPTO(image_head, request_body_access, 1),
    SNAPSHOT_UPTO(image_head, response_body_access, 1),
    SNAPSHOT_UPTO(image_head, argument_separator, 255),
    SNAPSHOT_LIST(image_head, phases[0], IMAGE_RULES),
    SNAPSHOT_LIST(image_head, phases[1], IMAGE_RULES),
    SNAPSHOT_LIST(image_head, phases[2], IMAGE_RULES),
    SNAPSHOT_LIST(image_head, phases[3], IMAGE_RULES),
    SNAPSHOT_LIST(image_head, phases[4], IMAGE_RULES),
    SNAPSHOT_LIST(image_head, unicode_map, IMAGE_BYTES),
    SNAPSHOT_TEXT(image_head, geo_database),
    SNAPSHOT_TEXT(image_head, web_app_id),
    SNAPSHOT_LIST(image_head, types, IMAGE_TYPES),
};
static const struct snapshot_field rule_fields[] = {
    SNAPSHOT_UPTO(image_rule, phase, PHASES),
    SNAPSHOT_UPTO(image_rule, op, WAF_OP_COUNT - 1),
    SNAPSHOT_INDEX(image_rule, chain, IMAGE_CHAINS),
    SNAPSHOT_MAYBE(image_rule, next, IMAGE_RULES),
    SNAPSHOT_MAYBE(image_rule, pattern, IMAGE_PATTERNS),
    SNAPSHOT_MAYBE(image_rule, partition, IMAGE_PARTITIONS),
    SNAPSHOT_UPTO(image_rule, disruptive, IMAGE_DO_REDIRECT),
    SNAPSHOT_LIST(image_rule, targets, IMAGE_TARGETS),
    SNAPSHOT_LIST(image_rule, excludes, IMAGE_TARGETS),
    SNAPSHOT_LIST(image_rule, argument, IMAGE_PARTS),
    SNAPSHOT_LIST(image_rule, blob, IMAGE_BYTES),
    SNAPSHOT_LIST(image_rule, on_match, IMAGE_ACTIONS),
    SNAPSHOT_LIST(image_rule, on_chain, IMAGE_ACTIONS),
    SNAPSHOT_LIST(image_rule, msg, IMAGE_PARTS),
    SNAPSHOT_LIST(image_rule, logdata, IMAGE_PARTS),
    SNAPSHOT_LIST(image_rule, redirect, IMAGE_PARTS),
    SNAPSHOT_LIST(image_rule, tags, IMAGE_TAGS),
    SNAPSHOT_LIST(image_rule, ver, IMAGE_BYTES),
    SNAPSHOT_LIST(image_rule, rev, IMAGE_BYTES),
    SNAPSHOT_LIST(image_rule, file, IMAGE_BYTES),
    SNAPSHOT_LIST(image_rule, text, IMAGE_BYTES),
};
static const struct snapshot_field target_fields[] = {
    SNAPSHOT_UPTO(image_target, var, VAR_COUNT - 1),
    SNAPSHOT_MAYBE(image_target, pattern, IMAGE_PATTERNS),
    SNAPSHOT_MAYBE(image_target, slot, IMAGE_SLOTS),
    SNAPSHOT_MAYBE(image_target, xpath, IMAGE_XPATHS),
    SNAPSHOT_LIST(image_target, key, IMAGE_BYTES),
};
static const struct snapshot_field part_fields[] = {
    SNAPSHOT_UPTO(image_part, var, IMAGE_LITERAL),
    SNAPSHOT_MAYBE(image_part, slot, IMAGE_SLOTS),
    SNAPSHOT_LIST(image_part, text, IMAGE_BYTES),
};
static const struct snapshot_field action_fields[] = {
    SNAPSHOT_UPTO(image_action, kind, IMAGE_ACTION_KIND_COUNT - 1),
    SNAPSHOT_UPTO(image_action, var, VAR_COUNT - 1),
    SNAPSHOT_MAYBE(image_action, slot, IMAGE_SLOTS),
    SNAPSHOT_MAYBE(image_action, target, IMAGE_TARGETS),
    SNAPSHOT_LIST(image_action, name, IMAGE_PARTS),
    SNAPSHOT_LIST(image_action, value, IMAGE_PARTS),
    SNAPSHOT_LIST(image_action, indexes, IMAGE_INDEXES),
};
static const struct snapshot_field tag_fields[] = {SNAPSHOT_LIST(image_tag, parts, IMAGE_PARTS)};
static const struct snapshot_field chain_fields[] = {
    SNAPSHOT_INDEX(image_chain, parent, IMAGE_CHAINS),
    SNAPSHOT_UPTO(image_chain, step, WAF_T_COUNT - 1)};
static const struct snapshot_field slot_fields[] = {SNAPSHOT_LIST(image_slot, name, IMAGE_BYTES)};
static const struct snapshot_field pattern_fields[] = {
    SNAPSHOT_UPTO(image_pattern, kind, IMAGE_PHRASES), SNAPSHOT_UPTO(image_pattern, multi, 1),
    SNAPSHOT_INDEX(image_pattern, chain, IMAGE_CHAINS),
    SNAPSHOT_LIST(image_pattern, bytes, IMAGE_BYTES)};
static const struct snapshot_field partition_fields[] = {
    SNAPSHOT_UPTO(image_partition, phase, PHASES),
    SNAPSHOT_UPTO(image_partition, separator, UINT8_MAX),
    SNAPSHOT_LIST(image_partition, database, IMAGE_BYTES),
    SNAPSHOT_LIST(image_partition, chains, IMAGE_INDEXES),
    SNAPSHOT_LIST(image_partition, xpaths, IMAGE_INDEXES),
};
static const struct snapshot_field xpath_fields[] = {
    SNAPSHOT_TEXT(image_xpath, text), SNAPSHOT_LIST(image_xpath, namespaces, IMAGE_NAMESPACES)};
static const struct snapshot_field namespace_fields[] = {SNAPSHOT_TEXT(image_namespace, prefix),
                                                         SNAPSHOT_TEXT(image_namespace, href)};
static const struct snapshot_field type_fields[] = {SNAPSHOT_LIST(image_type, text, IMAGE_BYTES)};

static const struct snapshot_section_type sections[IMAGE_SECTION_COUNT] = {
    [IMAGE_TEXT] = {.name = "texts", .size = 1},
    [IMAGE_HEAD] = {.name = "head",
                    .size = sizeof(struct image_head),
                    .single = true,
                    SNAPSHOT_FIELDS(head_fields)},
    [IMAGE_BYTES] = {.name = "bytes", .size = 1},
    [IMAGE_RULES] = {.name = "rules",
                     .size = sizeof(struct image_rule),
                     SNAPSHOT_FIELDS(rule_fields)},
    [IMAGE_TARGETS] = {.name = "targets",
                       .size = sizeof(struct image_target),
                       SNAPSHOT_FIELDS(target_fields)},
    [IMAGE_PARTS] = {.name = "parts",
                     .size = sizeof(struct image_part),
                     SNAPSHOT_FIELDS(part_fields)},
    [IMAGE_ACTIONS] = {.name = "actions",
                       .size = sizeof(struct image_action),
                       SNAPSHOT_FIELDS(action_fields)},
    [IMAGE_TAGS] = {.name = "tags", .size = sizeof(struct image_tag), SNAPSHOT_FIELDS(tag_fields)},
    [IMAGE_INDEXES] = {.name = "indexes", .size = sizeof(uint32_t)},
    [IMAGE_CHAINS] = {.name = "chains",
                      .size = sizeof(struct image_chain),
                      SNAPSHOT_FIELDS(chain_fields)},
    [IMAGE_SLOTS] = {.name = "slots",
                     .size = sizeof(struct image_slot),
                     SNAPSHOT_FIELDS(slot_fields)},
    [IMAGE_PATTERNS] = {.name = "patterns",
                        .size = sizeof(struct image_pattern),
                        SNAPSHOT_FIELDS(pattern_fields)},
    [IMAGE_PARTITIONS] = {.name = "partitions",
                          .size = sizeof(struct image_partition),
                          SNAPSHOT_FIELDS(partition_fields)},
    [IMAGE_XPATHS] = {.name = "xpaths",
                      .size = sizeof(struct image_xpath),
                      SNAPSHOT_FIELDS(xpath_fields)},
    [IMAGE_NAMESPACES] = {.name = "namespaces",
                          .size = sizeof(struct image_namespace),
                          SNAPSHOT_FIELDS(namespace_fields)},
    [IMAGE_TYPES] = {.name = "types",
                     .size = sizeof(struct image_type),
                     SNAPSHOT_FIELDS(type_fields)},
};

const struct snapshot_type waf_snapshot = {
    .file = "waf.snap",
    .generation = "waf.gen",
    .number = IMAGE_NUMBER,
    .format = IMAGE_FORMAT,
    .sections = sections,
    .section_count = ARRAY_LEN(sections),
};

static int bad(struct err *err, const char *what, uint32_t at)
{
    return err_set(err, ERR_CORRUPT, "%s is refused: %s %u is wrong", waf_snapshot.file, what, at);
}

static bool indexes_below(const struct snapshot *image, struct snapshot_ref ref, uint32_t end)
{
    const uint32_t *indexes = snapshot_records(image, IMAGE_INDEXES);

    for (uint32_t i = 0; i < ref.count; i++)
        if (indexes[ref.at + i] >= end)
            return false;
    return true;
}

static int check_rules(const struct snapshot *image, struct err *err)
{
    const struct image_rule *rules = snapshot_records(image, IMAGE_RULES);
    uint32_t count = snapshot_count(image, IMAGE_RULES);

    for (uint32_t i = 0; i < count; i++) {
        bool good = (rules[i].next == 0 || rules[i].next - 1 > i) &&
                    (rules[i].jump == 0 || (rules[i].jump - 1 > i && rules[i].jump - 1 <= count)) &&
                    rules[i].phase >= 1 && (rules[i].blob.at % 8 == 0 || rules[i].blob.count == 0);
        if (!good)
            return bad(err, "rule", i);
    }
    return 0;
}

static int check_chains(const struct snapshot *image, struct err *err)
{
    const struct image_chain *chains = snapshot_records(image, IMAGE_CHAINS);
    uint32_t count = snapshot_count(image, IMAGE_CHAINS);

    if (count == 0 || chains[0].step != WAF_T_NONE || chains[0].depth != 0)
        return bad(err, "chain", 0);
    for (uint32_t i = 1; i < count; i++)
        if (chains[i].parent >= i || chains[i].depth != chains[chains[i].parent].depth + 1)
            return bad(err, "chain", i);
    return 0;
}

static int check_indexes(const struct snapshot *image, struct err *err)
{
    const struct image_partition *partitions = snapshot_records(image, IMAGE_PARTITIONS);
    const struct image_action *actions = snapshot_records(image, IMAGE_ACTIONS);

    for (uint32_t i = 0; i < snapshot_count(image, IMAGE_PARTITIONS); i++)
        if (!indexes_below(image, partitions[i].chains, snapshot_count(image, IMAGE_CHAINS)) ||
            !indexes_below(image, partitions[i].xpaths, snapshot_count(image, IMAGE_XPATHS)))
            return bad(err, "partition", i);
    for (uint32_t i = 0; i < snapshot_count(image, IMAGE_ACTIONS); i++)
        if (!indexes_below(image, actions[i].indexes, snapshot_count(image, IMAGE_RULES)))
            return bad(err, "action", i);
    return 0;
}

int image_check(const struct snapshot *image, struct err *err)
{
    const struct image_head *head = snapshot_records(image, IMAGE_HEAD);

    TRY(check_rules(image, err));
    TRY(check_chains(image, err));
    TRY(check_indexes(image, err));
    if (head->unicode_map.count > 0 &&
        (head->unicode_map.at % 8 != 0 ||
         !waf_unicode_map_valid(image_bytes(image, head->unicode_map))))
        return bad(err, "unicode map", 0);
    return 0;
}

uint32_t waf_rule_count(const struct snapshot *image)
{
    return snapshot_count(image, IMAGE_RULES);
}

bool waf_rule_find(const struct snapshot *image, uint32_t id, struct waf_rule_info *out)
{
    const struct image_rule *rules = snapshot_records(image, IMAGE_RULES);

    for (uint32_t i = 0; i < snapshot_count(image, IMAGE_RULES); i++) {
        if (rules[i].id != id)
            continue;
        *out = (struct waf_rule_info){.id = id,
                                      .line = rules[i].line,
                                      .phase = rules[i].phase,
                                      .file = image_bytes(image, rules[i].file),
                                      .text = image_bytes(image, rules[i].text)};
        return true;
    }
    return false;
}
