/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "codec/yaml.h"

#include <locale.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

enum { GAP = 3, OUTPUT_MAX = 256 * 1024 * 1024 };

const char *output_colour(enum output_colour colour)
{
    static const char *const escapes[] = {"\033[0m",  "\033[32m", "\033[33m",
                                          "\033[31m", "\033[2m",  "\033[1m"};

    return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL ? escapes[colour] : "";
}

/* Escapes that colour take no room. */
static size_t escape_len(const char *text)
{
    if (text[0] != '\033' || text[1] != '[')
        return 0;
    size_t len = 2 + strspn(text + 2, "0123456789;");
    return text[len] == '\0' ? len : len + 1;
}

size_t output_width(const char *text)
{
    static bool ready;
    mbstate_t state = {0};
    size_t width = 0;
    wchar_t wide;

    if (!ready)
        setlocale(LC_CTYPE, "C.UTF-8");
    ready = true;
    for (size_t left = strlen(text); left > 0;) {
        size_t len = escape_len(text);
        if (len > 0) {
            text += len;
            left -= len;
            continue;
        }
        len = mbrtowc(&wide, text, left, &state);
        if (len == 0 || len > left)
            return width + left;
        int columns = wcwidth(wide);
        width += columns > 0 ? (size_t)columns : 0;
        text += len;
        left -= len;
    }
    return width;
}

static const char *cell(const json_t *row, size_t column)
{
    const char *text = json_string_value(json_array_get(row, column));

    return text == NULL ? "" : text;
}

void output_row(const json_t *row, const size_t *widths, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        const char *text = cell(row, i);
        size_t width = output_width(text);
        size_t pad = width < widths[i] ? widths[i] - width : 0;
        printf("%s%*s", text, i + 1 == columns ? 0 : (int)pad + GAP, "");
    }
    printf("\n");
}

void output_table(const json_t *header, const json_t *rows)
{
    output_table_with(header, rows, NULL, NULL);
}

void output_table_with(const json_t *header, const json_t *rows, output_below_fn *below, void *ctx)
{
    size_t columns = json_array_size(header);
    CLEANUP_FREE size_t *widths = mem_new_array(columns, sizeof(*widths));
    json_t *row;
    size_t at;

    for (size_t i = 0; i < columns; i++)
        widths[i] = output_width(cell(header, i));
    json_array_foreach (rows, at, row)
        for (size_t i = 0; i < columns; i++)
            widths[i] = NUM_MAX(widths[i], output_width(cell(row, i)));
    output_row(header, widths, columns);
    json_array_foreach (rows, at, row) {
        output_row(row, widths, columns);
        if (below != NULL)
            below(ctx, at);
    }
}

void output_age(const char *time, int64_t now_sec, char out[OUTPUT_AGE_SIZE])
{
    static const struct {
        int64_t below;
        int64_t unit;
        char name;
    } steps[] = {{120, 1, 's'}, {7200, 60, 'm'}, {172800, 3600, 'h'}, {INT64_MAX, 86400, 'd'}};
    struct err err = ERR_INIT;
    int64_t sec;

    snprintf(out, OUTPUT_AGE_SIZE, "-");
    if (time[0] == '\0' || clock_parse(span_str(time), &sec, &err) < 0)
        return;
    int64_t age = now_sec > sec ? now_sec - sec : 0;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (age < steps[i].below) {
            snprintf(out, OUTPUT_AGE_SIZE, "%lld%c", (long long)(age / steps[i].unit),
                     steps[i].name);
            return;
        }
}

void output_harmless(char *text, size_t len)
{
    uint8_t *c = (uint8_t *)text;

    for (size_t i = 0; i < len; i++)
        if ((c[i] < ' ' && c[i] != '\n' && c[i] != '\t') || c[i] == 0x7f)
            c[i] = '?';
        else if (i + 1 < len && c[i] == 0xc2 && c[i + 1] >= 0x80 && c[i + 1] < 0xa0)
            c[i] = c[i + 1] = '?';
}

/* What tenants wrote must not steer the terminal of who reads it. */
static json_t *harmless(const char *text)
{
    CLEANUP_FREE char *copy = mem_strdup(text);

    for (uint8_t *c = (uint8_t *)copy; *c != '\0'; c++)
        if (*c < ' ' || *c == 0x7f)
            *c = '?';
        else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) /* C1, as UTF-8 */
            c[0] = c[1] = '?';
    return json_string(copy);
}

static json_t *text_of(const json_t *value)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(4096);

    if (json_is_string(value))
        return harmless(json_string_value(value));
    if (value != NULL && !json_is_null(value))
        codec_json_put(value, &text);
    return harmless(buf_text(&text));
}

static json_t *upper(const char *text)
{
    CLEANUP_FREE char *copy = mem_strdup(text);

    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return json_string(copy);
}

char *output_lower(const char *text)
{
    char *copy = mem_strdup(text);

    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

void output_kube_table(const json_t *table, bool wide, bool with_namespace)
{
    CLEANUP_JSON json_t *header = json_array();
    CLEANUP_JSON json_t *lines = json_array();
    const json_t *columns = json_object_get(table, "columnDefinitions");
    json_t *column;
    json_t *row;
    size_t at;
    size_t i;

    if (with_namespace)
        json_array_append_new(header, json_string("NAMESPACE"));
    json_array_foreach (columns, i, column)
        if (wide || json_integer_value(json_object_get(column, "priority")) == 0)
            json_array_append_new(header, upper(codec_json_text(column, "name", "")));
    json_array_foreach (json_object_get(table, "rows"), at, row) {
        json_t *line = json_array();
        const json_t *cells = json_object_get(row, "cells");
        if (with_namespace)
            json_array_append_new(
                line, text_of(codec_json_at(row, "object", "metadata", "namespace", NULL)));
        json_array_foreach (columns, i, column)
            if (wide || json_integer_value(json_object_get(column, "priority")) == 0)
                json_array_append_new(line, text_of(json_array_get(cells, i)));
        json_array_append_new(lines, line);
    }
    output_table(header, lines);
}

static void print_name(const json_t *object)
{
    const char *api = codec_json_text(object, "apiVersion", "v1");
    const char *slash = strchr(api, '/');
    CLEANUP_FREE char *kind = output_lower(codec_json_text(object, "kind", ""));

    printf("%s%s%.*s/%s\n", kind, slash != NULL ? "." : "", slash != NULL ? (int)(slash - api) : 0,
           api, codec_json_text(json_object_get(object, "metadata"), "name", ""));
}

int output_object(const json_t *object, const char *format, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(OUTPUT_MAX);
    const json_t *items = json_object_get(object, "items");
    json_t *item;
    size_t i;

    if (strcmp(format, "json") == 0) {
        codec_json_put_pretty(object, &text);
    } else if (strcmp(format, "yaml") == 0) {
        codec_yaml_put(object, &text);
    } else if (strcmp(format, "name") == 0) {
        if (items == NULL)
            print_name(object);
        json_array_foreach (items, i, item)
            print_name(item);
    } else {
        return err_set(err, ERR_INVALID,
                       "there is no output format \"%s\"; use table, json, yaml or name", format);
    }
    fputs(buf_text(&text), stdout);
    return 0;
}
