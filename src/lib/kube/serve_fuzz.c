/* SPDX-License-Identifier: Apache-2.0 */
/* Whole requests against a small server: lines of method, path with query, content type, Accept;
 * then the body. What comes back must be an answer, and every object must stay readable. */
#include "codec/json.h"
#include "kube/kube.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct kube_kind *const kinds[] = {&kube_namespace,   &kube_user,         &kube_secret,
                                                &kube_oidc_client, &kube_role_binding, NULL};

static bool authorize(void *ctx UNUSED, const struct kube_attributes *ask UNUSED,
                      char reason[256] UNUSED)
{
    return true;
}

static const char *query(const struct kube_request *request, const char *name)
{
    const char *at = request->query_ctx;
    size_t len = strlen(name);

    while (at != NULL && *at != '\0') {
        size_t part = strcspn(at, "&");
        if (part > len && strncmp(at, name, len) == 0 && at[len] == '=')
            return arena_copy(request->arena, span_of(at + len + 1, part - len - 1));
        at += part + (at[part] == '&');
    }
    return NULL;
}

static char *line(struct span *rest, struct arena *arena)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->p, '\n', rest->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - rest->p) : rest->len;
    char *text = arena_copy(arena, span_of(rest->p, len));
    size_t skip = len + (end != NULL);

    *rest = span_of(rest->p + skip, rest->len - skip);
    INVARIANT(text != NULL);
    return text;
}

static void put(struct kube_server *server, const struct kube_kind *kind, const char *text)
{
    CLEANUP_JSON json_t *object = json_loads(text, 0, NULL);
    struct err err = ERR_INIT;

    INVARIANT(object != NULL && kube_object_put(server, kind, object, &err) == 0);
}

static int keep_reading(void *ctx UNUSED, const json_t *object UNUSED, struct err *err UNUSED)
{
    return 0;
}

static void ask(struct kube_server *server, struct span input, struct arena *arena)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(KUBE_ANSWER_MAX);
    struct kube_principal principal = {.name = "fuzz"};
    struct kube_answer answer = {.body = body};
    struct kube_request request = {.query = query, .principal = &principal, .arena = arena};
    struct err err = ERR_INIT;

    request.method = line(&input, arena);
    char *path = line(&input, arena);
    request.content_type = line(&input, arena);
    request.accept = line(&input, arena);
    request.path = path;
    request.body = input;
    char *args = strchr(path, '?');
    if (args != NULL) {
        *args = '\0';
        request.query_ctx = args + 1;
    }
    kube_serve(server, &request, &answer);
    INVARIANT(answer.status >= 200 && answer.status < 600 && answer.content_type != NULL);
    INVARIANT(answer.status != 500);
    kube_watch_free(answer.watch);
    if (answer.watch == NULL && strcmp(answer.content_type, "application/json") == 0) {
        CLEANUP_JSON json_t *value = NULL;
        INVARIANT(codec_json_parse(buf_span(&answer.body), "answer", &value, &err) == 0);
    }
    buf_free(&answer.body);
    for (size_t i = 0; kinds[i] != NULL; i++)
        INVARIANT(kube_object_each(server, kinds[i], NULL, keep_reading, NULL, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(64 << 20);
    struct kube_memory *memory = kube_memory_new();
    struct kube_config config = {
        .kinds = kinds, .storage = kube_memory_storage(memory), .authorize = authorize};
    struct kube_server *server = NULL;
    struct err err = ERR_INIT;

    INVARIANT(kube_server_new(&config, &server, &err) == 0);
    put(server, &kube_namespace, "{\"metadata\":{\"name\":\"d\"}}");
    put(server, &kube_user, "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"groups\":[\"x\"]}}");
    put(server, &kube_oidc_client,
        "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"redirectUris\":[\"https://x/\"],\"jwks\":{\"keys\":[]}}}");
    ask(server, span_of(data, size), arena);
    kube_server_free(server);
    kube_memory_free(memory);
    return 0;
}
