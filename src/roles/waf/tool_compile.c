/* SPDX-License-Identifier: Apache-2.0 */
/* Rules to an image; job.h says what comes in and what goes out. */
#include "tool.h"

#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "job.h"
#include "lockdown/lockdown.h"
#include "snapshot/snapshot.h"
#include "waf/body/xml_library.h"

#include <stdlib.h>
#include <unistd.h>

enum { CALM = 10 /* what answers clients goes first */ };

/* What the role may still do is more than reading rules needs. libxml2, which some rules' paths are
 * checked with, is loaded before; where it is missing, those rules say so. */
static int lock_down(struct err *err)
{
    const struct xml_library *library;
    struct err missing = ERR_INIT;

    static const struct lockdown_path paths[] = {{"/", LOCKDOWN_PATH_READ}, {0}};
    const struct lockdown lockdown = {.name = WAF_TOOL, .promises = LOCKDOWN_FILES, .paths = paths};
    struct lockdown_report report;

    if (xml_library_load(&library, &missing) < 0)
        err_clear(&missing);
    return lockdown_apply(&lockdown, &report, err);
}

static int take_sources(const json_t *job, struct tool_sources *sources, const char **set,
                        struct err *err)
{
    const json_t *source;
    size_t i;

    json_array_foreach (json_object_get(job, "sources"), i, source) {
        const char *files = codec_json_text(source, "files", NULL);
        *set = codec_json_text(source, "set", "");
        if (files != NULL)
            TRY(tool_sources_add_files(sources, *set, files, err));
        else
            tool_sources_add(sources, *set, codec_json_text(source, "name", "rules"),
                             codec_json_text(source, "text", ""));
    }
    *set = "";
    return 0;
}

/* An error begins with the file that it was met in. */
static const char *set_of(const struct tool_sources *sources, const struct err *err)
{
    for (size_t i = 0; i < sources->count; i++) {
        size_t len = strlen(sources->items[i].path);
        if (strncmp(err->msg, sources->items[i].path, len) == 0 && err->msg[len] == ':')
            return sources->sets[i];
    }
    return "";
}

static int write_image(const struct tool_sources *sources, json_t *verdict, struct err *err)
{
    CLEANUP(buf_free) struct buf image = BUF_INIT(WAF_IMAGE_MAX);
    CLEANUP(snapshot_free_ptr) struct snapshot *made = NULL;

    TRY(waf_compile(sources->items, sources->count, NULL, &image, err));
    TRY(snapshot_from_bytes(&waf_snapshot, buf_span(&image), &made, err));
    json_object_set_new(verdict, "rules", json_integer(waf_rule_count(made)));
    return fd_write_all(STDOUT_FILENO, buf_span(&image), "the image", err);
}

static int run(const json_t *job, struct tool_sources *sources, json_t *verdict, const char **set,
               struct err *err)
{
    char digest[TOOL_DIGEST_SIZE];

    TRY(take_sources(job, sources, set, err));
    TRY(tool_sources_digest(sources, digest, err));
    json_object_set_new(verdict, "digest", json_string(digest));
    bool same = strcmp(digest, codec_json_text(job, "known", "")) == 0;
    json_object_set_new(verdict, "same", json_boolean(same));
    if (same)
        return 0;
    int result = write_image(sources, verdict, err);
    if (result < 0)
        *set = set_of(sources, err);
    return result;
}

int tool_compile(int argc UNUSED, char **argv UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(WAF_JOB_MAX);
    CLEANUP(buf_free) struct buf out = BUF_INIT(WAF_VERDICT_MAX);
    CLEANUP_JSON json_t *job = NULL;
    CLEANUP_JSON json_t *verdict = json_object();
    struct tool_sources sources = {0};
    struct err err = ERR_INIT;
    const char *set = "";

    if (nice(CALM) < 0)
        err_clear(&err);
    int result = lock_down(&err);
    if (result == 0)
        result = fd_read_all(STDIN_FILENO, "the job", &text, &err);
    if (result == 0)
        result = codec_json_parse(buf_span(&text), "the job", &job, &err);
    if (result == 0)
        result = run(job, &sources, verdict, &set, &err);
    if (result < 0) {
        json_object_clear(verdict);
        json_object_set_new(verdict, "error", json_stringn_nocheck(err.msg, strlen(err.msg)));
        json_object_set_new(verdict, "set", json_string(set));
    }
    codec_json_put(verdict, &out);
    if (fd_write_all(STDERR_FILENO, buf_span(&out), "the verdict", &err) < 0)
        result = -1;
    tool_sources_free(&sources);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
