/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a command reaches the platform, and as whom:
 *
 *     --server URL, $DRUN_SERVER    with $DRUN_TOKEN, else the sign-in if it is to that platform;
 *                                   --ca FILE or $DRUN_CA
 *     --data DIR, $DRUN_DATA        the platform on this machine, as its operator
 *     -                             the sign-in of `drun login`
 *     -                             /var/lib/drun, if it is there
 */
#ifndef DRUN_CLI_CLIENT_H
#define DRUN_CLI_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/command.h"
#include "fetch/fetch.h"

#include <jansson.h>

struct client;

struct client_options {
    const char *server;
    const char *data_dir;
    const char *ca_file;
    const char *namespace; /* "default" */
    const char *output;    /* "table", "json", "yaml", "name" */
    bool only_where;       /* a sign-in that has ended will do; there may be no token then */
};

/* For the option table of a command. */
#define CLIENT_OPTIONS                                                                             \
    {"--server", "URL", "the platform (default: this machine's, or that of `drun login`)"},        \
        {"--data", "DIR", "the data directory of a platform on this machine"},                     \
        {"--ca", "FILE", "authority of the server's certificate, PEM"},                            \
        {"--namespace", "NS", "the namespace (default: default)"},                                 \
    {                                                                                              \
        "-n", "NS", "the same"                                                                     \
    }
#define OUTPUT_OPTION                                                                              \
    {                                                                                              \
        "-o", "FORMAT", "table, json, yaml or name"                                                \
    }

#define CLIENT_OPTIONS_INIT                                                                        \
    {                                                                                              \
        .namespace = "default", .output = "table"                                                  \
    }

/* Takes the option that cli_next() found, if it is one of the above. */
bool client_take_option(struct client_options *options, const struct cli_args *args);

int client_open(const struct client_options *options, struct client **out,
                struct err *err) MUST_USE;
void client_free(struct client *client);
void client_free_ptr(struct client **client);

const char *client_server(const struct client *client);
const char *client_token(const struct client *client);
/* When the token ends, in seconds since 1970; 0 when only the platform knows. */
long long client_token_ends(const struct client *client);
/* Where the platform on this machine lies that is spoken to as its operator; else NULL. */
const char *client_data_dir(const struct client *client);
/* PEM of the authority; "" for the system's own. */
const char *client_ca(const struct client *client);

/* The error that an answer of 400 and up is: its code by the status, its sentence from a Status, an
 * OpenAI error, an OAuth error or problem+json. Returns -1. */
int client_refusal(unsigned status, struct span body, struct err *err);
/* Runs a request; the answer's body is JSON or NULL. */
int client_json(struct client *client, const char *method, const char *path, const json_t *body,
                const char *content_type, json_t **out, struct err *err) MUST_USE;
/* The same for any body; `accept` may be NULL. With on_data the answer goes on. */
struct client_call {
    const char *method;
    const char *path;
    struct span body;
    const char *content_type;
    const char *accept;
    int (*on_data)(void *ctx, unsigned status, struct span bytes, struct err *err);
    void *ctx;
};
int client_call(struct client *client, const struct client_call *call, struct fetch_answer *answer,
                struct err *err) MUST_USE;

#endif
