/* SPDX-License-Identifier: Apache-2.0 */
/* `drun waf test`: what the firewall would do with a request; `drun waf explain`: what a rule is.
 */
#include "tool.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "rules_text.h"
#include "snapshot/snapshot.h"
#include "waf/raw.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    REQUEST_MAX = 64 * 1024 * 1024,
    RULES_TEXT_MAX = 1024 * 1024,
    EXIT_DENIED = 1,
    EXIT_USAGE = 2
};

struct question {
    struct tool_sources rules;
    const char *image;    /* of a running platform */
    const char *paranoia; /* with rules of one's own */
    const char *namespace;
    const char *service;
    const char *answer; /* the file of what was answered, or NULL */
    const char *word;   /* the request's file, or the rule's id */
};

static int usage(const char *command)
{
    fprintf(stderr, "drun: see `drun help waf` for how to call `drun waf %s`\n", command);
    return EXIT_USAGE;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "drun: %s\n", err->msg);
    return EXIT_FAILURE;
}

/* ------------------------------------------------------------------ the rules */

static int take_option(struct question *question, const char *name, const char *value,
                       struct err *err)
{
    if (strcmp(name, "--rules") == 0)
        return tool_sources_add_files(&question->rules, "", value, err);
    if (strcmp(name, "--image") == 0)
        question->image = value;
    else if (strcmp(name, "--paranoia") == 0)
        question->paranoia = value;
    else if (strcmp(name, "--namespace") == 0)
        question->namespace = value;
    else if (strcmp(name, "--service") == 0)
        question->service = value;
    else if (strcmp(name, "--answer") == 0)
        question->answer = value;
    else
        return err_set(err, ERR_INVALID, "there is no option %s", name);
    return 0;
}

static int read_question(int argc, char **argv, struct question *question, struct err *err)
{
    *question = (struct question){.namespace = "", .service = ""};
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            question->word = argv[i];
            continue;
        }
        if (i + 1 == argc)
            return err_set(err, ERR_INVALID, "%s needs a value", argv[i]);
        TRY(take_option(question, argv[i], argv[i + 1], err));
        i++;
    }
    return 0;
}

/* Rules of one's own, between ours as in a platform. */
static int compile(struct question *question, struct snapshot **out, struct err *err)
{
    CLEANUP(buf_free) struct buf image = BUF_INIT(WAF_IMAGE_MAX);
    CLEANUP(buf_free) struct buf before = BUF_INIT(RULES_TEXT_MAX);
    CLEANUP(buf_free) struct buf after = BUF_INIT(RULES_TEXT_MAX);
    struct tool_sources all = {0};
    uint64_t paranoia = 1;

    if (question->paranoia != NULL)
        TRY(num_parse_u64(span_str(question->paranoia), 1, 4, "--paranoia", &paranoia, err));
    json_t *policies = json_pack("[{s:{s:s}, s:{s:s, s:i}}]", "metadata", "name", "test", "spec",
                                 "mode", "Block", "paranoiaLevel", (int)paranoia);
    rules_put_before(policies, &before);
    rules_put_after(policies, &after);
    json_decref(policies);
    tool_sources_add(&all, "", "drun/before", buf_text(&before));
    for (size_t i = 0; i < question->rules.count; i++)
        tool_sources_add(&all, "", question->rules.items[i].path, NULL);
    tool_sources_add(&all, "", "drun/after", buf_text(&after));
    int result = waf_compile(all.items, all.count, NULL, &image, err);
    tool_sources_free(&all);
    if (result < 0)
        return -1;
    return snapshot_from_bytes(&waf_snapshot, buf_span(&image), out, err);
}

static int load(struct question *question, struct snapshot **out, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(WAF_IMAGE_MAX);

    if (question->rules.count > 0)
        return compile(question, out, err);
    if (question->image == NULL)
        return err_set(err, ERR_INVALID, "there are no rules: name some with --rules");
    if (fd_read_file(AT_FDCWD, question->image, &bytes, err) < 0)
        return err_wrap(err, "no rules of a running platform can be read; name some with --rules");
    return snapshot_from_bytes(&waf_snapshot, buf_span(&bytes), out, err);
}

/* ------------------------------------------------------------------ the request and its answer */

/* Under CRS 4's name or CRS 3's. */
static long long score(struct waf_tx *tx, const char *newer, const char *older)
{
    const char *const names[] = {newer, older};
    uint64_t value = 0;
    struct err ignored = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(names) && value == 0; i++) {
        struct span text = waf_tx_variable(tx, names[i]);
        if (text.p == NULL || num_parse_u64(text, 0, INT32_MAX, "score", &value, &ignored) < 0)
            value = 0;
    }
    return (long long)value;
}

static void run_answer(struct waf_tx *tx, struct waf_raw_answer *answer)
{
    struct span name, value;

    while (waf_raw_header(&answer->headers, &name, &value))
        waf_tx_response_header(tx, name, value);
    if (waf_tx_response_headers_end(tx, answer->status, answer->protocol)->action < WAF_DENY) {
        (void)waf_tx_response_body(tx, answer->body);
        (void)waf_tx_response_body_end(tx);
    }
}

static int run(struct waf_tx *tx, struct question *question, struct span request,
               struct waf_raw_answer *answer, long long *points, struct err *err)
{
    struct waf_connection connection = {.client_addr = span_str("192.0.2.1"),
                                        .server_addr = span_str("192.0.2.2"),
                                        .client_port = 40000,
                                        .server_port = 443,
                                        .unique_id = span_str("test"),
                                        .remote_user = span_str("")};
    struct waf_raw raw;
    struct span name, value;

