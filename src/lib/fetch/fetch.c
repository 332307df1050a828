/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/fetch.h"

#include "base/mem.h"
#include "fetch/curl.h"

#include <strings.h>
#include <sys/socket.h>

struct fetch {
    const struct fetch_options *options;
    const struct curl_api *api;
    CURL *curl;
};

/* One request on its way. */
struct exchange {
    struct fetch *fetch;
    const struct fetch_request *request;
    struct fetch_answer *answer;
    struct err *err;
    struct err refused; /* the last address that was */
};

int fetch_load(struct err *err)
{
    const struct curl_api *api;

    TRY(curl_api_load(&api, err));
    CURL *curl = api->easy_init(); /* the first one sets the library up */
    if (curl == NULL)
        return err_set(err, ERR_INTERNAL, "libcurl does not start");
    api->easy_cleanup(curl);
    return 0;
}

int fetch_new(const struct fetch_options *options, struct fetch **out, struct err *err)
{
    const struct curl_api *api;

    TRY(curl_api_load(&api, err));
    CURL *curl = api->easy_init();
    if (curl == NULL)
        return err_set(err, ERR_INTERNAL, "libcurl does not start");
    struct fetch *fetch = mem_new(sizeof(*fetch));
    *fetch = (struct fetch){.options = options, .api = api, .curl = curl};
    *out = fetch;
    return 0;
}

void fetch_free(struct fetch *fetch)
{
    if (fetch == NULL)
        return;
    fetch->api->easy_cleanup(fetch->curl);
    free(fetch);
}

void fetch_free_ptr(struct fetch **fetch)
{
    fetch_free(*fetch);
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct exchange *exchange = ctx;
    const struct fetch_request *request = exchange->request;
    struct span bytes = span_of(data, size * count);
    long status = 0;

    if (request->on_data == NULL) {
        buf_put_span(&exchange->answer->body, bytes);
        return exchange->answer->body.overflowed ? 0 : bytes.len;
    }
    exchange->fetch->api->easy_getinfo(exchange->fetch->curl, CURLINFO_RESPONSE_CODE, &status);
    if (request->on_data(request->ctx, (unsigned)status, bytes, exchange->err) < 0)
        return 0;
    return bytes.len;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct exchange *exchange = ctx;

    buf_put(&exchange->answer->headers, data, size * count);
    return exchange->answer->headers.overflowed ? 0 : size * count;
}

static void set_trust(struct fetch *fetch)
{
    const struct fetch_options *options = fetch->options;
    struct curl_blob pem = {.data = (void *)(uintptr_t)options->ca_pem.p,
                            .len = options->ca_pem.len,
                            .flags = CURL_BLOB_COPY};

    if (options->ca_pem.len > 0)
        fetch->api->easy_setopt(fetch->curl, CURLOPT_CAINFO_BLOB, &pem);
    else if (options->ca_file != NULL)
        fetch->api->easy_setopt(fetch->curl, CURLOPT_CAINFO, options->ca_file);
    /* The system's directory of authorities would be trusted besides. */
    if (options->ca_pem.len > 0 || options->ca_file != NULL)
        fetch->api->easy_setopt(fetch->curl, CURLOPT_CAPATH, NULL);
    if (options->unix_socket != NULL)
        fetch->api->easy_setopt(fetch->curl, CURLOPT_UNIX_SOCKET_PATH, options->unix_socket);
    if (options->unix_socket != NULL || options->direct)
        fetch->api->easy_setopt(fetch->curl, CURLOPT_PROXY, "");
}

