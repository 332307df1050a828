/* SPDX-License-Identifier: Apache-2.0 */
/* Any request runs, and databases of patterns never change what rules say of it. The first byte
 * says how the body is read; lines up to an empty one are the URI and headers. */
#include "waf/run/rig.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
    "SecRuleEngine DetectionOnly\nSecArgumentsLimit 100\n"
    "SecRule REQUEST_HEADERS:T \"@streq j\" \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n"
    "SecRule REQUEST_HEADERS:T \"@streq x\" \"id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n"
    "SecRule REQUEST_HEADERS:T \"@streq m\" \"id:3,phase:1,pass,nolog,"
    "ctl:requestBodyProcessor=MULTIPART\"\n"
    "SecRule REQUEST_HEADERS:T \"@streq u\" \"id:4,phase:1,pass,nolog,"
    "ctl:requestBodyProcessor=URLENCODED\"\n"
    "SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_HEADERS|XML:/* \"@rx (?i)<[a-z]+\\s*on\" "
    "\"id:10,pass,capture,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode,logdata:'%{TX.0}'\"\n"
    "SecRule ARGS|XML:/* \"@rx \\bselect\\b.*\\bfrom\\b\" \"id:11,pass,t:lowercase,t:replaceComments\"\n"
    "SecRule ARGS|REQUEST_BODY \"@pm etc/passwd cmd.exe base64\" \"id:12,pass,t:cmdLine,"
    "t:normalizePath,capture\"\n"
    "SecRule ARGS \"@rx [^a]b(c)?\" \"id:13,pass,multiMatch,t:urlDecodeUni,t:removeWhitespace,capture,"
    "setvar:tx.n=+1,setvar:tx.%{MATCHED_VAR_NAME}=%{TX.1}\"\n"
    "SecRule ARGS \"@detectSQLi\" \"id:14,pass\"\nSecRule ARGS \"@detectXSS\" \"id:15,pass\"\n"
    "SecRule TX:n \"@gt 2\" \"id:16,pass,chain\"\nSecRule MATCHED_VARS|TX:/^a/ \"@rx .\" \"capture\"\n"
    "SecRule REQUEST_URI \"@rx ^/$\" \"id:17,pass,t:normalisePathWin\"\n"
    "SecRule ARGS \"@rx ^$\" \"id:18,pass,t:base64Decode\"\n"
    "SecRule ARGS|REQUEST_HEADERS \"@rx \\Aa|b\\z|c$|^d\" \"id:19,pass\"\n"
    "SecRule ARGS|REQUEST_HEADERS \"@rx (?:[\\r\\n]|;)\\s*id\" \"id:20,pass\"\n"
    "SecRule ARGS \"@rx \\bx\\b|\\By\\B\" \"id:21,pass\"\n";

static struct rig rigs[2];

static void run(struct rig *rig, uint8_t kind, const char *head, const char *body)
{
    static const char *const types[] = {
        "T: j\n", "T: x\n", "T: m\nContent-Type: multipart/form-data; boundary=b\n", "T: u\n", ""};
    const char *line = strchr(head, '\n');
    CLEANUP_FREE char *uri = mem_strndup(head, line != NULL ? (size_t)(line - head) : strlen(head));
    CLEANUP_FREE char *headers =
        mem_printf("%sCookie: %s\n", types[kind % ARRAY_LEN(types)], line != NULL ? line + 1 : "");
    const char *end = strchr(headers, '\0');

    INVARIANT(end != NULL);
    (void)rig_request(rig, "POST", uri, headers, body);
}

static void compare(void)
{
    size_t counts[2];
    const struct waf_hit *hits[2];

    for (int i = 0; i < 2; i++)
        hits[i] = waf_tx_hits(rigs[i].tx, &counts[i]);
    INVARIANT(counts[0] == counts[1]);
    for (size_t i = 0; i < counts[0]; i++)
        INVARIANT(hits[0][i].rule == hits[1][i].rule &&
                  span_eq(hits[0][i].logdata, hits[1][i].logdata) &&
                  span_eq(hits[0][i].variable, hits[1][i].variable));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1 << 16)
        return 0;
    if (rigs[0].tx == NULL) {
        rig_open(&rigs[0], rules, false, NULL);
        rig_open(&rigs[1], rules, true, NULL);
    }
    CLEANUP_FREE char *text = mem_strndup((const char *)data + 1, size - 1);
    char *body = strstr(text, "\n\n");
    if (body != NULL) {
        *body = '\0';
        body += 2;
    }
    char *line = strchr(text, '\n');
    while (line != NULL && (line = strchr(line + 1, '\n')) != NULL)
        *line = ';';
    for (int i = 0; i < 2; i++)
        run(&rigs[i], data[0], text, body);
    compare();
    return 0;
}
