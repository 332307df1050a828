/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that knows breached passwords (Have I Been Pwned, "Searching by range"): it hears five
 * digits of the hash, answers with the rest of all hashes that begin so, and learns neither the
 * password nor whether it was among them; padding hides how many there were. The exporter asks.
 */
#include "idp/factors/factors.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "egress/egress.h"
#include "idp/people/breached.h"
#include "log/log.h"
#include "role/settings.h"

#include <fcntl.h>
#include <stdlib.h>

struct breached_service {
    const struct settings_breached *settings;
    struct buf ca;
};

void breached_service_free(struct breached_service *service)
{
    if (service == NULL)
        return;
    buf_free(&service->ca);
    free(service);
}

int breached_service_start(struct idp *idp, struct err *err)
{
    const struct settings_breached *settings = &role_settings(idp->role)->breached;

    if (settings->url == NULL)
        return 0;
    if (strncmp(settings->url, "https://", 8) != 0 || strpbrk(settings->url, "?#") != NULL)
        return err_set(err, ERR_INVALID,
                       "breached-url must begin with https:// and have no query, for five digits "
                       "are put at its end; it is \"%s\"",
                       settings->url);
    struct breached_service *service = mem_new(sizeof(*service));
    idp->breached_service = service;
    *service = (struct breached_service){.settings = settings, .ca = BUF_INIT(EGRESS_CA_MAX)};
    if (settings->ca_file == NULL)
        return 0;
    return fd_read_file(AT_FDCWD, settings->ca_file, &service->ca, err);
}

/* ------------------------------------------------------------------ a new password */

/* What waits for the service; in the request's arena. */
struct asking {
    struct idp *idp;
    struct serve_request *request;
    struct breached_question question;
    char *password;
    hasher_fn *fn;
    void *ctx;
};

static void forget(struct asking *asking)
{
    mem_wipe(asking->password, strlen(asking->password));
    mem_wipe(&asking->question, sizeof(asking->question));
}

static void hash(struct asking *asking)
{
    struct err err = ERR_INIT;

    int result =
        hasher_hash(asking->idp->hasher, span_str(asking->password), asking->fn, asking->ctx, &err);
    forget(asking);
    if (result < 0)
        asking->fn(asking->ctx, NULL, &err);
}

static void refuse(struct asking *asking, const struct err *why)
{
    forget(asking);
    asking->fn(asking->ctx, NULL, why);
}

/* Nobody knows whether it was breached. */
static void go_on_without(struct asking *asking, const struct err *why)
{
    struct serve_request *request = asking->request;
    struct audit_event event = {
        .event = span_str("drun.auth.breachcheck"),
        .outcome = AUDIT_FAILURE,
        .actor = request->event.actor,
        .reason = span_str(why->msg),
        .address = span_str(serve_address(request)),
    };

    log_error("idp.breached", why);
    if (asking->idp->breached_service->settings->failure == SETTINGS_BREACHED_CLOSED) {
        refuse(asking, why);
        return;
    }
    serve_record(request->serve, &event);
    hash(asking);
}

static int look(struct asking *asking, const struct egress_answer *answer, bool *found,
                struct err *err)
{
    if (answer->status != 200)
        return err_set(err, ERR_UNAVAILABLE, "it answered %u", answer->status);
    return breached_range_find(answer->body, &asking->question, found, err);
}

static void on_answer(void *ctx, const struct egress_answer *answer, const struct err *why)
{
    struct asking *asking = ctx;
    struct err err = ERR_INIT;
    struct err failed = ERR_INIT;
    bool found = false;

    if (why != NULL || look(asking, answer, &found, &err) < 0) {
        err_set(&failed, ERR_UNAVAILABLE,
                "the service that knows breached passwords could not be asked: %s; try again later",
                why != NULL ? why->msg : err.msg);
        go_on_without(asking, &failed);
    } else if (found) {
        password_refuse_breached(&err);
        refuse(asking, &err);
    } else {
        hash(asking);
    }
}

static int ask(struct asking *asking, struct err *err)
{
    static const char *const headers[] = {"Add-Padding: true", "User-Agent: drun", NULL};
    const struct breached_service *service = asking->idp->breached_service;
    const char *base = service->settings->url;
    bool slash = base[strlen(base) - 1] == '/';
    CLEANUP_FREE char *url = mem_printf("%s%s%s", base, slash ? "" : "/", asking->question.prefix);
    struct egress_request request = {
        .endpoint = {.name = "setting breached-url",
                     .ca_pem = buf_span(&service->ca),
                     .private_network = service->settings->private_network},
        .method = "GET",
        .url = url,
        .headers = headers,
        .timeout_ms = (uint32_t)service->settings->timeout_ms,
    };

    return egress_fetch(asking->idp->egress, &request, on_answer, asking, NULL, err);
}

int password_hash(struct idp *idp, struct serve_request *request, const char *password,
                  hasher_fn *fn, void *ctx, struct err *err)
{
    struct arena *arena = request->http->arena;

    if (idp->breached_service == NULL)
        return hasher_hash(idp->hasher, span_str(password), fn, ctx, err);
    struct asking *asking = arena_alloc(arena, sizeof(*asking));
    char *copy = arena_strdup(arena, password);
    TRY(arena_check(arena, "the request", err));
    *asking =
        (struct asking){.idp = idp, .request = request, .password = copy, .fn = fn, .ctx = ctx};
    breached_question(password, &asking->question);
    if (ask(asking, err) == 0)
        return 0;
    forget(asking);
    return -1;
}