static curl_socket_t on_socket(void *ctx, curlsocktype purpose UNUSED, struct curl_sockaddr *to)
{
    struct exchange *exchange = ctx;
    const struct fetch_options *options = exchange->fetch->options;

    err_clear(&exchange->refused);
    if (options->check(options->check_ctx, &to->addr, &exchange->refused) < 0)
        return CURL_SOCKET_BAD;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static void set_limits(struct exchange *exchange)
{
    const struct fetch_options *options = exchange->fetch->options;
    const struct curl_api *api = exchange->fetch->api;
    CURL *curl = exchange->fetch->curl;

    api->easy_setopt(curl, CURLOPT_PROTOCOLS_STR, options->https_only ? "https" : "http,https");
    api->easy_setopt(curl, CURLOPT_SSLVERSION,
                     (long)(options->tls_1_2 ? CURL_SSLVERSION_TLSv1_2 : CURL_SSLVERSION_TLSv1_3));
    if (options->check != NULL) {
        api->easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
        api->easy_setopt(curl, CURLOPT_OPENSOCKETDATA, exchange);
    }
}

static struct curl_slist *set_request(struct exchange *exchange)
{
    struct fetch *fetch = exchange->fetch;
    const struct curl_api *api = fetch->api;
    const struct fetch_request *request = exchange->request;
    const struct fetch_options *options = fetch->options;
    struct curl_slist *headers = api->slist_append(NULL, "Expect:");

    api->easy_reset(fetch->curl);
    set_trust(fetch);
    for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
        headers = api->slist_append(headers, request->headers[i]);
    api->easy_setopt(fetch->curl, CURLOPT_NOSIGNAL, 1L);
    api->easy_setopt(fetch->curl, CURLOPT_URL, request->url);
    api->easy_setopt(fetch->curl, CURLOPT_CUSTOMREQUEST, request->method);
    api->easy_setopt(fetch->curl, CURLOPT_HTTPHEADER, headers);
    if (request->body.len > 0) {
        api->easy_setopt(fetch->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        api->easy_setopt(fetch->curl, CURLOPT_POSTFIELDS, request->body.p);
    }
    if (strcmp(request->method, "HEAD") == 0)
        api->easy_setopt(fetch->curl, CURLOPT_NOBODY, 1L);
    api->easy_setopt(fetch->curl, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(options->connect_timeout_ms > 0 ? options->connect_timeout_ms : 10000));
    api->easy_setopt(fetch->curl, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    api->easy_setopt(fetch->curl, CURLOPT_WRITEFUNCTION, on_body);
    api->easy_setopt(fetch->curl, CURLOPT_WRITEDATA, exchange);
    api->easy_setopt(fetch->curl, CURLOPT_HEADERFUNCTION, on_header);
    api->easy_setopt(fetch->curl, CURLOPT_HEADERDATA, exchange);
    return headers;
}

static enum err_code code_of(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return ERR_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION: return ERR_DENIED;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return ERR_INVALID;
    default: return ERR_UNAVAILABLE;
    }
}

/* The server may close a connection that was kept at any moment, an nginx that reloads does so in
 * the middle of HTTP/2. What changes nothing is then asked again, once, over a new one. */
static bool may_repeat(const struct exchange *exchange, CURLcode code)
{
    const char *method = exchange->request->method;
    bool lost = code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM || code == CURLE_GOT_NOTHING ||
                code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR;

    return lost && exchange->request->on_data == NULL &&
           (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
}

static CURLcode perform(struct exchange *exchange)
{
    struct fetch *fetch = exchange->fetch;
    CURLcode code = fetch->api->easy_perform(fetch->curl);

    if (!may_repeat(exchange, code))
        return code;
    buf_reset(&exchange->answer->body);
    buf_reset(&exchange->answer->headers);
    fetch->api->easy_setopt(fetch->curl, CURLOPT_FRESH_CONNECT, 1L);
    code = fetch->api->easy_perform(fetch->curl);
    fetch->api->easy_setopt(fetch->curl, CURLOPT_FRESH_CONNECT, 0L);
    return code;
}

int fetch_run(struct fetch *fetch, const struct fetch_request *request, struct fetch_answer *answer,
              struct err *err)
{
    char text[CURL_ERROR_SIZE] = "";
    struct exchange exchange = {.fetch = fetch, .request = request, .answer = answer, .err = err};
    long status = 0;

    buf_reset(&answer->body);
    buf_reset(&answer->headers);
    struct curl_slist *headers = set_request(&exchange);
    set_limits(&exchange);
    fetch->api->easy_setopt(fetch->curl, CURLOPT_ERRORBUFFER, text);
    CURLcode code = perform(&exchange);
    fetch->api->slist_free_all(headers);
    TRY(buf_check(&answer->body, "the answer", err));
    TRY(buf_check(&answer->headers, "the answer's headers", err));
    if (code == CURLE_WRITE_ERROR && err->code != ERR_NONE)
        return -1;
    if (code == CURLE_COULDNT_CONNECT && exchange.refused.code != ERR_NONE) {
        *err = exchange.refused;
        return err_wrap(err, "%s %s", request->method, request->url);
    }
    if (code != CURLE_OK)
        return err_set(err, code_of(code), "%s %s: %s", request->method, request->url,
                       text[0] != '\0' ? text : fetch->api->easy_strerror(code));
    fetch->api->easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (unsigned)status;
    return 0;
}

void fetch_answer_free(struct fetch_answer *answer)
{
    buf_free_wiped(&answer->body);
    buf_free(&answer->headers);
}

char *fetch_answer_header(const struct fetch_answer *answer, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = buf_text(&answer->headers); line != NULL && *line != '\0';) {
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1 + strspn(line + len + 1, " \t");
            return mem_strndup(value, strcspn(value, "\r\n"));
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return NULL;
}
