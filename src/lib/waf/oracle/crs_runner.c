/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs requests of a flat file through the engine and, with --reference, through libmodsecurity3:
 *   waf_crs_runner [--reference] [--no-scan] [--image FILE] --requests FILE RULES.conf...
 * One line a request: name, our status and ids, its status and ids, split by tabs. What it says is
 * judged by tests/waf/crs_test.py.
 */
#include "waf/oracle/requests.h"

#include "base/fd.h"
#include "base/mem.h"
#include "snapshot/snapshot.h"

#include <fcntl.h>

enum { FILE_MAX = 256 * 1024 * 1024, SOURCES_MAX = 64 };

struct arguments {
    bool reference;
    bool no_scan;
    const char *requests;
    const char *files[SOURCES_MAX];
    size_t file_count;
};

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "%s: %s\n", what, err->msg);
    exit(1);
}

static struct arguments parse(int argc, char **argv)
{
    struct arguments args = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--reference") == 0)
            args.reference = true;
        else if (strcmp(argv[i], "--no-scan") == 0)
            args.no_scan = true;
        else if (strcmp(argv[i], "--requests") == 0 && i + 1 < argc)
            args.requests = argv[++i];
        else if (args.file_count < SOURCES_MAX)
            args.files[args.file_count++] = argv[i];
    }
    return args;
}

static struct snapshot *compile(const struct arguments *args)
{
    struct waf_source sources[SOURCES_MAX];
    struct waf_compile_options options = {.no_scan = args->no_scan};
    CLEANUP(buf_free) struct buf image = BUF_INIT(WAF_IMAGE_MAX);
    struct snapshot *snapshot = NULL;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < args->file_count; i++)
        sources[i] = (struct waf_source){.path = args->files[i]};
    if (waf_compile(sources, args->file_count, &options, &image, &err) < 0 ||
        snapshot_from_bytes(&waf_snapshot, buf_span(&image), &snapshot, &err) < 0)
        die("rules", &err);
    fprintf(stderr, "%u rules, image of %zu bytes\n", waf_rule_count(snapshot), image.len);
    return snapshot;
}

static int status_of(const struct waf_verdict *verdict)
{
    return verdict->action >= WAF_DENY ? (int)verdict->status : 0;
}

static void print_ours(struct waf_tx *tx, const struct request *request)
{
    size_t count;
    int status;

    request_run(tx, request);
    status = status_of(waf_tx_verdict(tx));
    const struct waf_hit *hits = waf_tx_hits(tx, &count);
    printf("%.*s\t%d\t", SPAN_ARG(request->name), status);
    for (size_t i = 0; i < count; i++)
        printf("%u ", hits[i].rule);
    printf("\t%u", waf_tx_events(tx));
}

int main(int argc, char **argv)
{
    struct arguments args = parse(argc, argv);
    CLEANUP(buf_free) struct buf file = BUF_INIT(FILE_MAX);
    CLEANUP(buf_free) struct buf ids = BUF_INIT(FILE_MAX);
    struct waf_engine *engine;
    struct err err = ERR_INIT;
    struct request request;

    if (args.requests == NULL || fd_read_file(AT_FDCWD, args.requests, &file, &err) < 0)
        die("requests", &err);
    struct snapshot *snapshot = compile(&args);
    if (waf_engine_new(snapshot, NULL, &engine, &err) < 0)
        die("engine", &err);
    waf_image_spend(snapshot);
    struct reference *reference =
        args.reference ? reference_new(args.files, args.file_count) : NULL;
    struct waf_tx *tx = waf_tx_new(engine);
    struct cursor cursor = cursor_of(buf_span(&file));
    while (request_next(&cursor, &request)) {
        print_ours(tx, &request);
        buf_reset(&ids);
        int status = reference != NULL ? reference_run(reference, &request, &ids) : 0;
        printf("\t%d\t%s\n", status, buf_text(&ids));
    }
    waf_tx_free(tx);
    waf_engine_free(engine);
    snapshot_free(snapshot);
    reference_free(reference);
    return 0;
}
