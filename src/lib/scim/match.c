/* SPDX-License-Identifier: Apache-2.0 */
#include "scim/filter.h"

#include "base/mem.h"

#include <strings.h>

/* Is there anything? An empty text or list is nothing (RFC 7643 section 2.5). */
static bool present(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL: return false;
    case JSON_STRING: return json_string_length(value) > 0;
    case JSON_ARRAY: return json_array_size(value) > 0;
    case JSON_OBJECT: return json_object_size(value) > 0;
    default: return true;
    }
}

static bool starts(const struct scim_attribute *leaf, const char *text, const char *with)
{
    size_t len = strlen(with);

    return (leaf->case_exact ? strncmp(text, with, len) : strncasecmp(text, with, len)) == 0;
}

static bool text_matches(const struct scim_filter *filter, const char *text)
{
    size_t len = strlen(text);
    size_t wanted = strlen(filter->text);
    int order = scim_text_compare(filter->leaf, text, filter->text);

    switch (filter->op) {
    case FILTER_EQ: return order == 0;
    case FILTER_NE: return order != 0;
    case FILTER_CO:
        return (filter->leaf->case_exact ? strstr(text, filter->text)
                                         : strcasestr(text, filter->text)) != NULL;
    case FILTER_SW: return starts(filter->leaf, text, filter->text);
    case FILTER_EW: return len >= wanted && starts(filter->leaf, text + len - wanted, filter->text);
    case FILTER_GT: return order > 0;
    case FILTER_GE: return order >= 0;
    case FILTER_LT: return order < 0;
    default: return order <= 0;
    }
}

static bool number_matches(const struct scim_filter *filter, double number)
{
    switch (filter->op) {
    case FILTER_EQ: return number == filter->number;
    case FILTER_NE: return number != filter->number;
    case FILTER_GT: return number > filter->number;
    case FILTER_GE: return number >= filter->number;
    case FILTER_LT: return number < filter->number;
    default: return number <= filter->number;
    }
}

/* One simple value. */
static bool value_matches(const struct scim_filter *filter, const json_t *value)
{
    if (filter->op == FILTER_PR)
        return present(value);
    if (filter->kind == FILTER_TEXT && json_is_string(value))
        return text_matches(filter, json_string_value(value));
    if (filter->kind == FILTER_NUMBER && json_is_number(value))
        return number_matches(filter, json_number_value(value));
    bool same = (filter->kind == FILTER_NULL && !present(value)) ||
                (filter->kind == FILTER_TRUE && json_is_true(value)) ||
                (filter->kind == FILTER_FALSE && json_is_false(value));
    return filter->op == FILTER_EQ ? same : filter->op == FILTER_NE && !same;
}

/* What is not there equals null and nothing else. */
static bool absent_matches(const struct scim_filter *filter)
{
    return (filter->op == FILTER_EQ && filter->kind == FILTER_NULL) ||
           (filter->op == FILTER_NE && filter->kind != FILTER_NULL);
}

/* The value of the path's attribute; of many, one is enough. */
static bool any_matches(const struct scim_filter *filter, const json_t *value)
{
    if (value == NULL || !present(value))
        return absent_matches(filter);
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            if (any_matches(filter, json_array_get(value, i)))
                return true;
        return false;
    }
    if (!json_is_object(value) || filter->leaf->type == SCIM_COMPLEX)
        return value_matches(filter, value);
    const json_t *sub = json_object_get(value, filter->leaf->name);
    return sub == NULL ? absent_matches(filter) : value_matches(filter, sub);
}

static bool some_element_matches(const struct scim_filter *filter, const json_t *values)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (scim_filter_matches_element(filter->left, filter->path.attribute,
                                        json_array_get(values, i)))
            return true;
    return false;
}

static bool matches(const struct scim_filter *filter, const json_t *holder_of_top, bool top)
{
    const json_t *holder = top && filter->op >= FILTER_ELEMENT
                               ? scim_holder(&filter->path, holder_of_top)
                               : holder_of_top;

    switch (filter->op) {
    case FILTER_AND:
        return matches(filter->left, holder, top) && matches(filter->right, holder, top);
    case FILTER_OR:
        return matches(filter->left, holder, top) || matches(filter->right, holder, top);
    case FILTER_NOT: return !matches(filter->left, holder, top);
    case FILTER_ELEMENT:
        return some_element_matches(filter, json_object_get(holder, filter->path.attribute->name));
    default: return any_matches(filter, json_object_get(holder, filter->path.attribute->name));
    }
}

bool scim_filter_matches(const struct scim_filter *filter, const json_t *resource)
{
    return matches(filter, resource, true);
}

/* An element of an attribute whose values are simple is its own "value"; there is none such that a
 * filter can be put behind. */
bool scim_filter_matches_element(const struct scim_filter *filter,
                                 const struct scim_attribute *attribute UNUSED,
                                 const json_t *element)
{
    return matches(filter, element, false);
}

static json_t *literal_json(const struct scim_filter *filter)
{
    switch (filter->kind) {
    case FILTER_TEXT: return json_string(filter->text);
    case FILTER_NUMBER: return json_integer((json_int_t)filter->number);
    case FILTER_NULL: return json_null();
    default: return json_boolean(filter->kind == FILTER_TRUE);
    }
}

bool scim_filter_fulfil(const struct scim_filter *filter, json_t *element)
{
    if (filter->op == FILTER_AND)
        return scim_filter_fulfil(filter->left, element) &&
               scim_filter_fulfil(filter->right, element);
    if (filter->op != FILTER_EQ)
        return false;
    INVARIANT(json_object_set_new(element, filter->path.attribute->name, literal_json(filter)) ==
              0);
    return true;
}

const char *scim_filter_demands(const struct scim_filter *filter, const char *attribute)
{
    if (filter->op == FILTER_AND) {
        const char *left = scim_filter_demands(filter->left, attribute);
        return left != NULL ? left : scim_filter_demands(filter->right, attribute);
    }
    bool simple = filter->op == FILTER_EQ && filter->kind == FILTER_TEXT &&
                  !filter->path.extension && filter->path.sub == NULL;
    return simple && strcmp(filter->path.attribute->name, attribute) == 0 ? filter->text : NULL;
}
