/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/transform/transform.h"
#include "waf/transform/transform_internal.h"

static bool none(struct transform *t)
{
    (void)t;
    return false;
}

static const struct {
    const char *name;
    transform_fn *run;
} TABLE[WAF_T_COUNT] = {
    [WAF_T_NONE] = {"none", none},
    [WAF_T_BASE64_DECODE] = {"base64Decode", transform_base64_decode},
    [WAF_T_BASE64_DECODE_EXT] = {"base64DecodeExt", transform_base64_decode_ext},
    [WAF_T_BASE64_ENCODE] = {"base64Encode", transform_base64_encode},
    [WAF_T_CMD_LINE] = {"cmdLine", transform_cmd_line},
    [WAF_T_COMPRESS_WHITESPACE] = {"compressWhitespace", transform_compress_whitespace},
    [WAF_T_CSS_DECODE] = {"cssDecode", transform_css_decode},
    [WAF_T_ESCAPE_SEQ_DECODE] = {"escapeSeqDecode", transform_escape_seq_decode},
    [WAF_T_HEX_DECODE] = {"hexDecode", transform_hex_decode},
    [WAF_T_HEX_ENCODE] = {"hexEncode", transform_hex_encode},
    [WAF_T_HTML_ENTITY_DECODE] = {"htmlEntityDecode", transform_html_entity_decode},
    [WAF_T_JS_DECODE] = {"jsDecode", transform_js_decode},
    [WAF_T_LENGTH] = {"length", transform_length},
    [WAF_T_LOWERCASE] = {"lowercase", transform_lowercase},
    [WAF_T_MD5] = {"md5", transform_md5},
    [WAF_T_NORMALISE_PATH] = {"normalisePath", transform_normalise_path},
    [WAF_T_NORMALISE_PATH_WIN] = {"normalisePathWin", transform_normalise_path_win},
    [WAF_T_PARITY_EVEN_7BIT] = {"parityEven7bit", transform_parity_even},
    [WAF_T_PARITY_ODD_7BIT] = {"parityOdd7bit", transform_parity_odd},
    [WAF_T_PARITY_ZERO_7BIT] = {"parityZero7bit", transform_parity_zero},
    [WAF_T_REMOVE_COMMENTS] = {"removeComments", transform_remove_comments},
    [WAF_T_REMOVE_COMMENTS_CHAR] = {"removeCommentsChar", transform_remove_comments_char},
    [WAF_T_REMOVE_NULLS] = {"removeNulls", transform_remove_nulls},
    [WAF_T_REMOVE_WHITESPACE] = {"removeWhitespace", transform_remove_whitespace},
    [WAF_T_REPLACE_COMMENTS] = {"replaceComments", transform_replace_comments},
    [WAF_T_REPLACE_NULLS] = {"replaceNulls", transform_replace_nulls},
    [WAF_T_SHA1] = {"sha1", transform_sha1},
    [WAF_T_SQL_HEX_DECODE] = {"sqlHexDecode", transform_sql_hex_decode},
    [WAF_T_TRIM] = {"trim", transform_trim},
    [WAF_T_TRIM_LEFT] = {"trimLeft", transform_trim_left},
    [WAF_T_TRIM_RIGHT] = {"trimRight", transform_trim_right},
    [WAF_T_UPPERCASE] = {"uppercase", transform_uppercase},
    [WAF_T_URL_DECODE] = {"urlDecode", transform_url_decode},
    [WAF_T_URL_DECODE_UNI] = {"urlDecodeUni", transform_url_decode_uni},
    [WAF_T_URL_ENCODE] = {"urlEncode", transform_url_encode},
    [WAF_T_UTF8_TO_UNICODE] = {"utf8toUnicode", transform_utf8_to_unicode},
};

static const struct {
    const char *name;
    enum waf_transform kind;
} ALIASES[] = {
    {"normalizePath", WAF_T_NORMALISE_PATH},
    {"normalizePathWin", WAF_T_NORMALISE_PATH_WIN},
};

static bool same_name(struct span a, const char *b)
{
    return a.len == strlen(b) && strncasecmp((const char *)a.p, b, a.len) == 0;
}

bool waf_transform_by_name(struct span name, enum waf_transform *out)
{
    for (size_t i = 0; i < ARRAY_LEN(ALIASES); i++)
        if (same_name(name, ALIASES[i].name)) {
            *out = ALIASES[i].kind;
            return true;
        }
    for (int kind = 0; kind < WAF_T_COUNT; kind++)
        if (same_name(name, TABLE[kind].name)) {
            *out = (enum waf_transform)kind;
            return true;
        }
    return false;
}

const char *waf_transform_name(enum waf_transform kind)
{
    INVARIANT(kind < WAF_T_COUNT);
    return TABLE[kind].name;
}

bool waf_transform_run(enum waf_transform kind, struct span in, const struct waf_unicode_map *map,
                       struct arena *arena, struct span *out)
{
    struct transform t = {.in = in, .map = map, .arena = arena};

    INVARIANT(kind < WAF_T_COUNT);
    bool changed = TABLE[kind].run(&t);
    *out = changed ? t.out : in;
    return changed;
}
