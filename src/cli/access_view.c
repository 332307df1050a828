/* SPDX-License-Identifier: Apache-2.0 */
/* An access review for people, and as CSV (RFC 4180) for a spreadsheet. */
#include "base/mem.h"
#include "cli/access.h"
#include "cli/output.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

static const char *or_dash(const json_t *row, const char *name)
{
    const char *text = codec_json_text(row, name, "");

    return text[0] == '\0' ? "-" : text;
}

static void print_rows(const char *title, const json_t *list, const char *const columns[][2],
                       size_t count)
{
    CLEANUP_JSON json_t *header = json_array();
    CLEANUP_JSON json_t *rows = json_array();
    const json_t *item;
    size_t i;

    printf("%s%s%s\n", output_colour(OUTPUT_BOLD), title, output_colour(OUTPUT_PLAIN));
    if (json_array_size(list) == 0) {
        printf("none\n\n");
        return;
    }
    for (i = 0; i < count; i++)
        json_array_append_new(header, json_string(columns[i][0]));
    json_array_foreach (list, i, item) {
        json_t *row = json_array();
        for (size_t j = 0; j < count; j++)
            json_array_append_new(row, json_string(or_dash(item, columns[j][1])));
        json_array_append_new(rows, row);
    }
    output_table(header, rows);
    printf("\n");
}

void access_print_table(const json_t *review)
{
    static const char *const access[][2] = {{"KIND", "kind"},
                                            {"NAME", "name"},
                                            {"STATE", "state"},
                                            {"NAMESPACE", "namespace"},
                                            {"ROLE", "role"},
                                            {"BINDING", "binding"},
                                            {"VIA", "via"},
                                            {"LAST SIGN-IN", "lastSignIn"},
                                            {"LAST KEY USE", "lastKeyUse"}};
    static const char *const keys[][2] = {{"NAMESPACE", "namespace"}, {"NAME", "name"},
                                          {"OWNER", "owner"},         {"EXPIRES", "expires"},
                                          {"LAST USED", "lastUsed"},  {"FROM", "address"}};
    static const char *const findings[][2] = {{"FINDING", "finding"},
                                              {"KIND", "kind"},
                                              {"NAMESPACE", "namespace"},
                                              {"NAME", "name"},
                                              {"WHY", "message"}};
    const json_t *unread = json_object_get(review, "unread");
    const json_t *name;
    size_t i;

    print_rows("Access", json_object_get(review, "access"), access, ARRAY_LEN(access));
    print_rows("API keys", json_object_get(review, "keys"), keys, ARRAY_LEN(keys));
    print_rows("To look at", json_object_get(review, "findings"), findings, ARRAY_LEN(findings));
    json_array_foreach (unread, i, name)
        fprintf(stderr, "you may not list %s; what rests on them is missing\n",
                json_string_value(name));
}

/* In quotes. A spreadsheet must not take a name for a formula. */
static void print_cell(const char *text, char before)
{
    putchar(before);
    putchar('"');
    if (strchr("=+-@\t\r", text[0]) != NULL && text[0] != '\0')
        putchar('\'');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"')
            putchar('"');
        putchar(*c);
    }
    putchar('"');
}

void access_print_csv(const json_t *review)
{
    static const char *const columns[] = {"kind",     "name",       "state",       "namespace",
                                          "roleKind", "role",       "bindingKind", "binding",
                                          "via",      "lastSignIn", "lastKeyUse"};
    const json_t *row;
    size_t i;

    for (i = 0; i < ARRAY_LEN(columns); i++)
        printf("%s%s", i > 0 ? "," : "", columns[i]);
    printf(",rights\r\n");
    json_array_foreach (json_object_get(review, "access"), i, row) {
        CLEANUP(buf_free) struct buf rights = BUF_INIT(1 << 20);
        const json_t *list = json_object_get(row, "rights");
        for (size_t j = 0; j < ARRAY_LEN(columns); j++) {
            if (j == 0)
                printf("\"%s\"", codec_json_text(row, columns[j], ""));
            else
                print_cell(codec_json_text(row, columns[j], ""), ',');
        }
        for (size_t j = 0; j < json_array_size(list); j++)
            buf_printf(&rights, "%s%s", j > 0 ? "; " : "",
                       json_string_value(json_array_get(list, j)));
        print_cell(buf_text(&rights), ',');
        printf("\r\n");
    }
}
