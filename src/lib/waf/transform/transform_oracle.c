/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/transform/transform_oracle.h"

#include "base/mem.h"

enum { RULES_MAX = 1 << 14, RESULT_MAX = 1 << 24 };

struct transform_oracle {
    struct oracle *oracle;
    struct buf hex;
    struct buf bytes;
};

/* Each result in hex in a variable of its own, then all in one line. */
struct transform_oracle *transform_oracle_new(const char *unicode_map_file)
{
    struct transform_oracle *oracle = mem_new(sizeof(*oracle));
    CLEANUP(buf_free) struct buf rules = BUF_INIT(RULES_MAX);

    oracle->hex = (struct buf)BUF_INIT(RESULT_MAX);
    oracle->bytes = (struct buf)BUF_INIT(RESULT_MAX);
    if (unicode_map_file != NULL)
        buf_printf(&rules, "SecUnicodeMapFile %s 20127\n", unicode_map_file);
    buf_put_str(&rules, "SecRuleEngine On\n");
    for (int kind = 0; kind < WAF_T_COUNT; kind++)
        buf_printf(&rules,
                   "SecRule REQUEST_HEADERS:X-Value \"@unconditionalMatch\" \"id:%d,phase:1,pass,"
                   "nolog,t:%s,t:hexEncode,setvar:'tx.r%d=%%{MATCHED_VAR}'\"\n",
                   kind + 1, waf_transform_name((enum waf_transform)kind), kind);
    buf_put_str(&rules, "SecAction \"id:100,phase:1,nolog,deny,status:302,redirect:'");
    for (int kind = 0; kind < WAF_T_COUNT; kind++)
        buf_printf(&rules, "%%{tx.r%d}|", kind);
    buf_put_str(&rules, "'\"\n");
    oracle->oracle = oracle_new(buf_text(&rules));
    return oracle;
}

void transform_oracle_free(struct transform_oracle *oracle)
{
    if (oracle == NULL)
        return;
    oracle_free(oracle->oracle);
    buf_free(&oracle->hex);
    buf_free(&oracle->bytes);
    free(oracle);
}

void transform_oracle_run(struct transform_oracle *oracle, struct span in,
                          struct span out[WAF_T_COUNT])
{
    struct oracle_request request = {.value = in};
    size_t begins[WAF_T_COUNT + 1] = {0};

    buf_reset(&oracle->hex);
    buf_reset(&oracle->bytes);
    oracle_run(oracle->oracle, &request, &oracle->hex);
    struct cursor cursor = cursor_of(buf_span(&oracle->hex));
    for (int kind = 0; kind < WAF_T_COUNT; kind++) {
        const uint8_t *bar = cursor.left == 0 ? NULL : memchr(cursor.p, '|', cursor.left);
        INVARIANT(bar != NULL);
        oracle_unhex(cursor_bytes(&cursor, (size_t)(bar - cursor.p)), &oracle->bytes);
        (void)cursor_u8(&cursor);
        begins[kind + 1] = oracle->bytes.len;
    }
    for (int kind = 0; kind < WAF_T_COUNT; kind++)
        out[kind] = span_of(oracle->bytes.data + begins[kind], begins[kind + 1] - begins[kind]);
}

/* A slash of any kind, then a backslash. */
static bool has_backslash_run(struct span in)
{
    size_t run = 0;

    for (size_t i = 0; i < in.len; i++) {
        bool slash = in.p[i] == '/' || in.p[i] == '\\';
        run = slash ? run + 1 : 0;
        if (run > 1 && in.p[i] == '\\')
            return true;
    }
    return false;
}

bool transform_differs(enum waf_transform kind, struct span in, struct span out)
{
    switch (kind) {
    case WAF_T_SQL_HEX_DECODE: return true;
    case WAF_T_CSS_DECODE: return out.len > 0 && memchr(out.p, '\0', out.len) != NULL;
    case WAF_T_BASE64_DECODE_EXT: return in.len > 0 && in.p[in.len - 1] == '9';
    case WAF_T_NORMALISE_PATH_WIN: return has_backslash_run(in);
    case WAF_T_UTF8_TO_UNICODE: return !oracle_is_known();
    default: return false;
    }
}
