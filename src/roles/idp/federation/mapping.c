/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/federation/mapping.h"

#include "base/mem.h"
#include "base/span.h"
#include "codec/json.h"

#include <ctype.h>
#include <stdlib.h>

enum { PIECE_MAX = 256 };

void person_free(struct person *person)
{
    json_decref(person->groups);
    *person = (struct person){.subject = ""};
}

/* ------------------------------------------------------------------ claims */

/* One step of a JSON Pointer, unescaped. False when it is too long. */
static bool take_step(const char **at, char out[PIECE_MAX])
{
    size_t len = 0;

    for (; **at != '\0' && **at != '/'; (*at)++) {
        char c = **at;
        if (c == '~' && ((*at)[1] == '0' || (*at)[1] == '1')) {
            (*at)++;
            c = **at == '0' ? '~' : '/';
        }
        if (len + 1 == PIECE_MAX)
            return false;
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

const json_t *mapping_find(const json_t *claims, const char *claim)
{
    char step[PIECE_MAX];
    char *end;

    if (claim[0] != '/')
        return json_object_get(claims, claim);
    while (*claim == '/' && claims != NULL) {
        claim++;
        if (!take_step(&claim, step))
            return NULL;
        if (json_is_array(claims)) {
            unsigned long index = strtoul(step, &end, 10);
            claims = step[0] != '\0' && *end == '\0' ? json_array_get(claims, index) : NULL;
        } else {
            claims = json_object_get(claims, step);
        }
    }
    return claims;
}

/* ------------------------------------------------------------------ match and template */

struct stars {
    struct span was[MAPPING_STARS_MAX + 1];
    size_t count;
};

static void note(struct stars *stars, size_t index, const char *from, const char *to)
{
    if (index < MAPPING_STARS_MAX)
        stars->was[index + 1] = span_of(from, (size_t)(to - from));
}

/* Each star takes as little as it can, but for the last, which is tried again with more: in the
 * end it has all that is left for it. Time is at most the product of the lengths. */
static bool match_stars(const char *pattern, const char *text, struct stars *out)
{
    const char *resume_pattern = NULL;
    const char *resume_text = NULL;
    const char *begin = NULL;
    size_t star = 0; /* the one that grows, plus one */

    out->was[0] = span_str(text);
    while (*text != '\0') {
        if (*pattern == '*') {
            if (star > 0)
                note(out, star - 1, begin, resume_text);
            star++;
            resume_pattern = ++pattern;
            begin = resume_text = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star > 0) {
            pattern = resume_pattern;
            text = ++resume_text;
        } else {
            return false;
        }
    }
    if (star > 0)
        note(out, star - 1, begin, resume_text);
    for (; *pattern == '*'; pattern++)
        note(out, star++, text, text);
    out->count = star;
    return *pattern == '\0';
}

static void fill(const char *template, const struct stars *stars, struct buf *out)
{
    for (const char *at = template; *at != '\0'; at++) {
        if (at[0] == '{' && at[1] >= '0' && at[1] <= '9' && at[2] == '}') {
            size_t index = (size_t)(at[1] - '0');
            if (index <= stars->count)
                buf_put_span(out, stars->was[index]);
            at += 2;
        } else {
            buf_put_u8(out, (uint8_t)*at);
        }
    }
}

bool mapping_apply(const char *match, const char *template, const char *value, struct buf *out)
{
    struct stars stars = {.count = 0};

    if (!match_stars(match, value, &stars))
        return false;
    fill(template, &stars, out);
    return true;
}

bool mapping_is_fixed(const char *template)
{
    for (; *template != '\0'; template ++)
        if (template[0] == '{' && isdigit((unsigned char)template[1]) && template[2] == '}')
            return false;
    return true;
}

/* ------------------------------------------------------------------ rules */

typedef bool value_fn(void *ctx, const char *text); /* true: enough */

static bool try_value(const json_t *rule, const json_t *value, value_fn *fn, void *ctx)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(MAPPING_TEXT_MAX);
    char number[24];
    const char *given = json_string_value(value);

    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        given = number;
    } else if (json_is_boolean(value)) {
        given = json_is_true(value) ? "true" : "false";
    }
    return given != NULL && given[0] != '\0' &&
           mapping_apply(codec_json_text(rule, "match", "*"),
                         codec_json_text(rule, "template", "{0}"), given, &text) &&
           !text.overflowed && text.len > 0 && fn(ctx, buf_text(&text));
}

