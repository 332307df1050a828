/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-time links: for the first administrator, and for everyone who is invited. The link holds a
 * random text after '#', which browsers send to nobody; the store holds its hash.
 */
#include "idp/factors/signin.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LINKS     "links"
#define LINK_FILE "setup-link"

int link_make(struct idp *idp, const char *user, const char *uid, int64_t ttl_sec,
              char out[IDP_URL_SIZE], struct err *err)
{
    CLEANUP_JSON json_t *record = json_pack("{s:s, s:s, s:I}", "user", user, "uid", uid, "until",
                                            (json_int_t)(clock_wall_sec() + ttl_sec));
    CLEANUP_FREE char *term = mem_printf("user=%s", user);
    char secret[IDP_SECRET_SIZE];
    char id[IDP_ID_SIZE];

    TRY(idp_random(secret, err));
    idp_id_of(secret, id);
    TRY(record_put(idp, LINKS, id, record, term, err));
    CLEANUP(buf_free_wiped) struct buf url = BUF_INIT(IDP_URL_SIZE - 1);
    buf_printf(&url, "%s/setup#token=%s", idp->url, secret);
    if (user[0] != '\0')
        buf_printf(&url, "&username=%s", user);
    TRY(buf_check(&url, "the link", err));
    snprintf(out, IDP_URL_SIZE, "%s", buf_text(&url));
    mem_wipe(secret, sizeof(secret));
    return 0;
}

static int drop_link(void *ctx, const char *name, const json_t *value UNUSED, struct err *err)
{
    return record_delete(ctx, LINKS, name, err);
}

/* A new link makes the older ones for the same user void. */
static int drop_links(struct idp *idp, const char *user, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", user);

    return record_each(idp, LINKS, term, drop_link, idp, err);
}

int link_renew(struct idp *idp, const char *user, const char *uid, int64_t ttl_sec,
               char out[IDP_URL_SIZE], struct err *err)
{
    TRY(drop_links(idp, user, err));
    return link_make(idp, user, uid, ttl_sec, out, err);
}

/* ------------------------------------------------------------------ the first administrator */

static int write_link_file(struct idp *idp, const char *url, struct err *err)
{
    CLEANUP_FREE char *line = mem_printf("%s\n", url);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(idp->role), err);

    TRY(dir_fd);
    return fd_replace_file(dir_fd, LINK_FILE, 0600, span_str(line), false, err);
}

static void remove_link_file(struct idp *idp)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", role_own_run_dir(idp->role), LINK_FILE);

    if (unlink(path) < 0 && errno != ENOENT)
        log_say(LOG_WARN, "idp.setup", "cannot remove %s: %s", path, strerror(errno));
}

static int make_first_link(struct idp *idp, char url[IDP_URL_SIZE], struct err *err)
{
    TRY(drop_links(idp, "", err));
    return link_make(idp, "", "", IDP_LINK_SEC, url, err);
}

int setup_start(struct idp *idp, struct err *err)
{
    char url[IDP_URL_SIZE];
    bool none = false;

    TRY(account_no_administrator(idp, &none, err));
    if (!none) {
        remove_link_file(idp);
        return 0;
    }
    TRY(make_first_link(idp, url, err));
    TRY(store_flush(idp->store, err));
    return write_link_file(idp, url, err);
}

void setup_link(struct idp *idp, struct serve_request *request)
{
    char url[IDP_URL_SIZE];
    struct err err = ERR_INIT;
    bool none = false;

    if (account_no_administrator(idp, &none, &err) < 0 ||
        (none && make_first_link(idp, url, &err) < 0)) {
        reply_err(request, &err);
        return;
    }
    if (!none) {
        reply_problem(request, 409, "there is an administrator already");
        return;
    }
    if (write_link_file(idp, url, &err) < 0)
        log_error("idp.setup", &err);
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "url", url);
    reply_json(request, 200, body);
}

/* ------------------------------------------------------------------ accepting */

struct acceptance {
    struct idp *idp;
    struct serve_request *request;
    const char *link; /* the record's name */
    const char *user;
    const char *display;
    bool first;
};

static int load_link(struct idp *idp, const char *id, json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;

    if (record_get(idp, LINKS, id, &record, err) < 0)
        return err->code == ERR_NOT_FOUND
                   ? err_set(err, ERR_GONE, "this link was used already, or is none")
                   : -1;
    if (record_number(record, "until") <= clock_wall_sec())
        return err_set(err, ERR_GONE, "the time of this link is over");
    *out = json_incref(record);
    return 0;
}

/* The link makes somebody new; it is no way into the account of somebody who is there. */
static int check_name_is_free(const struct acceptance *acceptance, struct err *err)
{
    CLEANUP_JSON json_t *found = NULL;

    if (kube_object_get(serve_kube(acceptance->idp->serve), &kube_user, "", acceptance->user,
                        &found, err) == 0)
        return err_set(err, ERR_EXISTS, "there is a user %s already; take another name",
                       acceptance->user);
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    return 0;
}

