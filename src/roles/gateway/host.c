/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include "base/mem.h"
#include "gateway/conf.h"

#include <string.h>
#include <unistd.h>

char *host_share_dir(const struct settings *settings)
{
    char path[512];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (settings->share_dir != NULL)
        return mem_strdup(settings->share_dir);
    path[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
    char *beside = mem_printf("%s/share/drun", path);
    if (access(beside, R_OK) == 0)
        return beside;
    free(beside);
    return mem_strdup("/usr/share/drun");
}

unsigned host_worker_count(const struct settings *settings)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t wanted = settings->workers > 0 ? settings->workers : (uint64_t)(cores > 0 ? cores : 1);

    return wanted > GATEWAY_WORKERS_MAX ? GATEWAY_WORKERS_MAX : (unsigned)wanted;
}
