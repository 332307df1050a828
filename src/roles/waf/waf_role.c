/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: the rules of the firewall and the image that workers of
 * the gateway judge requests by. Who may speak to me: nobody; I ask api what the rules are.
 */
#include "waf/waf_role.h"

#include "base/mem.h"
#include "role/settings.h"
#include "waf/job.h"
#include "waf/waf_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* The compiler is a program with libraries. */
static const struct lockdown_path fixed_paths[] = {
    {"/usr", LOCKDOWN_PATH_EXEC},
    {"/lib", LOCKDOWN_PATH_EXEC | LOCKDOWN_PATH_OPTIONAL},
    {"/lib64", LOCKDOWN_PATH_EXEC | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/ld.so.cache", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/dev/null", LOCKDOWN_PATH_WRITE},
};

enum { DIRS_MAX = 16 };

/* Beside the binary. */
static char *find_tool(void)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    return mem_printf("%s/" WAF_TOOL, self);
}

static int lock_down(struct role *role, const char *tool, struct err *err)
{
    const struct opt_list *dirs = &role_settings(role)->waf_dirs;
    struct lockdown_path paths[ARRAY_LEN(fixed_paths) + DIRS_MAX + 2];
    size_t count = ARRAY_LEN(fixed_paths);
    const struct role_promises promises = {
        .promises = LOCKDOWN_FILES | LOCKDOWN_EXEC,
        .data_access = LOCKDOWN_PATH_WRITE,
        .paths = paths,
    };

    memcpy(paths, fixed_paths, sizeof(fixed_paths));
    if (strncmp(tool, "/usr/", strlen("/usr/")) != 0)
        paths[count++] = (struct lockdown_path){tool, LOCKDOWN_PATH_EXEC | LOCKDOWN_PATH_OPTIONAL};
    for (size_t i = 0; i < dirs->count; i++) {
        if (dirs->items[i][0] != '/' || i == DIRS_MAX)
            return err_set(err, ERR_INVALID,
                           "setting waf-dirs: %s: at most %d folders by absolute paths",
                           dirs->items[i], DIRS_MAX);
        if (strncmp(dirs->items[i], "/usr/", strlen("/usr/")) != 0)
            paths[count++] =
                (struct lockdown_path){dirs->items[i], LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL};
    }
    paths[count] = (struct lockdown_path){0};
    return role_lock_down(role, &promises, err);
}

static void on_peer(void *ctx, enum role_id peer)
{
    struct waf *waf = ctx;

    objects_on_peer(waf->objects, peer);
}

static int start(struct waf *waf, char *tool, struct err *err)
{
    TRY(lock_down(waf->role, tool, err));
    TRY(images_open(waf, &waf->images, err));
    TRY(compiler_new(waf, tool, &waf->compiler, err));
    TRY(objects_start(waf, &waf->objects, err));
    role_on_peer(waf->role, on_peer, waf);
    return 0;
}

int waf_main(struct role *role, struct err *err)
{
    struct waf waf = {.role = role};
    CLEANUP_FREE char *tool = find_tool();
    int result = start(&waf, tool, err);

    if (result == 0)
        result = role_run(role, err);
    compiler_free(waf.compiler);
    objects_free(waf.objects);
    images_free(waf.images);
    return result;
}
