/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/operator/operator.h"
#include "waf/operator/operator_internal.h"

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>

static bool never(const struct op_call *call, struct waf_op_found *found)
{
    (void)call;
    (void)found;
    return false;
}

static bool always(const struct op_call *call, struct waf_op_found *found)
{
    (void)call;
    (void)found;
    return true;
}

static const struct {
    const char *name;
    enum waf_op_arity arity;
    bool macros;
    const char *refused; /* why; NULL: it is not */
    op_prepare_fn *prepare;
    op_load_fn *load;
    op_match_fn *match;
} TABLE[WAF_OP_COUNT] = {
    [WAF_OP_RX] = {"rx", WAF_OP_ARG_REQUIRED, true, "the engine compiles it"},
    [WAF_OP_RX_GLOBAL] = {"rxGlobal", WAF_OP_ARG_REQUIRED, true, "the engine compiles it"},
    [WAF_OP_PM] = {"pm", WAF_OP_ARG_REQUIRED, false, "the engine compiles it"},
    [WAF_OP_PM_FROM_FILE] = {"pmFromFile", WAF_OP_ARG_REQUIRED, false, "the engine compiles it"},
    [WAF_OP_BEGINS_WITH] = {"beginsWith", WAF_OP_ARG_REQUIRED, true, .match = op_begins_with},
    [WAF_OP_CONTAINS] = {"contains", WAF_OP_ARG_REQUIRED, true, .match = op_contains},
    [WAF_OP_CONTAINS_WORD] = {"containsWord", WAF_OP_ARG_REQUIRED, true, .match = op_contains_word},
    [WAF_OP_DETECT_SQLI] = {"detectSQLi", WAF_OP_ARG_NONE, false, .match = op_detect_sqli},
    [WAF_OP_DETECT_XSS] = {"detectXSS", WAF_OP_ARG_NONE, false, .match = op_detect_xss},
    [WAF_OP_ENDS_WITH] = {"endsWith", WAF_OP_ARG_REQUIRED, true, .match = op_ends_with},
    [WAF_OP_EQ] = {"eq", WAF_OP_ARG_REQUIRED, true, .match = op_eq},
    [WAF_OP_FUZZY_HASH] = {"fuzzyHash", WAF_OP_ARG_REQUIRED, false,
                           "ssdeep is not part of this WAF; compare whole digests with t:sha1"},
    [WAF_OP_GE] = {"ge", WAF_OP_ARG_REQUIRED, true, .match = op_ge},
    [WAF_OP_GEO_LOOKUP] = {"geoLookup", WAF_OP_ARG_NONE, false, .match = op_geo_lookup},
    [WAF_OP_GSB_LOOKUP] = {"gsbLookup", WAF_OP_ARG_REQUIRED, false,
                           "ModSecurity v3 never implemented it, either"},
    [WAF_OP_GT] = {"gt", WAF_OP_ARG_REQUIRED, true, .match = op_gt},
    [WAF_OP_INSPECT_FILE] = {"inspectFile", WAF_OP_ARG_REQUIRED, false,
                             "it runs a program for each request, and the process that inspects "
                             "requests may start none; look at FILES_TMP_CONTENT instead"},
    [WAF_OP_IP_MATCH] = {"ipMatch", WAF_OP_ARG_REQUIRED, false, .prepare = op_prepare_ip,
                         .match = op_ip_match},
    [WAF_OP_IP_MATCH_FROM_FILE] = {"ipMatchFromFile", WAF_OP_ARG_REQUIRED, false,
                                   .prepare = op_prepare_ip_file, .match = op_ip_match},
    [WAF_OP_LE] = {"le", WAF_OP_ARG_REQUIRED, true, .match = op_le},
    [WAF_OP_LT] = {"lt", WAF_OP_ARG_REQUIRED, true, .match = op_lt},
    [WAF_OP_NO_MATCH] = {"noMatch", WAF_OP_ARG_NONE, false, .match = never},
    [WAF_OP_RBL] = {"rbl", WAF_OP_ARG_REQUIRED, false,
                    "it asks the DNS for each request, and the process that inspects requests "
                    "opens no connections; use ipMatchFromFile with a downloaded list"},
    [WAF_OP_RSUB] = {"rsub", WAF_OP_ARG_REQUIRED, false,
                     "bodies are not rewritten; ModSecurity v3 never implemented it, either"},
    [WAF_OP_STREQ] = {"streq", WAF_OP_ARG_REQUIRED, true, .match = op_streq},
    [WAF_OP_STRMATCH] = {"strmatch", WAF_OP_ARG_REQUIRED, true, .match = op_contains},
    [WAF_OP_UNCONDITIONAL_MATCH] = {"unconditionalMatch", WAF_OP_ARG_NONE, false, .match = always},
    [WAF_OP_VALIDATE_BYTE_RANGE] = {"validateByteRange", WAF_OP_ARG_REQUIRED, false,
                                    .prepare = op_prepare_byte_range,
                                    .match = op_validate_byte_range},
    [WAF_OP_VALIDATE_DTD] = {"validateDTD", WAF_OP_ARG_REQUIRED, false, .prepare = op_prepare_xml,
                             .load = op_load_xml, .match = op_validate_xml},
    [WAF_OP_VALIDATE_HASH] = {"validateHash", WAF_OP_ARG_REQUIRED, false,
                              "ModSecurity v3 never implemented it, either"},
    [WAF_OP_VALIDATE_SCHEMA] = {"validateSchema", WAF_OP_ARG_REQUIRED, false,
                                .prepare = op_prepare_xml, .load = op_load_xml,
                                .match = op_validate_xml},
    [WAF_OP_VALIDATE_URL_ENCODING] = {"validateUrlEncoding", WAF_OP_ARG_NONE, false,
                                      .match = op_validate_url_encoding},
    [WAF_OP_VALIDATE_UTF8_ENCODING] = {"validateUtf8Encoding", WAF_OP_ARG_NONE, false,
                                       .match = op_validate_utf8_encoding},
    [WAF_OP_VERIFY_CC] = {"verifyCC", WAF_OP_ARG_REQUIRED, false, .prepare = op_prepare_verify,
                          .load = op_load_verify, .match = op_verify},
    [WAF_OP_VERIFY_CPF] = {"verifyCPF", WAF_OP_ARG_REQUIRED, false, .prepare = op_prepare_verify,
                           .load = op_load_verify, .match = op_verify},
    [WAF_OP_VERIFY_SSN] = {"verifySSN", WAF_OP_ARG_REQUIRED, false, .prepare = op_prepare_verify,
                           .load = op_load_verify, .match = op_verify},
    [WAF_OP_VERIFY_SVNR] = {"verifySVNR", WAF_OP_ARG_REQUIRED, false, .prepare = op_prepare_verify,
                            .load = op_load_verify, .match = op_verify},
    [WAF_OP_WITHIN] = {"within", WAF_OP_ARG_REQUIRED, true, .match = op_within},
};

