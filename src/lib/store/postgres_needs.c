/* SPDX-License-Identifier: Apache-2.0 */
/* What a PostgreSQL client needs of the system, read out of its connection string. */
#include "base/mem.h"
#include "store/pq.h"
#include "store/store.h"

#include <stdlib.h>

#define SOCKET_DIR "/var/run/postgresql"

struct options {
    const struct pq *pq;
    PQconninfoOption *list;
};

static void options_free(struct options *options)
{
    if (options->list != NULL)
        options->pq->conninfoFree(options->list);
}

static const char *value_of(const struct options *options, const char *keyword)
{
    for (const PQconninfoOption *option = options->list; option->keyword != NULL; option++)
        if (strcmp(option->keyword, keyword) == 0)
            return option->val == NULL ? "" : option->val;
    return "";
}

static int parse(const char *conninfo, struct options *out, struct err *err)
{
    char *why = NULL;

    TRY(pq_load(&out->pq, err));
    out->list = out->pq->conninfoParse(conninfo, &why);
    if (out->list != NULL)
        return 0;
    /* libpq's own message may repeat the string, and with it the password. */
    out->pq->freemem(why);
    return err_set(err, ERR_INVALID,
                   "the store's connection string is none; write postgresql://USER:PASSWORD@HOST/"
                   "DATABASE or \"host=HOST dbname=DATABASE user=USER password=PASSWORD\"");
}

static void add(struct store_needs *needs, const char *path)
{
    if (path[0] != '/' || needs->path_count == STORE_NEEDS_PATHS_MAX)
        return;
    needs->paths[needs->path_count++] = mem_strdup(path);
}

/* One of "a,/b,c": directories are those of Unix sockets. */
static void add_host(struct store_needs *needs, const char *host, size_t len)
{
    CLEANUP_FREE char *one = mem_strndup(host, len);

    if (one[0] == '/')
        add(needs, one);
    else if (len > 0)
        needs->network = true;
}

int store_needs_of(const char *conninfo, struct store_needs *out, struct err *err)
{
    static const char *const files[] = {"sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"};
    static const char *const names[] = {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf",
                                        "/etc/gai.conf", "/etc/ssl/certs"};
    CLEANUP(options_free) struct options options = {0};

    *out = (struct store_needs){0};
    TRY(parse(conninfo, &options, err));
    const char *host = value_of(&options, "host");
    if (value_of(&options, "hostaddr")[0] != '\0')
        out->network = true;
    else if (host[0] == '\0')
        add(out, SOCKET_DIR);
    while (*host != '\0') {
        size_t len = strcspn(host, ",");
        add_host(out, host, len);
        host += len + (host[len] == ',');
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        add(out, value_of(&options, files[i]));
    for (size_t i = 0; out->network && i < ARRAY_LEN(names); i++)
        add(out, names[i]);
    return 0;
}

void store_needs_free(struct store_needs *needs)
{
    for (size_t i = 0; i < needs->path_count; i++)
        free(needs->paths[i]);
    *needs = (struct store_needs){0};
}
