/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/platform.h"

#include "base/fd.h"
#include "base/mem.h"
#include "cli/local.h"
#include "codec/json.h"

#include <fcntl.h>
#include <stdlib.h>

enum { CA_MAX = 256 * 1024, TIMEOUT_MS = 20000 };

static int read_ca(const char *path, char **out, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(CA_MAX);

    TRY(fd_read_file(AT_FDCWD, path, &text, err));
    *out = mem_strdup(buf_text(&text));
    return 0;
}

int platform_choose(const struct client_options *options, struct login *login, struct err *err)
{
    CLEANUP(local_free) struct local local = LOCAL_INIT;
    const char *server = options->server != NULL ? options->server : getenv("DRUN_SERVER");
    const char *ca = options->ca_file != NULL ? options->ca_file : getenv("DRUN_CA");

    if (server == NULL)
        TRY(local_find(local_data_dir(options->data_dir), &local, err));
    login->server = mem_strdup(server != NULL ? server : local.server);
    for (size_t len = strlen(login->server); len > 0 && login->server[len - 1] == '/';)
        login->server[--len] = '\0';
    if (ca != NULL)
        return read_ca(ca, &login->ca_pem, err);
    login->ca_pem = mem_strdup(local.ca_pem != NULL ? local.ca_pem : "");
    return 0;
}

int platform_get(const struct login *login, const char *url, const char *bearer, json_t **out,
                 struct err *err)
{
    CLEANUP(fetch_free_ptr) struct fetch *fetch = NULL;
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    CLEANUP_FREE char *auth = mem_printf("Authorization: Bearer %s", bearer);
    const char *const headers[] = {"Accept: application/json", bearer[0] != '\0' ? auth : NULL,
                                   NULL};
    struct fetch_options options = {.ca_pem = span_str(login->ca_pem), .timeout_ms = TIMEOUT_MS};
    struct fetch_request request = {.method = "GET", .url = url, .headers = headers};

    TRY(fetch_new(&options, &fetch, err));
    TRY(fetch_run(fetch, &request, &answer, err));
    if (answer.status != 200)
        return client_refusal(answer.status, buf_span(&answer.body), err);
    return codec_json_parse(buf_span(&answer.body), url, out, err);
}

/* OpenID Connect Discovery 1.0 section 4. */
int platform_discover(struct login *login, struct sign_in *sign_in, json_t **metadata,
                      struct err *err)
{
    CLEANUP_FREE char *url = mem_printf("%s/.well-known/openid-configuration", login->server);

    if (platform_get(login, url, "", metadata, err) < 0)
        return err->code == ERR_DENIED
                   ? err_wrap(err, "name the authority of the server's certificate with --ca")
                   : -1;
    sign_in->issuer = mem_strdup(codec_json_text(*metadata, "issuer", ""));
    sign_in->authorize_url = mem_strdup(codec_json_text(*metadata, "authorization_endpoint", ""));
    login->token_url = mem_strdup(codec_json_text(*metadata, "token_endpoint", ""));
    login->revoke_url = mem_strdup(codec_json_text(*metadata, "revocation_endpoint", ""));
    if (sign_in->authorize_url[0] == '\0' || login->token_url[0] == '\0')
        return err_set(err, ERR_INVALID, "%s does not name its endpoints", url);
    if (strcmp(sign_in->issuer, login->server) != 0)
        return err_set(err, ERR_DENIED, "%s calls itself %s; sign in with --server %s",
                       login->server, sign_in->issuer, sign_in->issuer);
    return 0;
}