static int make_administrator(const struct acceptance *acceptance, struct err *err)
{
    struct kube_server *kube = serve_kube(acceptance->idp->serve);
    bool none = false;

    TRY(account_no_administrator(acceptance->idp, &none, err));
    if (!none)
        return err_set(err, ERR_GONE, "there is an administrator already");
    TRY(check_name_is_free(acceptance, err));
    CLEANUP_JSON json_t *user =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:[s]}}", "apiVersion", "drun.io/v1", "kind", "User",
                  "metadata", "name", acceptance->user, "spec", "displayName", acceptance->display,
                  "groups", AUTH_GROUP_OPERATORS);
    return kube_object_put(kube, &kube_user, user, err);
}

/* With a new password, what the old one opened ends. */
static int end_what_was(struct idp *idp, const struct account *account, struct err *err)
{
    CLEANUP_FREE char *phc = NULL;

    TRY(account_password(idp, account->name, account->uid, &phc, err));
    return phc == NULL ? 0 : account_sign_out(idp, account->name, err);
}

static int accept(const struct acceptance *acceptance, const char *phc, struct err *err)
{
    struct idp *idp = acceptance->idp;
    CLEANUP(signin_free) struct signin signin = {0};
    CLEANUP(account_free) struct account account = {0};
    CLEANUP_JSON json_t *link = NULL;

    /* It may have been used while the password was hashed. */
    TRY(load_link(idp, acceptance->link, &link, err));
    if (acceptance->first) {
        TRY(make_administrator(acceptance, err));
        TRY(account_load(idp, acceptance->user, &account, err));
    } else {
        TRY(account_load_same(idp, acceptance->user, codec_json_text(link, "uid", ""), &account,
                              err));
    }
    TRY(drop_links(idp, codec_json_text(link, "user", ""), err));
    TRY(end_what_was(idp, &account, err));
    TRY(account_set_password(idp, account.name, account.uid, phc, err));
    publish_touch(idp->publish, &kube_user, "", account.name);
    /* Who lost the password has still the second factor. */
    signin_begin(&signin, &account, "pwd");
    TRY(signin_continue(idp, acceptance->request, &signin, NULL, err));
    acceptance->request->event.event = span_str("drun.auth.setup");
    return 0;
}

static void on_hashed(void *ctx, const char *phc, const struct err *failed)
{
    struct acceptance *acceptance = ctx;
    struct err err = ERR_INIT;

    if (failed != NULL) {
        reply_err(acceptance->request, failed);
    } else if (accept(acceptance, phc, &err) < 0) {
        reply_err(acceptance->request, &err);
    } else {
        if (acceptance->first)
            remove_link_file(acceptance->idp);
    }
    serve_answered(acceptance->request);
}

/* {token, password}, and for the first administrator username and displayName. */
static int read_acceptance(struct acceptance *acceptance, const json_t *body, struct err *err)
{
    struct arena *arena = acceptance->request->http->arena;
    CLEANUP_JSON json_t *link = NULL;
    const char *wanted = codec_json_text(body, "username", "");
    char id[IDP_ID_SIZE];

    idp_id_of(codec_json_text(body, "token", ""), id);
    TRY(load_link(acceptance->idp, id, &link, err));
    const char *user = codec_json_text(link, "user", "");
    acceptance->first = user[0] == '\0';
    acceptance->link = arena_strdup(arena, id);
    acceptance->user = arena_strdup(arena, acceptance->first ? wanted : user);
    acceptance->display = arena_strdup(arena, codec_json_text(body, "displayName", wanted));
    TRY(arena_check(arena, "the request", err));
    const char *fault =
        acceptance->first ? kube_format_check(KUBE_DNS_SUBDOMAIN, acceptance->user) : NULL;
    if (fault != NULL)
        return err_set(err, ERR_INVALID, "the user name: %s", fault);
    if (!acceptance->first && wanted[0] != '\0' && strcmp(wanted, user) != 0)
        return err_set(err, ERR_INVALID, "this link is for another user name");
    return password_check(acceptance->idp, acceptance->user, codec_json_text(body, "password", ""),
                          err);
}

void setup_accept(struct idp *idp, struct serve_request *request)
{
    CLEANUP_JSON json_t *body = session_body(idp, request);
    struct acceptance *acceptance = arena_alloc(request->http->arena, sizeof(*acceptance));
    struct err err = ERR_INIT;

    if (body == NULL)
        return;
    request->event.event = span_str("drun.auth.setup");
    if (arena_check(request->http->arena, "the request", &err) < 0) {
        reply_err(request, &err);
        return;
    }
    *acceptance = (struct acceptance){.idp = idp, .request = request};
    const char *password = codec_json_text(body, "password", "");
    if (read_acceptance(acceptance, body, &err) < 0 ||
        password_hash(idp, request, password, on_hashed, acceptance, &err) < 0)
        reply_err(request, &err);
    else
        serve_later(request);
}