static void each_value(const json_t *rule, const json_t *claims, value_fn *fn, void *ctx)
{
    const json_t *value = mapping_find(claims, codec_json_text(rule, "claim", ""));
    const json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        (void)try_value(rule, value, fn, ctx);
        return;
    }
    json_array_foreach (value, i, item)
        if (try_value(rule, item, fn, ctx))
            return;
}

struct into {
    char *text;
    size_t size;
};

/* What does not fit is left out rather than cut: half an address is somebody else's. */
static bool take_first(void *ctx, const char *text)
{
    const struct into *into = ctx;

    if (strlen(text) < into->size)
        snprintf(into->text, into->size, "%s", text);
    return true;
}

static void take_text(const json_t *mapping, const char *name, const char *const *claims_by_default,
                      const json_t *claims, char *out, size_t size)
{
    struct into into = {.text = out, .size = size};
    const json_t *rule = json_object_get(mapping, name);

    out[0] = '\0';
    if (rule != NULL) {
        each_value(rule, claims, take_first, &into);
        return;
    }
    for (; *claims_by_default != NULL && out[0] == '\0'; claims_by_default++) {
        CLEANUP_JSON json_t *plain = json_pack("{s:s}", "claim", *claims_by_default);
        each_value(plain, claims, take_first, &into);
    }
}

void mapping_make_name(char *name)
{
    char *to = name;

    for (const char *from = name; *from != '\0'; from++) {
        char c = (char)tolower((unsigned char)*from);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool first = to == name || to[-1] == '.' || to[-1] == '-';
        if (plain)
            *to++ = c;
        else if (!first)
            *to++ = c == '.' ? '.' : '-';
        else if (c == '.' && to > name && to[-1] == '-')
            to[-1] = '.';
    }
    while (to > name && (to[-1] == '.' || to[-1] == '-'))
        to--;
    *to = '\0';
}

bool mapping_group_is_good(const char *group)
{
    size_t len = strlen(group);

    if (len == 0 || len > MAPPING_TEXT_MAX || strcmp(group, ".") == 0 || strcmp(group, "..") == 0 ||
        strncmp(group, "system:", 7) == 0 || strncmp(group, "drun:", 5) == 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)group[i] < 0x20 || group[i] == 0x7f || group[i] == '/' ||
            group[i] == '%')
            return false;
    return true;
}

static bool take_group(void *ctx, const char *text)
{
    json_t *groups = ctx;
    const json_t *have;
    size_t i;

    if (!mapping_group_is_good(text) || json_array_size(groups) >= MAPPING_GROUPS_MAX)
        return false;
    json_array_foreach (groups, i, have)
        if (strcmp(json_string_value(have), text) == 0)
            return false;
    json_array_append_new(groups, json_string(text));
    return false;
}

/* OpenID Connect Core section 5.1; some providers write it as a text. It is about the claim email
 * and no other. */
static bool says_verified(const json_t *claims, const char *email)
{
    const json_t *value = json_object_get(claims, "email_verified");
    bool yes =
        json_is_true(value) || strcmp(codec_json_text(claims, "email_verified", ""), "true") == 0;

    return yes && strcmp(codec_json_text(claims, "email", ""), email) == 0;
}

int mapping_run(const json_t *spec, const json_t *claims, struct person *out, struct err *err)
{
    static const char *const names[] = {"preferred_username", "uid", "sAMAccountName", NULL};
    static const char *const displays[] = {"name", "displayName", "cn", NULL};
    static const char *const emails[] = {"email", "mail", NULL};
    const json_t *mapping = json_object_get(spec, "mapping");
    const json_t *rule;
    size_t i;

    take_text(mapping, "userName", names, claims, out->user_name, sizeof(out->user_name));
    take_text(mapping, "displayName", displays, claims, out->display, sizeof(out->display));
    take_text(mapping, "email", emails, claims, out->email, sizeof(out->email));
    mapping_make_name(out->user_name);
    out->email_verified =
        out->email[0] != '\0' &&
        (says_verified(claims, out->email) ||
         json_is_true(codec_json_at(spec, "accounts", "emailsAreVerified", NULL)));
    json_decref(out->groups);
    out->groups = json_array();
    json_array_foreach (json_object_get(mapping, "groups"), i, rule)
        each_value(rule, claims, take_group, out->groups);
    if (out->user_name[0] != '\0')
        return 0;
    return err_set(err, ERR_DENIED,
                   "the provider says no user name, or none that the mapping takes");
}
