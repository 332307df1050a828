/* SPDX-License-Identifier: Apache-2.0 */
/* Label selectors (meta/v1): matchLabels and matchExpressions, all of which must hold. */
#include "codec/json.h"
#include "rbac/object.h"

static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist"};
enum { OP_IN, OP_NOT_IN, OP_EXISTS, OP_DOES_NOT_EXIST };

static int operator_of(const json_t *expression)
{
    const char *name = codec_json_text(expression, "operator", "");

    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (strcmp(operators[i], name) == 0)
            return (int)i;
    return -1;
}

static int check_expression(const json_t *expression, struct err *err)
{
    const json_t *values = json_object_get(expression, "values");
    const char *key = codec_json_text(expression, "key", "");
    int operator= operator_of(expression);
    const json_t *value;
    size_t i;

    if (key[0] == '\0')
        return err_set(err, ERR_INVALID, "matchExpressions: key: a label's name is required");
    if (operator<0)
        return err_set(err, ERR_INVALID,
                       "matchExpressions: operator: must be In, NotIn, Exists or DoesNotExist");
    if (values != NULL && !json_is_array(values))
        return err_set(err, ERR_INVALID, "matchExpressions: values: must be a list of texts");
    if ((operator<= OP_NOT_IN) != (json_array_size(values) > 0))
        return err_set(err, ERR_INVALID,
                       "matchExpressions: values: required for In and NotIn, and only for them");
    json_array_foreach (values, i, value)
        if (!json_is_string(value))
            return err_set(err, ERR_INVALID, "matchExpressions: values[%zu]: must be a text", i);
    return 0;
}

int rbac_selector_check(const json_t *selector, struct err *err)
{
    const json_t *labels = json_object_get(selector, "matchLabels");
    const json_t *expressions = json_object_get(selector, "matchExpressions");
    const json_t *item;
    const char *key;
    size_t i;

    if (!json_is_object(selector))
        return err_set(err, ERR_INVALID, "a label selector must be an object");
    if (labels != NULL && !json_is_object(labels))
        return err_set(err, ERR_INVALID, "matchLabels: must be an object");
    json_object_foreach ((json_t *)(uintptr_t)labels, key, item)
        if (!json_is_string(item))
            return err_set(err, ERR_INVALID, "matchLabels: %.64s: must be a text", key);
    if (expressions != NULL && !json_is_array(expressions))
        return err_set(err, ERR_INVALID, "matchExpressions: must be a list");
    json_array_foreach (expressions, i, item)
        TRY(check_expression(item, err));
    return 0;
}

static bool has_value(const json_t *values, const char *text)
{
    const json_t *value;
    size_t i;

    json_array_foreach (values, i, value)
        if (strcmp(json_string_value(value), text) == 0)
            return true;
    return false;
}

static bool expression_holds(const json_t *expression, const json_t *labels)
{
    const char *label =
        json_string_value(json_object_get(labels, codec_json_text(expression, "key", "")));
    const json_t *values = json_object_get(expression, "values");

    switch (operator_of(expression)) {
    case OP_IN: return label != NULL && has_value(values, label);
    case OP_NOT_IN: return label == NULL || !has_value(values, label);
    case OP_EXISTS: return label != NULL;
    default: return label == NULL;
    }
}

bool rbac_selector_matches(const json_t *selector, const json_t *labels)
{
    json_t *wanted = json_object_get(selector, "matchLabels");
    const json_t *expressions = json_object_get(selector, "matchExpressions");
    const json_t *item;
    const char *key;
    size_t i;

    json_object_foreach (wanted, key, item) {
        const char *label = json_string_value(json_object_get(labels, key));
        if (label == NULL || strcmp(label, json_string_value(item)) != 0)
            return false;
    }
    json_array_foreach (expressions, i, item)
        if (!expression_holds(item, labels))
            return false;
    return true;
}
