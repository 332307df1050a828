/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/oracle/oracle.h"

#include "base/enc.h"
#include "base/mem.h"

#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

struct oracle {
    ModSecurity *engine;
    RulesSet *rules;
};

static void no_log(void *data, const void *message)
{
    (void)data;
    (void)message;
}

bool oracle_is_known(void)
{
    enum { NEWEST_KNOWN = 3099999 }; /* 3.0.9 */

    return MODSECURITY_VERSION_NUM <= NEWEST_KNOWN;
}

struct oracle *oracle_new(const char *rules)
{
    struct oracle *oracle = mem_new(sizeof(*oracle));
    const char *error = NULL;

    oracle->engine = msc_init();
    msc_set_log_cb(oracle->engine, no_log);
    oracle->rules = msc_create_rules_set();
    if (msc_rules_add(oracle->rules, rules, &error) < 0) {
        fprintf(stderr, "libmodsecurity: %s\n%s\n", error, rules);
        err_bug(__FILE__, __LINE__, "rules of the oracle");
    }
    return oracle;
}

void oracle_free(struct oracle *oracle)
{
    if (oracle == NULL)
        return;
    msc_rules_cleanup(oracle->rules);
    msc_cleanup(oracle->engine);
    free(oracle);
}

static bool intervened(Transaction *transaction, struct buf *out)
{
    ModSecurityIntervention it = {.status = 200};

    if (msc_intervention(transaction, &it) == 0)
        return false;
    if (it.url != NULL)
        buf_put_str(out, it.url);
    free(it.url);
    free(it.log);
    return true;
}

static void add_header(Transaction *transaction, const char *name, struct span value)
{
    if (value.p != NULL)
        msc_add_n_request_header(transaction, (const unsigned char *)name, strlen(name), value.p,
                                 value.len);
}

static struct span text_or_none(const char *text)
{
    return text == NULL ? span_of(NULL, 0) : span_str(text);
}

static bool run_body(Transaction *transaction, const struct oracle_request *request)
{
    for (size_t i = 0; i < request->chunk_count; i++)
        msc_append_request_body(transaction, request->chunks[i].p, request->chunks[i].len);
    msc_process_request_body(transaction);
    return true;
}

void oracle_run(const struct oracle *oracle, const struct oracle_request *request, struct buf *out)
{
    Transaction *transaction = msc_new_transaction(oracle->engine, oracle->rules, NULL);

    msc_process_connection(transaction, "192.0.2.7", 40000, "192.0.2.1", 80);
    msc_process_uri(transaction, request->uri == NULL ? "/" : request->uri,
                    request->method == NULL ? "GET" : request->method, "1.1");
    add_header(transaction, "Host", span_str("localhost"));
    add_header(transaction, "Content-Type", text_or_none(request->content_type));
    add_header(transaction, "Cookie", request->cookie);
    add_header(transaction, "X-Value", request->value);
    add_header(transaction, "X-Arg", request->argument);
    msc_process_request_headers(transaction);
    if (!intervened(transaction, out) && run_body(transaction, request))
        intervened(transaction, out);
    msc_transaction_cleanup(transaction);
}

void oracle_unhex(struct span hex, struct buf *out)
{
    struct err err = ERR_INIT;
    uint8_t *room = buf_reserve(out, hex.len / 2);

    INVARIANT(room != NULL && enc_unhex(hex, room, hex.len / 2, &err) == 0);
    buf_commit(out, hex.len / 2);
}

/* What ModSecurity leaks is not our affair. LeakSanitizer asks for this function by name. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libmodsecurity";
}
