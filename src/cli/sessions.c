/* SPDX-License-Identifier: Apache-2.0 */
/* drun sessions list|revoke ID|all: where somebody is signed in. */
#include "base/mem.h"
#include "cli/client.h"
#include "cli/output.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>

const struct cli_option cli_sessions_options[] = {
    CLIENT_OPTIONS,
    OUTPUT_OPTION,
    {"--user", "NAME", "of this user, for administrators; revoke then takes all"},
    {0}};

struct sessions {
    struct client_options options;
    const char *user;
};

static void take_option(void *ctx, const struct cli_args *args)
{
    struct sessions *sessions = ctx;

    if (!client_take_option(&sessions->options, args))
        sessions->user = args->value;
}

static void print_sessions(const json_t *answer)
{
    CLEANUP_JSON json_t *header =
        json_pack("[s, s, s, s, s]", "ID", "ADDRESS", "LEVEL", "LAST SEEN", "CLIENT");
    CLEANUP_JSON json_t *rows = json_array();
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(answer, "items"), i, item)
        json_array_append_new(rows, json_pack("[s, s, s, s, s]", codec_json_text(item, "id", "-"),
                                              codec_json_text(item, "address", "-"),
                                              codec_json_text(item, "acr", "-"),
                                              codec_json_text(item, "lastSeenAt", "-"),
                                              codec_json_text(item, "userAgent", "-")));
    output_table(header, rows);
}

static char *path_of(const struct sessions *sessions, const char *own)
{
    return sessions->user == NULL
               ? mem_strdup(own)
               : mem_printf("/apis/drun.io/v1/users/%s/sessions", sessions->user);
}

static int list(const struct sessions *sessions, struct client *client, struct err *err)
{
    CLEANUP_FREE char *path = path_of(sessions, "/session/list");
    CLEANUP_JSON json_t *answer = NULL;

    TRY(client_json(client, "GET", path, NULL, NULL, &answer, err));
    if (strcmp(sessions->options.output, "table") != 0)
        return output_object(answer, sessions->options.output, err);
    print_sessions(answer);
    return 0;
}

static int end(const struct sessions *sessions, struct client *client, const char *id,
               struct err *err)
{
    CLEANUP_FREE char *own = mem_printf("/session/%s", id);
    CLEANUP_FREE char *path = path_of(sessions, own);

    if (sessions->user != NULL && strcmp(id, "all") != 0)
        return err_set(err, ERR_INVALID, "of another user all sessions are ended: say \"all\"");
    TRY(client_json(client, "DELETE", path, NULL, NULL, NULL, err));
    printf("%s ended\n",
           strcmp(id, "all") == 0 ? "all sessions, and what was issued in them," : id);
    return 0;
}

static int run(const struct sessions *sessions, const char *action, const char *id, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;

    TRY(client_open(&sessions->options, &client, err));
    if (strcmp(action, "list") == 0)
        return list(sessions, client, err);
    if (strcmp(action, "revoke") == 0 && id != NULL)
        return end(sessions, client, id, err);
    return err_set(err, ERR_INVALID, "say list, revoke ID or revoke all");
}

int cli_sessions(int argc, char **argv)
{
    struct sessions sessions = {.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of("sessions", argc, argv);
    const char *words[2] = {NULL};
    struct err err = ERR_INIT;
    enum cli_exit read = cli_read(&args, take_option, &sessions, words, ARRAY_LEN(words));

    if (read != CLI_OK)
        return read;
    if (words[0] == NULL)
        return cli_usage("sessions");
    return run(&sessions, words[0], words[1], &err) < 0 ? cli_fail(&err) : CLI_OK;
}
