/* SPDX-License-Identifier: Apache-2.0 */
/* Content-Disposition: form-data; name="…"; filename="…" (RFC 7578, RFC 6266). Anything but name,
 * filename and filename* is refused. */
#include "waf/body/multipart_internal.h"

struct reader {
    struct waf_multipart *mp;
    const uint8_t *p;
    const uint8_t *end;
    struct err *err;
};

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t'))
        r->p++;
}

static int fail(struct reader *r, const char *why)
{
    return multipart_error(r->mp, r->err, "a Content-Disposition is malformed: %s", why);
}

static bool is_token(uint8_t c)
{
    return c > 32 && c < 127 && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* ------------------------------------------------------------------ values */

/* In quotes of either kind; only the quote and the backslash can be escaped, other backslashes are
 * characters, because browsers sent whole Windows paths. */
static int quoted(struct reader *r, struct span *out)
{
    uint8_t quote = *r->p++;
    uint8_t *value = arena_alloc(r->mp->arena, (size_t)(r->end - r->p) + 1);
    size_t len = 0;

    TRY(arena_check(r->mp->arena, "the multipart body", r->err));
    for (; r->p < r->end && *r->p != quote; r->p++) {
        if (*r->p == '\\') {
            if (r->end - r->p < 2)
                return fail(r, "a backslash stands at the end");
            if (r->p[1] == quote || r->p[1] == '\\')
                r->p++;
        }
        value[len++] = *r->p;
    }
    if (r->p == r->end)
        return fail(r, "a quote is not closed");
    r->p++;
    *out = span_of(value, len);
    return 0;
}

static int plain(struct reader *r, struct span *out)
{
    const uint8_t *from = r->p;

    while (r->p < r->end && is_token(*r->p))
        r->p++;
    *out = span_of(from, (size_t)(r->p - from));
    return 0;
}

/* charset'language'percent-encoded (RFC 8187 section 3.2.1). */
static int extended(struct reader *r, struct span *out)
{
    const uint8_t *from = r->p;

    while (r->p < r->end && (is_alnum(*r->p) || strchr("!#$%&+-^_`{}~", *r->p) != NULL))
        r->p++;
    if (r->p == from || r->p == r->end || *r->p++ != '\'')
        return fail(r, "filename* has no charset");
    r->p = memchr(r->p, '\'', (size_t)(r->end - r->p));
    if (r->p == NULL)
        return fail(r, "filename* has no end of its language");
    from = ++r->p;
    while (r->p < r->end && *r->p != ';') {
        bool percent = *r->p == '%';
        if (percent && (r->end - r->p < 3 || !is_hex(r->p[1]) || !is_hex(r->p[2])))
            return fail(r, "filename* has a percent sign without two digits");
        if (!percent && !is_alnum(*r->p) && strchr("!#$&+-.^_`~", *r->p) == NULL)
            return fail(r, "filename* has a character that must be encoded");
        r->p += percent ? 3 : 1;
    }
    *out = span_of(from, (size_t)(r->p - from));
    return 0;
}

/* ------------------------------------------------------------------ parameters */

/* "name=", up to where its value begins. */
static int parameter_name(struct reader *r, struct span *out)
{
    skip_blanks(r);
    const uint8_t *from = r->p;
    while (r->p < r->end && *r->p != '=' && *r->p != ' ' && *r->p != '\t')
        r->p++;
    *out = span_of(from, (size_t)(r->p - from));
    skip_blanks(r);
    if (r->p == r->end || *r->p++ != '=')
        return fail(r, "a parameter has no equals sign");
    skip_blanks(r);
    return r->p == r->end ? fail(r, "a parameter has no value") : 0;
}

/* A quote inside a value without double quotes is read in different ways. */
static void check_quotes(struct reader *r, struct span value, uint8_t first)
{
    if (first != '"' && value.len > 0 && memchr(value.p, '\'', value.len) != NULL)
        r->mp->flags.invalid_quoting = 1;
}

static int set_once(struct reader *r, struct span *place, struct span value)
{
    if (place->len > 0)
        return fail(r, "a parameter is given twice");
    *place = value;
    return 0;
}

static int parameter(struct reader *r, struct span *star)
{
    struct waf_part *part = r->mp->part;
    struct span name;
    struct span value;

    TRY(parameter_name(r, &name));
    uint8_t first = *r->p;
    if (span_eq_str(name, "filename*")) {
        TRY(extended(r, &value));
        return set_once(r, star, value);
    }
    if (first == '\'')
        r->mp->flags.invalid_quoting = 1;
    TRY(first == '"' || first == '\'' ? quoted(r, &value) : plain(r, &value));
    check_quotes(r, value, first);
    if (span_eq_str(name, "name")) {
        r->mp->last_name = value;
        return set_once(r, &part->name, value);
    }
    if (!span_eq_str(name, "filename"))
        return fail(r, "it has another parameter than name and filename");
    r->mp->last_filename = value;
    return set_once(r, &part->filename, value);
}

int multipart_disposition(struct waf_multipart *mp, struct span value, struct err *err)
{
    static const char type[] = "form-data";
    struct reader r = {mp, value.p, value.p + value.len, err};
    struct span star = span_of(NULL, 0);

    if (value.len < strlen(type) || memcmp(value.p, type, strlen(type)) != 0)
        return fail(&r, "it is not form-data");
    r.p += strlen(type);
    skip_blanks(&r);
    while (r.p < r.end) {
        if (*r.p != ';') {
            if (r.p[-1] == '"' || r.p[-1] == '\'')
                mp->flags.invalid_quoting = 1;
            return fail(&r, "a semicolon must stand between parameters");
        }
        r.p++;
        if (r.p == r.end)
            break;
        TRY(parameter(&r, &star));
        skip_blanks(&r);
    }
    if (star.len > 0 && mp->part->filename.len == 0)
        return fail(&r, "it has filename* without filename");
    return 0;
}
