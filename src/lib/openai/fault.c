/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/walk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void put_path(const struct walk *walk, struct span last, char out[OPENAI_PATH_MAX])
{
    size_t used = 0;

    out[0] = '\0';
    for (unsigned i = 0; i <= walk->depth && used < OPENAI_PATH_MAX; i++) {
        struct span name = i < walk->depth ? walk->path[i].name : last;
        int len = 0;
        if (name.len > 0)
            len = snprintf(out + used, OPENAI_PATH_MAX - used, "%s%.*s", used > 0 ? "." : "",
                           SPAN_ARG(name));
        else if (i < walk->depth)
            len =
                snprintf(out + used, OPENAI_PATH_MAX - used, "[%" PRIu32 "]", walk->path[i].index);
        used += len > 0 ? (size_t)len : 0;
    }
}

bool walk_fault(struct walk *walk, struct span last, const char *code, const char *fmt, ...)
{
    struct openai_fault *fault = walk->fault;
    va_list args;

    if (fault->code != NULL)
        return false;
    put_path(walk, last, fault->param);
    fault->code = code;
    fault->at = (size_t)(walk->scan.p - walk->scan.start);
    size_t used = (size_t)snprintf(fault->msg, sizeof(fault->msg), "%s ",
                                   fault->param[0] != '\0' ? fault->param : "The request body");
    va_start(args, fmt);
    vsnprintf(fault->msg + used, sizeof(fault->msg) - used, fmt, args);
    va_end(args);
    return false;
}

bool walk_no_json(struct walk *walk)
{
    struct openai_fault *fault = walk->fault;

    if (fault->code != NULL)
        return false;
    fault->param[0] = '\0';
    fault->code = "invalid_json";
    fault->at = (size_t)(walk->scan.p - walk->scan.start);
    snprintf(fault->msg, sizeof(fault->msg), "The body is not valid JSON: %s (byte %zu)",
             walk->scan.why, fault->at);
    return false;
}

static void put_types(uint8_t types, char *out, size_t size)
{
    static const struct {
        uint8_t type;
        const char *name;
    } names[] = {{IS_BOOL, "a boolean"}, {IS_INT, "a whole number"}, {IS_NUM, "a number"},
                 {IS_STR, "a string"},   {IS_ARR, "an array"},       {IS_OBJ, "an object"},
                 {IS_NULL, "null"}};
    size_t used = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if ((types & names[i].type) != 0)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? " or " : "",
                                     names[i].name);
    }
}

bool walk_wrong_type(struct walk *walk, const struct schema *schema)
{
    char wanted[96];

    put_types(schema->types, wanted, sizeof(wanted));
    return walk_fault(walk, WALK_HERE, "invalid_type", "must be %s", wanted);
}

bool walk_no_word(struct walk *walk, const struct schema *schema)
{
    char list[128] = "";
    size_t used = 0;

    for (const struct schema_word *word = schema->words; word->word != NULL; word++)
        if (used < sizeof(list))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "",
                                     word->word);
    return walk_fault(walk, WALK_HERE, "invalid_value", "must be one of %s", list);
}
