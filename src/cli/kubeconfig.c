/* SPDX-License-Identifier: Apache-2.0 */
/* drun kubeconfig: kubectl signs in as drun does. */
#include "base/enc.h"
#include "base/mem.h"
#include "cli/client.h"
#include "codec/json.h"
#include "codec/yaml.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

const struct cli_option cli_kubeconfig_options[] = {
    CLIENT_OPTIONS,
    {"--exec-api", "VERSION",
     "how kubectl asks for a token: v1beta1 (the default, kubectl 1.20 and later) or v1 (1.22)"},
    {0}};

enum { KUBECONFIG_MAX = 64 * 1024 };

struct request {
    struct client_options options;
    const char *exec_api;
};

/* A relative name would mean something else where kubectl is run. */
static void put_path(json_t *args, const char *option, const char *path)
{
    char full[PATH_MAX];

    json_array_append_new(args, json_string(option));
    json_array_append_new(args, json_string(realpath(path, full) != NULL ? full : path));
}

/* How kubectl calls back: this program, and the platform by name: whoever signs in elsewhere later
 * must not send that platform's token to this one. */
static json_t *exec_of(const struct request *request, const struct client *client)
{
    char self[PATH_MAX] = "drun";
    json_t *args = json_pack("[s, s, s]", "token", "-o", "exec-credential");

    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len > 0)
        self[len] = '\0';
    if (client_data_dir(client) != NULL) {
        put_path(args, "--data", client_data_dir(client));
    } else {
        json_array_append_new(args, json_string("--server"));
        json_array_append_new(args, json_string(client_server(client)));
        if (request->options.ca_file != NULL)
            put_path(args, "--ca", request->options.ca_file);
    }
    return json_pack("{s:o, s:s, s:o, s:s, s:b}", "apiVersion",
                     json_sprintf("client.authentication.k8s.io/%s", request->exec_api), "command",
                     self, "args", args, "interactiveMode", "IfAvailable", "provideClusterInfo", 1);
}

static int print(const struct request *request, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP(buf_free) struct buf ca = BUF_INIT(KUBECONFIG_MAX);
    CLEANUP(buf_free) struct buf text = BUF_INIT(KUBECONFIG_MAX);

    TRY(client_open(&request->options, &client, err));
    json_t *cluster = json_pack("{s:s}", "server", client_server(client));
    enc_base64_put(ENC_BASE64, span_str(client_ca(client)), &ca);
    if (ca.len > 0)
        json_object_set_new(cluster, "certificate-authority-data", json_string(buf_text(&ca)));
    CLEANUP_JSON json_t *config = json_pack(
        "{s:s, s:s, s:[{s:s, s:o}], s:[{s:s, s:{s:s, s:s, s:s}}], s:[{s:s, s:{s:o}}], s:s}",
        "apiVersion", "v1", "kind", "Config", "clusters", "name", "drun", "cluster", cluster,
        "contexts", "name", "drun", "context", "cluster", "drun", "user", "drun", "namespace",
        request->options.namespace, "users", "name", "drun", "user", "exec",
        exec_of(request, client), "current-context", "drun");
    codec_yaml_put(config, &text);
    TRY(buf_check(&text, "the kubeconfig", err));
    fputs(buf_text(&text), stdout);
    return 0;
}

static void take(void *ctx, const struct cli_args *args)
{
    struct request *request = ctx;

    if (!client_take_option(&request->options, args))
        request->exec_api = args->value;
}

int cli_kubeconfig(int argc, char **argv)
{
    struct request request = {.options = CLIENT_OPTIONS_INIT, .exec_api = "v1beta1"};
    struct cli_args args = cli_args_of("kubeconfig", argc, argv);
    struct err err = ERR_INIT;

    request.options.only_where = true;
    enum cli_exit read = cli_read(&args, take, &request, NULL, 0);
    if (read != CLI_OK)
        return read;
    if (strcmp(request.exec_api, "v1beta1") != 0 && strcmp(request.exec_api, "v1") != 0)
        return cli_usage("kubeconfig");
    return print(&request, &err) < 0 ? cli_fail(&err) : CLI_OK;
}
