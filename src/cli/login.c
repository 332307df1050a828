/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/login.h"

#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"

#include <fcntl.h>

enum { LOGIN_MAX = 64 * 1024 };

static char *login_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (config != NULL && config[0] == '/')
        return mem_printf("%s/drun/login.json", config);
    return mem_printf("%s/.config/drun/login.json", home == NULL ? "" : home);
}

int login_load(char **server, char **token, char **ca_pem, struct err *err)
{
    CLEANUP_FREE char *path = login_path();
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(LOGIN_MAX);
    CLEANUP_JSON json_t *login = NULL;

    if (fd_read_file(AT_FDCWD, path, &text, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    TRY(codec_json_parse(buf_span(&text), path, &login, err));
    *server = mem_strdup(codec_json_text(login, "server", ""));
    *token = mem_strdup(codec_json_text(login, "accessToken", ""));
    *ca_pem = mem_strdup(codec_json_text(login, "ca", ""));
    return 1;
}