static const struct {
    const char *name;
    enum waf_op op;
} ALIASES[] = {{"ipMatchF", WAF_OP_IP_MATCH_FROM_FILE}, {"pmf", WAF_OP_PM_FROM_FILE}};

static bool same_name(struct span a, const char *b)
{
    return a.len == strlen(b) && strncasecmp((const char *)a.p, b, a.len) == 0;
}

bool waf_op_by_name(struct span name, enum waf_op *out)
{
    for (size_t i = 0; i < ARRAY_LEN(ALIASES); i++)
        if (same_name(name, ALIASES[i].name)) {
            *out = ALIASES[i].op;
            return true;
        }
    for (int op = 0; op < WAF_OP_COUNT; op++)
        if (same_name(name, TABLE[op].name)) {
            *out = (enum waf_op)op;
            return true;
        }
    return false;
}

const char *waf_op_name(enum waf_op op)
{
    INVARIANT(op < WAF_OP_COUNT);
    return TABLE[op].name;
}

bool waf_op_expands_macros(enum waf_op op)
{
    INVARIANT(op < WAF_OP_COUNT);
    return TABLE[op].macros;
}

enum waf_op_arity waf_op_arity(enum waf_op op)
{
    INVARIANT(op < WAF_OP_COUNT);
    return TABLE[op].arity;
}

int op_read_file(enum waf_op op, struct span name, const char *dir, struct buf *out,
                 struct err *err)
{
    CLEANUP_FREE char *path = mem_strndup((const char *)name.p, name.len);
    CLEANUP_FD int dir_fd = -1;

    if (strstr(path, "://") != NULL)
        return err_set(err, ERR_UNSUPPORTED,
                       "@%s: \"%s\" is an address on the network; download it and name the file",
                       TABLE[op].name, path);
    dir_fd = fd_open_dir(AT_FDCWD, dir == NULL ? "." : dir, err);
    if (dir_fd < 0 || fd_read_file(dir_fd, path, out, err) < 0)
        return err_wrap(err, "@%s", TABLE[op].name);
    return 0;
}

int waf_op_prepare(enum waf_op op, struct span argument, const char *dir, struct buf *blob,
                   struct err *err)
{
    INVARIANT(op < WAF_OP_COUNT);
    if (TABLE[op].refused != NULL)
        return err_set(err, ERR_UNSUPPORTED, "the operator @%s is not supported here: %s",
                       TABLE[op].name, TABLE[op].refused);
    if (TABLE[op].prepare == NULL)
        return 0;
    TRY(TABLE[op].prepare(op, argument, dir, blob, err));
    return buf_check(blob, TABLE[op].name, err);
}

int waf_op_load(enum waf_op op, struct span blob, struct waf_op_state **out, struct err *err)
{
    INVARIANT(op < WAF_OP_COUNT);
    *out = NULL;
    return TABLE[op].load == NULL ? 0 : TABLE[op].load(op, blob, out, err);
}

void waf_op_state_free(struct waf_op_state *state)
{
    if (state != NULL)
        state->free(state);
}

void waf_op_state_free_ptr(struct waf_op_state **state)
{
    waf_op_state_free(*state);
}

bool waf_op_match(enum waf_op op, struct span blob, struct waf_op_state *state,
                  struct span argument, struct span value, struct waf_op_run *run,
                  struct waf_op_found *found)
{
    struct op_call call = {op, blob, state, argument, value, run};

    INVARIANT(op < WAF_OP_COUNT && TABLE[op].match != NULL);
    *found = (struct waf_op_found){.len = value.len};
    return TABLE[op].match(&call, found);
}