    TRY(waf_raw_read(request, &raw, err));
    waf_tx_start(tx, &connection);
    waf_tx_set_variable(tx, RULES_NAMESPACE, span_str(question->namespace));
    waf_tx_set_variable(tx, RULES_SERVICE, span_str(question->service));
    waf_tx_uri(tx, raw.method, raw.uri, raw.protocol);
    while (waf_raw_header(&raw.headers, &name, &value))
        waf_tx_request_header(tx, name, value);
    if (waf_tx_request_headers_end(tx)->action < WAF_DENY) {
        (void)waf_tx_request_body(tx, raw.body);
        (void)waf_tx_request_body_end(tx);
    }
    /* CRS 3 adds the answer's to it. */
    *points = score(tx, "blocking_inbound_anomaly_score", "anomaly_score");
    if (answer != NULL && waf_tx_verdict(tx)->action < WAF_DENY)
        run_answer(tx, answer);
    waf_tx_log(tx);
    return 0;
}

/* ------------------------------------------------------------------ what comes out */

static void print_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] >= ' ' && text.p[i] < 0x7f)
            putchar(text.p[i]);
        else
            printf("\\x%02x", text.p[i]);
}

static void print_hit(const struct waf_hit *hit)
{
    printf("%u  ", hit->rule);
    print_text(hit->msg);
    printf("\n        ");
    print_text(hit->variable);
    printf(": ");
    print_text(span_of(hit->value.p + hit->at, hit->len));
    printf("\n        %.*s:%u\n", SPAN_ARG(hit->file), hit->line);
}

static int print_verdict(struct waf_tx *tx, long long points, bool answered)
{
    const struct waf_verdict *verdict = waf_tx_verdict(tx);
    size_t count;
    const struct waf_hit *hits = waf_tx_hits(tx, &count);
    bool denied = verdict->action >= WAF_DENY;
    bool would = false;

    for (size_t i = 0; i < count; i++)
        would = would || hits[i].disruptive;
    printf("%s", denied ? "denied" : would ? "passed, in detection only" : "passed");
    if (denied)
        printf(" with %u by rule %u", verdict->status, verdict->rule);
    printf("; score %lld", points);
    if (answered)
        printf(", of the answer %lld",
               score(tx, "blocking_outbound_anomaly_score", "outbound_anomaly_score"));
    putchar('\n');
    for (size_t i = 0; i < count; i++)
        print_hit(&hits[i]);
    return denied ? EXIT_DENIED : EXIT_SUCCESS;
}

static int read_input(const char *path, const char *what, struct buf *out, struct err *err)
{
    return strcmp(path, "-") == 0 ? fd_read_all(STDIN_FILENO, what, out, err)
                                  : fd_read_file(AT_FDCWD, path, out, err);
}

static int test(struct question *question, int *code, struct err *err)
{
    CLEANUP(buf_free) struct buf request = BUF_INIT(REQUEST_MAX);
    CLEANUP(buf_free) struct buf text = BUF_INIT(REQUEST_MAX);
    long long points;
    struct waf_raw_answer raw;
    struct waf_raw_answer *answer = question->answer == NULL ? NULL : &raw;
    CLEANUP(snapshot_free_ptr) struct snapshot *image = NULL;
    CLEANUP(waf_engine_free_ptr) struct waf_engine *engine = NULL;
    CLEANUP(waf_tx_free_ptr) struct waf_tx *tx = NULL;

    TRY(read_input(question->word, "the request", &request, err));
    if (answer != NULL) {
        TRY(read_input(question->answer, "the answer", &text, err));
        TRY(waf_raw_read_answer(buf_span(&text), answer, err));
    }
    TRY(load(question, &image, err));
    TRY(waf_engine_new(image, NULL, &engine, err));
    tx = waf_tx_new(engine);
    TRY(run(tx, question, buf_span(&request), answer, &points, err));
    *code = print_verdict(tx, points, answer != NULL);
    return 0;
}

int tool_try(int argc, char **argv)
{
    struct question question;
    struct err err = ERR_INIT;
    int code = EXIT_FAILURE;
    int result = read_question(argc, argv, &question, &err);

    if (result == 0 && question.word == NULL)
        return usage("test");
    if (result == 0)
        result = test(&question, &code, &err);
    tool_sources_free(&question.rules);
    return result < 0 ? fail(&err) : code;
}

/* ------------------------------------------------------------------ one rule */

static int explain(struct question *question, struct err *err)
{
    CLEANUP(snapshot_free_ptr) struct snapshot *image = NULL;
    struct waf_rule_info rule;
    uint64_t id;

    TRY(num_parse_u64(span_str(question->word), 1, UINT32_MAX, "the rule's id", &id, err));
    TRY(load(question, &image, err));
    if (!waf_rule_find(image, (uint32_t)id, &rule))
        return err_set(err, ERR_NOT_FOUND, "there is no rule %s among these %u", question->word,
                       waf_rule_count(image));
    printf("# %.*s:%u, phase %u\n%.*s\n", SPAN_ARG(rule.file), rule.line, rule.phase,
           SPAN_ARG(rule.text));
    return 0;
}

int tool_explain(int argc, char **argv)
{
    struct question question;
    struct err err = ERR_INIT;
    int result = read_question(argc, argv, &question, &err);

    if (result == 0 && question.word == NULL)
        return usage("explain");
    if (result == 0)
        result = explain(&question, &err);
    tool_sources_free(&question.rules);
    return result < 0 ? fail(&err) : EXIT_SUCCESS;
}
