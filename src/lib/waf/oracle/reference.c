/* SPDX-License-Identifier: Apache-2.0 */
/* The same requests through libmodsecurity3. */
#include "waf/oracle/requests.h"

#include "base/mem.h"

#include <modsecurity/intervention.h>
#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

struct reference {
    ModSecurity *modsecurity;
    RulesSet *rules;
};

/* [id "942100"] */
static void put_ids(struct buf *ids, const char *text)
{
    const char *at = strstr(text, "[id \"");

    if (at == NULL)
        return;
    at += strlen("[id \"");
    buf_put(ids, at, strcspn(at, "\""));
    buf_put_str(ids, " ");
}

static void on_log(void *ctx, const void *text)
{
    put_ids(ctx, text);
}

struct reference *reference_new(const char *const *files, size_t count)
{
    struct reference *reference = mem_new(sizeof(*reference));

    reference->modsecurity = msc_init();
    msc_set_log_cb(reference->modsecurity, on_log);
    reference->rules = msc_create_rules_set();
    for (size_t i = 0; i < count; i++) {
        const char *why = NULL;
        if (msc_rules_add_file(reference->rules, files[i], &why) < 0) {
            fprintf(stderr, "libmodsecurity: %s: %s\n", files[i], why);
            exit(1);
        }
    }
    return reference;
}

void reference_free(struct reference *reference)
{
    if (reference == NULL)
        return;
    msc_rules_cleanup(reference->rules);
    msc_cleanup(reference->modsecurity);
    free(reference);
}

static int intervened(Transaction *tx, struct buf *ids)
{
    ModSecurityIntervention it = {.status = 200};

    if (msc_intervention(tx, &it) == 0)
        return 0;
    if (it.log != NULL)
        put_ids(ids, it.log);
    free(it.log);
    free(it.url);
    return it.status;
}

static int run_request(Transaction *tx, const struct request *request, struct buf *ids)
{
    CLEANUP_FREE char *uri = mem_strndup((const char *)request->uri.p, request->uri.len);
    CLEANUP_FREE char *method = mem_strndup((const char *)request->method.p, request->method.len);
    CLEANUP_FREE char *protocol =
        mem_strndup((const char *)request->protocol.p, request->protocol.len);
    const char *slash = strchr(protocol, '/');
    int status;

    msc_process_connection(tx, "127.0.0.1", 40000, "127.0.0.1", 80);
    msc_process_uri(tx, uri, method, slash != NULL ? slash + 1 : protocol);
    for (uint32_t i = 0; i < request->header_count; i++)
        msc_add_n_request_header(tx, request->headers[i].name.p, request->headers[i].name.len,
                                 request->headers[i].value.p, request->headers[i].value.len);
    msc_process_request_headers(tx);
    if ((status = intervened(tx, ids)) != 0)
        return status;
    if (request->body.len > 0)
        msc_append_request_body(tx, request->body.p, request->body.len);
    msc_process_request_body(tx);
    return intervened(tx, ids);
}

static int run_answer(Transaction *tx, const struct request *request, struct buf *ids)
{
    CLEANUP_FREE char *protocol =
        mem_strndup((const char *)request->protocol.p, request->protocol.len);
    int status;

    for (uint32_t i = 0; i < request->answer_header_count; i++)
        msc_add_n_response_header(
            tx, request->answer_headers[i].name.p, request->answer_headers[i].name.len,
            request->answer_headers[i].value.p, request->answer_headers[i].value.len);
    msc_process_response_headers(tx, (int)request->status, protocol);
    if ((status = intervened(tx, ids)) != 0)
        return status;
    if (request->answer.len > 0)
        msc_append_response_body(tx, request->answer.p, request->answer.len);
    msc_process_response_body(tx);
    return intervened(tx, ids);
}

int reference_run(struct reference *reference, const struct request *request, struct buf *ids)
{
    Transaction *tx = msc_new_transaction(reference->modsecurity, reference->rules, ids);
    int status = run_request(tx, request, ids);

    if (status == 0)
        status = run_answer(tx, request, ids);
    msc_process_logging(tx);
    msc_transaction_cleanup(tx);
    return status;
}
