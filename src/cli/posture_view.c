/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/posture_view.h"

#include "base/mem.h"
#include "cli/output.h"
#include "codec/json.h"

#include <stdlib.h>

static const char *status_text(const json_t *control, const char *name)
{
    return codec_json_text(json_object_get(control, "status"), name, "");
}

static const char *spec_text(const json_t *control, const char *name)
{
    return codec_json_text(json_object_get(control, "spec"), name, "");
}

void posture_tally(const json_t *controls, struct posture_count *out)
{
    const json_t *control;
    size_t i;

    *out = (struct posture_count){0};
    json_array_foreach (json_object_get(controls, "items"), i, control) {
        const char *verdict = status_text(control, "verdict");
        if (strcmp(verdict, "proven") == 0)
            out->proven++;
        else if (strcmp(verdict, "degraded") == 0)
            out->degraded++;
        else if (strcmp(verdict, "absent") == 0)
            out->absent++;
        else
            out->failed++;
    }
}

/* ------------------------------------------------------------------ progress */

static const json_t *find(const json_t *controls, const char *name)
{
    const json_t *control;
    size_t i;

    json_array_foreach (json_object_get(controls, "items"), i, control)
        if (strcmp(codec_json_text(json_object_get(control, "metadata"), "name", ""), name) == 0)
            return control;
    return NULL;
}

static const char *version_of(const json_t *control)
{
    return codec_json_text(json_object_get(control, "metadata"), "resourceVersion", "");
}

size_t posture_renewed(const json_t *before, const json_t *now, const json_t *started,
                       const char **out_next)
{
    const json_t *name;
    size_t done = 0;
    size_t i;

    *out_next = "";
    json_array_foreach (started, i, name) {
        const json_t *new = find(now, json_string_value(name));
        const json_t *old = find(before, json_string_value(name));
        if (strcmp(version_of(new), version_of(old)) != 0)
            done++;
        else if ((*out_next)[0] == '\0')
            *out_next = spec_text(new, "id");
    }
    return done;
}

/* ------------------------------------------------------------------ the table */

static enum output_colour colour_of(const char *verdict)
{
    if (strcmp(verdict, "proven") == 0)
        return OUTPUT_GREEN;
    if (strcmp(verdict, "degraded") == 0)
        return OUTPUT_YELLOW;
    return strcmp(verdict, "absent") == 0 ? OUTPUT_DIM : OUTPUT_RED;
}

static json_t *row_of(const json_t *control, bool chinese, int64_t now_sec)
{
    const char *verdict = status_text(control, "verdict");
    const char *checked = status_text(control, "checkedAt");
    char age[OUTPUT_AGE_SIZE];

    output_age(checked, now_sec, age);
    return json_pack("[s, o, s, s]", spec_text(control, "id"),
                     json_sprintf("%s%s%s", output_colour(colour_of(verdict)), verdict,
                                  output_colour(OUTPUT_PLAIN)),
                     age, spec_text(control, chinese ? "titleZh" : "title"));
}

/* The object's text has a line for each thing that was tried. */
static void print_evidence(const json_t *control)
{
    const char *at = status_text(control, "evidence");

    while (*at != '\0') {
        size_t len = strcspn(at, "\n");
        printf("%s       %.*s%s\n", output_colour(OUTPUT_DIM), (int)len, at,
               output_colour(OUTPUT_PLAIN));
        at += len;
        at += *at == '\n';
    }
}

static void print_sum(const json_t *controls)
{
    struct posture_count count;

    posture_tally(controls, &count);
    printf("\n%s%zu proven%s, %s%zu degraded%s, %s%zu failed%s, %zu absent\n",
           output_colour(OUTPUT_GREEN), count.proven, output_colour(OUTPUT_PLAIN),
           output_colour(count.degraded > 0 ? OUTPUT_YELLOW : OUTPUT_PLAIN), count.degraded,
           output_colour(OUTPUT_PLAIN), output_colour(count.failed > 0 ? OUTPUT_RED : OUTPUT_PLAIN),
           count.failed, output_colour(OUTPUT_PLAIN), count.absent);
}

static void print_row(void *ctx, size_t i)
{
    const json_t *controls = ctx;

    print_evidence(json_array_get(json_object_get(controls, "items"), i));
}

void posture_print(const json_t *controls, bool evidence, int64_t now_sec)
{
    const char *language = getenv("LANG");
    bool chinese = language != NULL && strncmp(language, "zh", 2) == 0;
    CLEANUP_JSON json_t *header =
        json_pack("[s, s, s, s]", "CONTROL", "VERDICT", "CHECKED", "TITLE");
    CLEANUP_JSON json_t *rows = json_array();
    const json_t *control;
    size_t i;

    json_array_foreach (json_object_get(controls, "items"), i, control)
        json_array_append_new(rows, row_of(control, chinese, now_sec));
    output_table_with(header, rows, evidence ? print_row : NULL, (void *)(uintptr_t)controls);
    print_sum(controls);
}
