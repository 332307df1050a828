/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "job.h"

#include <fcntl.h>
#include <glob.h>
#include <hs.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_MAX = 16 * 1024 * 1024 };

void tool_sources_free(struct tool_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        free((void *)(uintptr_t)sources->items[i].path);
        free((void *)(uintptr_t)sources->items[i].text);
        free((void *)(uintptr_t)sources->sets[i]);
    }
    free(sources->items);
    free(sources->sets);
    *sources = (struct tool_sources){0};
}

void tool_sources_add(struct tool_sources *sources, const char *set, const char *path,
                      const char *text)
{
    size_t count = sources->count + 1;

    sources->items = mem_resize_array(sources->items, count, sizeof(*sources->items));
    sources->sets = mem_resize_array(sources->sets, count, sizeof(*sources->sets));
    sources->items[sources->count] = (struct waf_source){
        .path = mem_strdup(path), .text = text == NULL ? NULL : mem_strdup(text)};
    sources->sets[sources->count] = mem_strdup(set);
    sources->count = count;
}

int tool_sources_add_files(struct tool_sources *sources, const char *set, const char *pattern,
                           struct err *err)
{
    struct stat st;
    bool is_dir = stat(pattern, &st) == 0 && S_ISDIR(st.st_mode);
    CLEANUP_FREE char *inside = mem_printf("%s%s", pattern, is_dir ? "/*.conf" : "");
    glob_t found;

    int result = glob(inside, 0, NULL, &found);
    if (result == GLOB_NOMATCH)
        return err_set(err, ERR_NOT_FOUND,
                       "%s: there is no such file that may be read; the folders are those of the "
                       "setting waf-dirs",
                       inside);
    if (result != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s: cannot be searched", inside);
    if (sources->count + found.gl_pathc > WAF_JOB_SOURCES_MAX)
        result = err_set(err, ERR_TOO_LARGE, "%s: more than %d files of rules", inside,
                         WAF_JOB_SOURCES_MAX);
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
        tool_sources_add(sources, set, found.gl_pathv[i], NULL);
    globfree(&found);
    return result;
}

/* ------------------------------------------------------------------ the digest */

/* The digest so far and one more text make the next one. */
static void add(uint8_t digest[CRYPTO_HASH_LEN], struct span text)
{
    uint8_t hash[CRYPTO_HASH_LEN];
    const struct span parts[] = {span_of(digest, CRYPTO_HASH_LEN), span_of(hash, sizeof(hash))};

    crypto_sha256(text, hash);
    crypto_sha256_parts(parts, ARRAY_LEN(parts), digest);
}

static int add_file(uint8_t digest[CRYPTO_HASH_LEN], const char *path, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(FILE_MAX);

    TRY(fd_read_file(AT_FDCWD, path, &text, err));
    add(digest, span_str(path));
    add(digest, buf_span(&text));
    return 0;
}

/* The lists that rules name lie beside them. */
static int add_data(uint8_t digest[CRYPTO_HASH_LEN], const char *dir, struct err *err)
{
    CLEANUP_FREE char *pattern = mem_printf("%s/*.data", dir);
    glob_t found;
    int result = 0;

    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
        result = add_file(digest, found.gl_pathv[i], err);
    globfree(&found);
    return result;
}

static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? mem_strdup(".") : mem_strndup(path, (size_t)(slash - path));
}

static int add_sources(const struct tool_sources *sources, uint8_t digest[CRYPTO_HASH_LEN],
                       struct err *err)
{
    CLEANUP_FREE char *last = mem_strdup("");

    for (size_t i = 0; i < sources->count; i++) {
        const struct waf_source *source = &sources->items[i];
        if (source->text != NULL) {
            add(digest, span_str(source->path));
            add(digest, span_str(source->text));
            continue;
        }
        TRY(add_file(digest, source->path, err));
        CLEANUP_FREE char *dir = dir_of(source->path);
        if (strcmp(dir, last) != 0)
            TRY(add_data(digest, dir, err));
        free(last);
        last = mem_strdup(dir);
    }
    return 0;
}

int tool_sources_digest(const struct tool_sources *sources, char out[TOOL_DIGEST_SIZE],
                        struct err *err)
{
    uint8_t digest[CRYPTO_HASH_LEN] = {0};
    hs_platform_info_t platform = {0};

    (void)hs_populate_platform(&platform);
    CLEANUP_FREE char *makers =
        mem_printf("drun %s %s %u %llx", DRUN_VERSION, hs_version(), platform.tune,
                   (unsigned long long)platform.cpu_features);
    add(digest, span_str(makers));
    TRY(add_sources(sources, digest, err));
    enc_hex(span_of(digest, sizeof(digest)), out);
    return 0;
}
