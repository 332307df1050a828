/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/files.h"

#include "base/fd.h"
#include "base/mem.h"
#include "oci/elf_info.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#else
#define MULTIARCH "aarch64-linux-gnu"
#endif

static const char system_folders[] =
    "/lib/" MULTIARCH ":/usr/lib/" MULTIARCH ":/lib64:/usr/lib64:/lib:/usr/lib";

struct search {
    struct oci_files files;
    struct elf_info program; /* for its own search path, which also serves its libraries */
    char *program_at;
};

static void search_close(struct search *search)
{
    oci_files_free(&search->files);
    elf_info_free(&search->program);
    free(search->program_at);
}

void oci_files_free(struct oci_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].source);
        free(files->items[i].at);
    }
    free(files->items);
    *files = (struct oci_files){0};
}

static bool has(const struct oci_files *files, const char *at)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i].at, at) == 0)
            return true;
    return false;
}

/* A file is taken under the name of its last part only once: the loader does the same. */
static bool has_name(const struct oci_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(strrchr(files->items[i].at, '/') + 1, name) == 0)
            return true;
    return false;
}

static int add(struct oci_files *files, const char *at, struct err *err)
{
    char *source;

    if (has(files, at))
        return 0;
    if (files->count == OCI_FILES_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d files are needed", OCI_FILES_MAX);
    source = realpath(at, NULL);
    if (source == NULL)
        return err_sys(err, "cannot resolve %s", at);
    if (files->items == NULL)
        files->items = mem_new_array(OCI_FILES_MAX, sizeof(*files->items));
    files->items[files->count++] = (struct oci_file){.source = source, .at = mem_strdup(at)};
    return 0;
}

/* $ORIGIN/../lib of /opt/x/bin/tool is /opt/x/bin/../lib. */
static char *expand(const char *folder, size_t len, const char *origin_file)
{
    static const char *const names[] = {"$ORIGIN", "${ORIGIN}"};
    size_t origin_len = (size_t)(strrchr(origin_file, '/') - origin_file);

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t name_len = strlen(names[i]);
        if (len >= name_len && memcmp(folder, names[i], name_len) == 0)
            return mem_printf("%.*s%.*s", (int)origin_len, origin_file, (int)(len - name_len),
                              folder + name_len);
    }
    return mem_strndup(folder, len);
}

static bool is_readable_file(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0;
}

/* The path of the library in one of the folders, without "..", or NULL. */
static char *find_in(const char *folders, const char *origin_file, const char *name)
{
    while (folders != NULL && *folders != '\0') {
        size_t len = strcspn(folders, ":");
        CLEANUP_FREE char *folder = expand(folders, len, origin_file);
        CLEANUP_FREE char *clean = folder[0] == '/' ? realpath(folder, NULL) : NULL;
        char *path = mem_printf(
            "%s/%s", strstr(folder, "..") != NULL && clean != NULL ? clean : folder, name);
        if (clean != NULL && is_readable_file(path))
            return path;
        free(path);
        folders += len + (folders[len] == ':');
    }
    return NULL;
}

static int add_needed(struct search *search, const char *needed, const struct elf_info *info,
                      const char *by, struct err *err)
{
    CLEANUP_FREE char *found = NULL;

    if (strchr(needed, '/') != NULL)
        return err_set(err, ERR_UNSUPPORTED, "%s needs the library %s by its path", by, needed);
    if (has_name(&search->files, needed))
        return 0;
    found = find_in(info->search, by, needed);
    if (found == NULL)
        found = find_in(search->program.search, search->program_at, needed);
    if (found == NULL)
        found = find_in(system_folders, by, needed);
    if (found == NULL)
        return err_set(err, ERR_NOT_FOUND, "%s needs the library %s, which is not there", by,
                       needed);
    return add(&search->files, found, err);
}

static int parse(const char *path, struct elf_info *out, struct err *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return err_sys(err, "cannot open %s", path);
    if (!S_ISREG(status.st_mode) || (status.st_mode & S_IROTH) == 0)
        return err_set(err, ERR_DENIED, "%s is no file that everybody may read", path);
    if (elf_parse_fd(fd, out, err) < 0)
        return err_wrap(err, "%s cannot be run", path);
    return 0;
}

/* The list grows while it is walked. */
static int add_libraries(struct search *search, struct err *err)
{
    for (size_t i = 0; i < search->files.count; i++) {
        CLEANUP(elf_info_free) struct elf_info info = {0};
        CLEANUP_FREE char *at = mem_strdup(search->files.items[i].at);
        TRY(parse(search->files.items[i].source, &info, err));
        for (size_t k = 0; k < info.needed_count; k++)
            TRY(add_needed(search, info.needed[k], &info, at, err));
    }
    return 0;
}

int oci_files_of(const char *program, struct oci_files *out, struct err *err)
{
    CLEANUP(search_close) struct search search = {.program_at = mem_strdup(program)};
    struct stat status;

    if (stat(program, &status) < 0)
        return err_sys(err, "cannot look at %s", program);
    if (!S_ISREG(status.st_mode) || (status.st_mode & S_IXOTH) == 0)
        return err_set(err, ERR_DENIED, "%s is no program that everybody may run", program);
    TRY(parse(program, &search.program, err));
    TRY(add(&search.files, program, err));
    if (search.program.interpreter != NULL)
        TRY(add(&search.files, search.program.interpreter, err));
    TRY(add_libraries(&search, err));
    *out = search.files;
    search.files = (struct oci_files){0};
    return 0;
}
