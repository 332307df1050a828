/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/rig.h"

#include "kube/kube_store.h"

static const struct kube_kind *const kinds[] = {
    &kube_namespace, &kube_config_map,    &kube_secret,          &kube_user,
    &kube_api_key,   &kube_model_service, &kube_service_account, NULL};

bool rig_over_store;

static bool authorize(void *ctx UNUSED, const struct kube_attributes *ask, char reason[256])
{
    if (strcmp(ask->principal->name, "admin") == 0)
        return true;
    snprintf(reason, 256, "no rule");
    return ask->resource == NULL || strcmp(ask->verb, "get") == 0;
}

static int admit(void *ctx, struct kube_change *change UNUSED, struct kube_causes *causes UNUSED,
                 struct err *err)
{
    struct rig *rig = ctx;

    return rig->refuse ? err_set(err, ERR_DENIED, "not today") : 0;
}

static void changed(void *ctx, const struct kube_change *change)
{
    struct rig *rig = ctx;

    rig->changes++;
    if (change->kind == &kube_api_key && change->old == NULL)
        json_object_set_new(change->object, "status", json_pack("{s:s}", "key", "once"));
}

static int review_token(void *ctx UNUSED, const char *token, const json_t *audiences UNUSED,
                        json_t *status, struct err *err UNUSED)
{
    if (strcmp(token, "good") == 0) {
        json_object_set_new(status, "authenticated", json_true());
        json_object_set_new(status, "user", json_pack("{s:s}", "username", "alice"));
    }
    return 0;
}

int rig_start(void **state)
{
    struct rig *rig = mem_new(sizeof(*rig));
    struct err err = ERR_INIT;

    if (rig_over_store) {
        fixture_start(&rig->fixture);
        fixture_open(&rig->fixture);
        rig->objects = kube_store_new(rig->fixture.store);
        rig->storage = kube_store_storage(rig->objects);
    } else {
        rig->memory = kube_memory_new();
        rig->storage = kube_memory_storage(rig->memory);
    }
    struct kube_config config = {.kinds = kinds,
                                 .storage = rig->storage,
                                 .ctx = rig,
                                 .authorize = authorize,
                                 .admit = admit,
                                 .changed = changed,
                                 .review_token = review_token};
    assert_int_equal(kube_server_new(&config, &rig->server, &err), 0);
    rig->arena = arena_new(16 << 20);
    rig->user = "admin";
    rig->answer.body = (struct buf)BUF_INIT(KUBE_ANSWER_MAX);
    rig->watched = (struct buf)BUF_INIT(1 << 20);
    *state = rig;
    return 0;
}

int rig_stop(void **state)
{
    struct rig *rig = *state;

    kube_watch_free(rig->answer.watch);
    kube_server_free(rig->server);
    buf_free(&rig->answer.body);
    buf_free(&rig->watched);
    json_decref(rig->body);
    kube_store_free(rig->objects);
    if (rig_over_store)
        fixture_stop(&rig->fixture);
    kube_memory_free(rig->memory);
    arena_free(rig->arena);
    free(rig);
    return 0;
}

/* "a=1&b=2": no escapes are needed here. */
static const char *query(const struct kube_request *request, const char *name)
{
    const char *at = request->query_ctx;
    size_t len = strlen(name);

    while (*at != '\0') {
        size_t part = strcspn(at, "&");
        if (part > len && strncmp(at, name, len) == 0 && at[len] == '=')
            return arena_copy(request->arena, span_of(at + len + 1, part - len - 1));
        at += part + (at[part] == '&');
    }
    return NULL;
}

static const char *media_type(const char *method, const char *body, const char *args)
{
    if (args != NULL && strstr(args, "fieldManager=") != NULL)
        return "application/apply-patch+yaml";
    if (strcmp(method, "PATCH") != 0)
        return "application/json";
    return body[0] == '[' ? "application/json-patch+json" : "application/merge-patch+json";
}

/* "GET /api/v1/namespaces?limit=1"; gives the status. */
static unsigned ask(struct rig *rig, const char *what, const char *body)
{
    CLEANUP_FREE char *text = mem_strdup(body != NULL ? body : "");
    CLEANUP_FREE char *line = mem_strdup(what);
    struct kube_principal principal = {.name = rig->user};
    struct err err = ERR_INIT;
    char *path = strchr(line, ' ');

    for (char *p = text; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    *path++ = '\0';
    char *args = strchr(path, '?');
    if (args != NULL)
        *args++ = '\0';
    struct kube_request request = {
        .method = line,
        .path = path,
        .query = query,
        .query_ctx = args != NULL ? args : strchr(line, 0),
        .accept = rig->accept,
        .content_type = media_type(line, text, args),
        .body = span_str(text),
        .principal = &principal,
        .arena = rig->arena,
    };
    struct buf kept = rig->answer.body;
    buf_reset(&kept);
    rig->answer = (struct kube_answer){.body = kept};
    kube_serve(rig->server, &request, &rig->answer);
    if (rig_over_store)
        assert_int_equal(store_flush(rig->fixture.store, &err), 0);
    json_decref(rig->body);
    rig->body = NULL;
    if (rig->answer.body.len > 0 &&
        codec_json_parse(buf_span(&rig->answer.body), "answer", &rig->body, &err) < 0)
        fail_msg("%s: %s", what, err.msg);
    return rig->answer.status;
}

void rig_must(struct rig *rig, unsigned status, const char *what, const char *body)
{
    unsigned got = ask(rig, what, body);

    if (got != status)
        fail_msg("%s: %u %s", what, got, buf_text(&rig->answer.body));
}

const char *rig_text(struct rig *rig, const char *pointer)
{
    const json_t *value = rig->body;
    char name[64];

    while (*pointer != '\0') {
        size_t len = strcspn(++pointer, "/");
        snprintf(name, sizeof(name), "%.*s", (int)len, pointer);
        pointer += len;
        value = json_is_array(value) ? json_array_get(value, strtoul(name, NULL, 10))
                                     : json_object_get(value, name);
    }
    return json_is_string(value) ? json_string_value(value) : "";
}

void rig_make_user(struct rig *rig, const char *name)
{
    CLEANUP_FREE char *body =
        mem_printf("{'metadata':{'name':'%s','labels':{'n':'%s'}}}", name, name);

    rig_must(rig, 201, "POST " USERS, body);
}
