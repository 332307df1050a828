/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/pushed.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"

void pushed_free(struct pushed *pushed)
{
    json_decref(pushed->record);
    *pushed = (struct pushed){.consented = ""};
}

static void id_of(const char *uri, char out[IDP_ID_SIZE])
{
    idp_id_of(uri + strlen(PUSHED_PREFIX), out);
}

static void read_form(const json_t *record, struct arena *arena, struct form *form)
{
    const char *name;
    json_t *value;
    size_t i;

    *form = (struct form){0};
    json_object_foreach (json_object_get(record, "params"), name, value)
        form_put(form, name, arena_strdup(arena, json_string_value(value)));
    json_array_foreach (json_object_get(record, "resources"), i, value)
        form_put(form, "resource", arena_strdup(arena, json_string_value(value)));
}

static void read_record(struct pushed *pushed)
{
    const json_t *record = pushed->record;

    pushed->by_client = json_is_true(json_object_get(record, "pushed"));
    pushed->by_signing = json_is_true(json_object_get(record, "signed"));
    pushed->auth_after = record_number(record, "authAfter");
    pushed->consented = codec_json_text(record, "consented", "");
}

int pushed_load(struct idp *idp, const char *uri, const char *client_id, struct arena *arena,
                struct pushed *out, struct form *form, struct err *err)
{
    char id[IDP_ID_SIZE];

    *out = (struct pushed){.consented = ""};
    if (strncmp(uri, PUSHED_PREFIX, strlen(PUSHED_PREFIX)) != 0 || strlen(uri) >= PUSHED_URI_SIZE)
        return err_set(err, ERR_NOT_FOUND, "the request_uri is none of this server");
    id_of(uri, id);
    TRY(record_get(idp, GRANT_REQUESTS, id, &out->record, err));
    if (record_number(out->record, "until") <= clock_wall_sec() ||
        strcmp(codec_json_text(out->record, "client", ""), client_id) != 0)
        return err_set(err, ERR_NOT_FOUND, "the request_uri is over, or another client's");
    snprintf(out->uri, sizeof(out->uri), "%s", uri);
    read_record(out);
    read_form(out->record, arena, form);
    return arena_check(arena, "the request", err);
}

static json_t *params_of(const struct form *form)
{
    json_t *params = json_object();

    for (enum form_field field = 0; field < FORM_FIELDS; field++) {
        bool kept = form->value[field] != NULL && field != FORM_CLIENT_SECRET &&
                    field != FORM_CLIENT_ASSERTION && field != FORM_CLIENT_ASSERTION_TYPE &&
                    field != FORM_AUTH_AFTER && field != FORM_REQUEST;
        if (kept &&
            json_object_set_new(params, form_name(field), json_string(form->value[field])) < 0) {
            json_decref(params);
            return NULL;
        }
    }
    return params;
}

int pushed_new(struct idp *idp, const struct form *form, bool by_client, bool by_signing,
               uint32_t ttl_sec, struct pushed *out, struct err *err)
{
    json_t *params = params_of(form);
    json_t *resources = json_array();
    json_int_t now = clock_wall_sec();
    char secret[IDP_SECRET_SIZE];
    char id[IDP_ID_SIZE];

    for (size_t i = 0; i < form->resource_count; i++)
        json_array_append_new(resources, json_string(form->resource[i]));
    *out = (struct pushed){.consented = "", .by_client = by_client, .by_signing = by_signing};
    out->record =
        json_pack("{s:s, s:o, s:o, s:b, s:b, s:I, s:I}", "client", form->value[FORM_CLIENT_ID],
                  "params", params, "resources", resources, "pushed", by_client, "signed",
                  by_signing, "created", now, "until", now + ttl_sec);
    if (out->record == NULL)
        return err_set(err, ERR_INVALID, "a parameter is not UTF-8");
    TRY(idp_random(secret, err));
    snprintf(out->uri, sizeof(out->uri), PUSHED_PREFIX "%s", secret);
    id_of(out->uri, id);
    return record_put(idp, GRANT_REQUESTS, id, out->record, NULL, err);
}

int pushed_wait(struct idp *idp, struct pushed *pushed, struct err *err)
{
    CLEANUP_FREE char *consented = mem_strdup(pushed->consented);
    int64_t until = record_number(pushed->record, "created") + PUSHED_WAIT_SEC;
    char id[IDP_ID_SIZE];

    id_of(pushed->uri, id);
    json_object_set_new(pushed->record, "until",
                        json_integer(NUM_MAX(until, record_number(pushed->record, "until"))));
    json_object_set_new(pushed->record, "authAfter", json_integer(pushed->auth_after));
    json_object_set_new(pushed->record, "consented", json_string(consented));
    read_record(pushed);
    return record_put(idp, GRANT_REQUESTS, id, pushed->record, NULL, err);
}

int pushed_done(struct idp *idp, const struct pushed *pushed, struct err *err)
{
    char id[IDP_ID_SIZE];

    if (pushed->record == NULL)
        return 0;
    id_of(pushed->uri, id);
    return record_delete(idp, GRANT_REQUESTS, id, err);
}
