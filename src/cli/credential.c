/* SPDX-License-Identifier: Apache-2.0 */
/* drun credential, drun kubeconfig: kubectl signs in as drun does. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "cli/client.h"
#include "codec/json.h"
#include "codec/yaml.h"

#include <limits.h>

const struct cli_option cli_credential_options[] = {CLIENT_OPTIONS, {0}};
const struct cli_option cli_kubeconfig_options[] = {CLIENT_OPTIONS, {0}};

/* kubectl asks again when it has expired; tokens live for ten minutes. */
enum { CREDENTIAL_SEC = 300, KUBECONFIG_MAX = 64 * 1024 };

static int open_client(const char *command, int argc, char **argv, struct client_options *options,
                       struct client **out, struct err *err)
{
    struct cli_args args = cli_args_of(command, argc, argv);
    int kind;

    while ((kind = cli_next(&args)) == '-')
        (void)client_take_option(options, &args);
    if (kind != 0)
        return err_set(err, ERR_INVALID, "%s takes options only", command);
    return client_open(options, out, err);
}

int cli_credential(int argc, char **argv)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    struct client_options options = CLIENT_OPTIONS_INIT;
    struct err err = ERR_INIT;
    char until[CLOCK_TEXT_SIZE];

    if (open_client("credential", argc, argv, &options, &client, &err) < 0)
        return cli_fail(&err);
    clock_format_sec(clock_wall_sec() + CREDENTIAL_SEC, until);
    printf("{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"kind\":\"ExecCredential\","
           "\"status\":{\"token\":\"%s\",\"expirationTimestamp\":\"%s\"}}\n",
           client_token(client), until);
    return CLI_OK;
}

/* How kubectl calls back: this program, with the options that found the platform. v1beta1 is what
 * kubectl of Debian 12 (1.20) and today's both take. */
static json_t *exec_of(const struct client_options *options)
{
    char self[PATH_MAX] = "drun";
    char data_dir[PATH_MAX];
    json_t *args = json_pack("[s]", "credential");

    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[len > 0 ? len : 0] = '\0';
    const char *data = options->data_dir != NULL ? options->data_dir : getenv("DRUN_DATA");
    if (data != NULL && realpath(data, data_dir) != NULL) {
        json_array_append_new(args, json_string("--data"));
        json_array_append_new(args, json_string(data_dir));
    }
    return json_pack("{s:s, s:s, s:o, s:s}", "apiVersion", "client.authentication.k8s.io/v1beta1",
                     "command", self, "args", args, "interactiveMode", "Never");
}

int cli_kubeconfig(int argc, char **argv)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP(buf_free) struct buf ca = BUF_INIT(KUBECONFIG_MAX);
    CLEANUP(buf_free) struct buf text = BUF_INIT(KUBECONFIG_MAX);
    struct client_options options = CLIENT_OPTIONS_INIT;
    struct err err = ERR_INIT;

    if (open_client("kubeconfig", argc, argv, &options, &client, &err) < 0)
        return cli_fail(&err);
    json_t *cluster = json_pack("{s:s}", "server", client_server(client));
    enc_base64_put(ENC_BASE64, span_str(client_ca(client)), &ca);
    if (ca.len > 0)
        json_object_set_new(cluster, "certificate-authority-data", json_string(buf_text(&ca)));
    CLEANUP_JSON json_t *config = json_pack(
        "{s:s, s:s, s:[{s:s, s:o}], s:[{s:s, s:{s:s, s:s, s:s}}], s:[{s:s, s:{s:o}}], s:s}",
        "apiVersion", "v1", "kind", "Config", "clusters", "name", "drun", "cluster", cluster,
        "contexts", "name", "drun", "context", "cluster", "drun", "user", "drun", "namespace",
        options.namespace, "users", "name", "drun", "user", "exec", exec_of(&options),
        "current-context", "drun");
    codec_yaml_put(config, &text);
    fputs(buf_text(&text), stdout);
    return CLI_OK;
}
