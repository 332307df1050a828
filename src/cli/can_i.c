/* SPDX-License-Identifier: Apache-2.0 */
/* drun can-i VERB KIND [NAME]: what RBAC says about you. */
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "codec/json.h"

const struct cli_option cli_can_i_options[] = {CLIENT_OPTIONS, OUTPUT_OPTION, {0}};

static int ask(const struct client_options *options, const char *const words[3], bool *allowed,
               struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP_JSON json_t *review = NULL;
    CLEANUP_JSON json_t *answer = NULL;
    const struct kube_kind *kind = NULL;
    struct err unknown = ERR_INIT;

    /* A resource that is no kind ("models" as a callee is one, others may come) is asked as it is.
     */
    if (kinds_find(words[1], &kind, &unknown) < 0)
        kind = NULL;
    review = json_pack(
        "{s:s, s:s, s:{s:{s:s, s:s, s:s, s:s, s:s}}}", "apiVersion", "authorization.k8s.io/v1",
        "kind", "SelfSubjectAccessReview", "spec", "resourceAttributes", "verb", words[0], "group",
        kind != NULL ? kind->group : "", "resource", kind != NULL ? kind->plural : words[1],
        "namespace", kind != NULL && !kind->namespaced ? "" : options->namespace, "name",
        words[2] != NULL ? words[2] : "");
    TRY(client_open(options, &client, err));
    TRY(client_json(client, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                    review, NULL, &answer, err));
    *allowed = json_is_true(codec_json_at(answer, "status", "allowed", NULL));
    if (strcmp(options->output, "table") != 0)
        return output_object(answer, options->output, err);
    const char *reason = json_string_value(codec_json_at(answer, "status", "reason", NULL));
    printf("%s%s%s\n", *allowed ? "yes" : "no", reason != NULL ? ": " : "",
           reason != NULL ? reason : "");
    return 0;
}

int cli_can_i(int argc, char **argv)
{
    struct client_options options = CLIENT_OPTIONS_INIT;
    struct cli_args args = cli_args_of("can-i", argc, argv);
    const char *words[3] = {0};
    struct err err = ERR_INIT;
    size_t count = 0;
    bool allowed;
    int kind;

    while ((kind = cli_next(&args)) > 0 && kind != '?') {
        if (kind == '-')
            (void)client_take_option(&options, &args);
        else if (count < ARRAY_LEN(words))
            words[count++] = args.value;
        else
            return cli_usage("can-i");
    }
    if (kind == '?' || count < 2)
        return kind == '?' ? CLI_USAGE : cli_usage("can-i");
    if (ask(&options, words, &allowed, &err) < 0)
        return cli_fail(&err);
    return allowed ? CLI_OK : CLI_FAILED;
}
