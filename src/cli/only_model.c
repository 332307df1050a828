/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/only_model.h"

#include "base/mem.h"
#include "codec/json.h"

int only_model(struct client *client, char **out, struct err *err)
{
    CLEANUP_JSON json_t *list = NULL;
    CLEANUP(buf_free) struct buf names = BUF_INIT(512);
    const json_t *model;
    size_t i;

    TRY(client_json(client, "GET", "/v1/models", NULL, NULL, &list, err));
    const json_t *models = json_object_get(list, "data");
    if (json_array_size(models) == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no model that you may call");
    json_array_foreach (models, i, model)
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", codec_json_text(model, "id", ""));
    if (json_array_size(models) > 1)
        return err_set(err, ERR_INVALID, "name a model: %s", buf_text(&names));
    *out = mem_strdup(codec_json_text(json_array_get(models, 0), "id", ""));
    return 0;
}
