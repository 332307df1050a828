/* SPDX-License-Identifier: Apache-2.0 */
/* Client data: section 5.8.1. It is what the browser says that it was asked, and by whom. */
#include "base/mem.h"
#include "codec/json.h"
#include "webauthn/webauthn_internal.h"

static int check(const json_t *data, const char *type, const struct webauthn_ceremony *ceremony,
                 struct err *err)
{
    const char *challenge = codec_json_text(data, "challenge", "");
    const char *origin = codec_json_text(data, "origin", "");

    if (strcmp(codec_json_text(data, "type", ""), type) != 0)
        return err_set(err, ERR_DENIED, "the client data is not of type %s", type);
    if (ceremony->challenge.len == 0 || strlen(challenge) != ceremony->challenge.len ||
        !mem_equal_ct(challenge, ceremony->challenge.p, ceremony->challenge.len))
        return err_set(err, ERR_DENIED, "the challenge is not the one that was asked");
    if (strcmp(origin, ceremony->site->origin) != 0)
        return err_set(err, ERR_DENIED, "the browser was at another origin than %s",
                       ceremony->site->origin);
    if (json_is_true(json_object_get(data, "crossOrigin")) ||
        json_object_get(data, "topOrigin") != NULL)
        return err_set(err, ERR_DENIED, "the page was embedded in another site's");
    return 0;
}

int client_data_check(struct span json, const char *type, const struct webauthn_ceremony *ceremony,
                      struct err *err)
{
    CLEANUP_JSON json_t *data = NULL;

    if (json.len > WEBAUTHN_CLIENT_DATA_MAX)
        return err_set(err, ERR_TOO_LARGE, "the client data has more than %d bytes",
                       WEBAUTHN_CLIENT_DATA_MAX);
    TRY(codec_json_parse(json, "the client data", &data, err));
    if (!json_is_object(data))
        return err_set(err, ERR_INVALID, "the client data is no JSON object");
    return check(data, type, ceremony, err);
}
