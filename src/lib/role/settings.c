/* SPDX-License-Identifier: Apache-2.0 */
#include "role/settings.h"

#include "role/settings_internal.h"

#include "base/mem.h"
#include "log/log.h"

#include <stddef.h>
#include <stdlib.h>

const char *const settings_runtimes[] = {"auto", "crun", "runc", "runsc", NULL};

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const step_ups[] = {"enrolled", "always", NULL};
static const char *const attestations[] = {"none", "required", NULL};
static const char *const wafs[] = {"on", "off", NULL};
static const char *const waf_failures[] = {"open", "closed", NULL};
static const char *const audit_failures[] = {"closed", "open", NULL};

#define AT(field) .offset = offsetof(struct settings, field)

static const struct opt options[] = {
    {.name = "listen",
     .type = OPT_LISTEN,
     AT(listen),
     .def = "127.0.0.1:8443",
     .brief = "Address and port of the gateway, the one listener that the network sees."},
    {.name = "listen-mtls",
     .type = OPT_LISTEN,
     AT(listen_mtls),
     .brief = "A second listener, which asks clients for a TLS certificate (RFC 8705).",
     .more = "For programs that prove themselves by one. Browsers would ask their users, so the "
             "first listener never does. Without it there is none."},
    {.name = "public-url",
     .type = OPT_TEXT,
     AT(public_url),
     .brief = "What browsers and clients call the platform.",
     .more = "Tokens name it as their issuer. Without it: https:// and the listen address."},
    {.name = "workers",
     .type = OPT_U64,
     AT(workers),
     .def = "0",
     .max = 256,
     .unit = "processes",
     .brief = "Gateway workers; 0 starts one a core."},
    {.name = "certificate-ttl",
     .type = OPT_DURATION,
     AT(certificate_ttl_ms),
     .def = "1d",
     .min = 60000,
     .max = 604800000,
     .brief = "Life of the gateway's certificate; it is renewed at half of it."},
    {.name = "unseal-key-file",
     .type = OPT_PATH,
     AT(unseal_key_file),
     .brief = "The file whose key opens the keyring; never inside the data directory.",
     .more =
         "Made at the first start. Without it: unseal.key under /etc/drun, or in the user's own "
         "configuration directory. A passphrase instead is given with `drun up "
         "--passphrase-file`."},
    {.name = "store",
     .type = OPT_TEXT,
     AT(store),
     .def = "sqlite",
     .brief = "sqlite, or a PostgreSQL connection string.",
     .more = "Only the roles that keep a store get it; a login of each role's own is better."},
    {.name = "store-history",
     .type = OPT_DURATION,
     AT(store_history_ms),
     .def = "5m",
     .min = 1000,
     .max = 86400000,
     .brief = "How long what was changed or deleted is kept beside what is there now.",
     .more = "Watches and further pages of lists that begin earlier are told to begin anew (410)."},
    {.name = "store-api",
     .type = OPT_TEXT,
     AT(store_api),
     .brief = "The store of the role api, with its own login; without it: store."},
    {.name = "store-idp",
     .type = OPT_TEXT,
     AT(store_idp),
     .brief = "The store of the role idp, with its own login; without it: store."},
    {.name = "store-secrets",
     .type = OPT_TEXT,
     AT(store_secrets),
     .brief = "The store of the role secrets, with its own login; without it: store."},
    {.name = "run-dir",
     .type = OPT_PATH,
     AT(run_dir),
     .brief = "Sockets and snapshots; must be in memory (tmpfs).",
     .more = "Without it: drun-INSTANCE under /run, $XDG_RUNTIME_DIR or /dev/shm."},
    {.name = "share-dir",
     .type = OPT_PATH,
     AT(share_dir),
     .brief = "Where the console and the nginx module are; without it: beside the binary."},
    {.name = "nginx",
     .type = OPT_PATH,
     AT(nginx),
     .def = "/usr/sbin/nginx",
     .brief = "The nginx program."},
    {.name = "runtime",
     .type = OPT_ENUM,
     AT(runtime),
     .def = "auto",
     .choices = settings_runtimes,
     .brief = "OCI runtime of the engines; auto takes the first that works here."},
    {.name = "model-dirs",
     .type = OPT_LIST,
     AT(model_dirs),
     .def = "/srv/models",
     .brief = "Folders from which a Model may take its file."},
    {.name = "engine-dirs",
     .type = OPT_LIST,
     AT(engine_dirs),
     .def = "/usr/lib/drun/engine,/usr/local/bin,/usr/bin",
     .brief = "Folders from which a ModelService may take its engine's program."},
    {.name = "egress-networks",
     .type = OPT_LIST,
     AT(egress_networks),
     .brief = "Private networks that may be connected to, such as 10.1.0.0/16.",
     .more = "Public addresses may be always. Outside engines (ModelService, spec.upstream) in a "
             "private network need its range here; so does anything at a link-local address."},
    {.name = "log-level",
     .type = OPT_ENUM,
     AT(log_level),
     .def = "info",
     .choices = log_levels,
     .brief = "The least level that is written to stderr."},
    {.name = "uid-base",
     .type = OPT_U64,
     AT(uid_base),
     .def = "61440",
     .min = 1000,
     .max = 4000000000,
     .brief = "First of the roles' user ids, when started as root."},
    {.name = "posture-period",
     .type = OPT_DURATION,
     AT(posture_period_ms),
     .def = "5m",
     .min = 10000,
     .brief = "How often every control is proved anew."},
    {.name = "answer-cache",
     .type = OPT_SIZE,
     AT(answer_cache),
     .def = "64MiB",
     .max = UINT64_C(1) << 40,
     .brief = "Memory for answers that are kept, of all services with spec.cache; 0 keeps none.",
     .more = "It is taken as it is used; when it is full the oldest answers go. Less than 4MiB is "
             "4MiB."},
    {.name = "waf",
     .type = OPT_ENUM,
     AT(waf),
     .def = "on",
     .choices = wafs,
     .brief = "off starts without the firewall: the way back when its rules refuse whoever wrote "
              "them.",
     .more = "Mend or delete the WafRuleSet or WafPolicy, then start without it again. Control "
             "NW-2 fails meanwhile, and the guard and all limits stay."},
    {.name = "waf-dirs",
     .type = OPT_LIST,
     AT(waf_dirs),
     .def = "/etc/modsecurity,/usr/share/modsecurity-crs",
     .brief = "Folders from which a WafRuleSet may take its files."},
    {.name = "waf-failure",
     .type = OPT_ENUM,
     AT(waf_failure),
     .def = "open",
     .choices = waf_failures,
     .brief = "Requests while no rules of the firewall are in force: open serves them, closed "
              "answers 503.",
     .more = "That is so in the first seconds of an installation, until the rules are compiled; "
             "they are kept, so later starts have them at once. Control NW-2 says it meanwhile."},
    {.name = "audit-failure",
     .type = OPT_ENUM,
     AT(audit_failure),
     .def = "closed",
     .choices = audit_failures,
     .brief =
         "Model calls when the audit log takes no more: closed refuses them, open counts them.",
     .more =
         "A worker keeps a megabyte of records while the log is away. How many calls were served "
         "without a record is in the log when it is back. Administration always stops."},
    {.name = "mfa-groups",
     .type = OPT_LIST,
     AT(mfa_groups),
     .brief = "Groups whose members must have a second factor, such as drun:operators.",
     .more = "A User and a Group can demand one as well. Whoever has one is always asked for it."},
    {.name = "mfa-grace",
     .type = OPT_DURATION,
     AT(mfa_grace_ms),
     .def = "7d",
     .brief = "How long members of mfa-groups may still sign in without one, from the first time."},
    {.name = "step-up",
     .type = OPT_ENUM,
     AT(step_up),
     .def = "enrolled",
     .choices = step_ups,
     .brief = "Who must prove a second factor anew before roles, users, groups and clients are "
              "changed: whoever has one, or everybody.",
     .more = "Programs with keys, and the operator's socket, are not asked."},
    {.name = "step-up-age",
     .type = OPT_DURATION,
     AT(step_up_age_ms),
     .def = "15m",
     .min = 60000,
     .max = 43200000,
     .brief = "How old that proof may be."},
    {.name = "passkey-attestation",
     .type = OPT_ENUM,
     AT(passkey_attestation),
     .def = "none",
     .choices = attestations,
     .brief = "required: only authenticators that a certificate of passkey-roots vouches for."},
    {.name = "passkey-roots",
     .type = OPT_PATH,
     AT(passkey_roots),
     .brief = "A file of certificates (PEM) of makers of authenticators."},
    {.name = "password-min-length",
     .type = OPT_U64,
     AT(password_min_length),
     .def = "12",
     .min = 8,
     .max = 128,
     .unit = "characters",
     .brief = "The least length of a password."},
    {.name = "sms-url",
     .type = OPT_TEXT,
     AT(sms_url),
     .brief = "The HTTPS address of a text message gateway, for codes as second factor.",
     .more = "Without it there are none. Passkeys and apps are better."},
    {.name = "sms-body",
     .type = OPT_TEXT,
     AT(sms_body),
     .def = "{\"to\":\"{to}\",\"text\":\"{text}\"}",
     .brief = "What is posted there: {to} and {text} are filled in.",
     .more =
         "JSON when it begins with a brace, else a form such as To={to}&From=drun&Body={text}."},
    {.name = "sms-authorization-file",
     .type = OPT_PATH,
     AT(sms_authorization_file),
     .brief = "A file whose first line is the Authorization header for it."},
    {.name = "sms-ca-file",
     .type = OPT_PATH,
     AT(sms_ca_file),
     .brief = "Authorities (PEM) that its certificate must be of, instead of the system's."},
    {.name = "sms-private-network",
     .type = OPT_BOOL,
     AT(sms_private_network),
     .def = "false",
     .brief = "Whether it may be at a private address."},
    {.name = "sms-prefixes",
     .type = OPT_LIST,
     AT(sms_prefixes),
     .brief = "Beginnings of the numbers that messages go to, such as +49; without it, all."},
    {.name = "sms-per-hour",
     .type = OPT_U64,
     AT(sms_per_hour),
     .def = "200",
     .min = 1,
     .max = 1000000,
     .unit = "messages",
     .brief = "How many go to numbers with the same first three digits in an hour.",
     .more = "One number gets five, one account ten a day, one client address twenty."},
    {0},
};

#define GROUPS(pointer)                                                                            \
    (const struct opt_group[])                                                                     \
    {                                                                                              \
        {"Settings", options, (pointer)},                                                          \
            {"Breached passwords", settings_breached_options,                                      \
             (pointer) == NULL ? NULL : &((struct settings *)(pointer))->breached},                \
            {"Edge", settings_edge_options,                                                        \
             (pointer) == NULL ? NULL : &((struct settings *)(pointer))->edge},                    \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static void warn(void *ctx UNUSED, const char *message)
{
    log_say(LOG_WARN, "settings", "%s", message);
}

int settings_load(struct span text, const char *what, struct settings **out, struct err *err)
{
    CLEANUP(settings_free_ptr) struct settings *settings = mem_new(sizeof(*settings));
    const struct opt_group *groups = GROUPS(settings);

    TRY(opt_set_defaults(groups, err));
    if (text.len > 0)
        TRY(opt_load_text(groups, text, what, warn, NULL, err));
    *out = settings;
    settings = NULL;
    return 0;
}

int settings_set(struct settings *settings, const char *assignment, struct err *err)
{
    return opt_set(GROUPS(settings), assignment, err);
}

void settings_put(const struct settings *settings, struct buf *out)
{
    opt_put_values(GROUPS((void *)(uintptr_t)settings), out);
}

static void set_text(char **field, const char *text)
{
    if (*field != NULL)
        mem_wipe(*field, strlen(*field));
    free(*field);
    *field = text == NULL ? NULL : mem_strdup(text);
}

void settings_put_for(const struct settings *settings, enum role_id role, struct buf *out)
{
    const char *const own[ROLE_COUNT] = {[ROLE_API] = settings->store_api,
                                         [ROLE_IDP] = settings->store_idp,
                                         [ROLE_SECRETS] = settings->store_secrets};
    bool keeps_one = role == ROLE_API || role == ROLE_IDP || role == ROLE_SECRETS;
    bool is_sqlite = strcmp(settings->store, "sqlite") == 0;
    CLEANUP(buf_free_wiped) struct buf all = BUF_INIT(out->max);
    CLEANUP(settings_free_ptr) struct settings *copy = NULL;
    struct err err = ERR_INIT;

    settings_put(settings, &all);
    INVARIANT(settings_load(buf_span(&all), "settings", &copy, &err) == 0);
    if (keeps_one && own[role] != NULL)
        set_text(&copy->store, own[role]);
    else if (!keeps_one && !is_sqlite)
        set_text(&copy->store, "postgresql");
    set_text(&copy->store_api, NULL);
    set_text(&copy->store_idp, NULL);
    set_text(&copy->store_secrets, NULL);
    settings_put(copy, out);
}

void settings_put_sample(struct buf *out)
{
    opt_put_sample(GROUPS(NULL), out);
}

void settings_put_man(struct buf *out)
{
    opt_put_man(GROUPS(NULL), out);
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    opt_free(GROUPS(settings));
    free(settings);
}

void settings_free_ptr(struct settings **settings)
{
    settings_free(*settings);
}

static void listen_text(const struct opt_listen *listen, char *out, size_t size)
{
    bool bracketed = strchr(listen->host, ':') != NULL;

    snprintf(out, size, bracketed ? "[%s]:%u" : "%s:%u", listen->host, listen->port);
}

unsigned settings_gateways(const struct settings *settings UNUSED)
{
    return 1;
}

void settings_listen_text(const struct settings *settings, char *out, size_t size)
{
    listen_text(&settings->listen, out, size);
}

void settings_mtls_listen_text(const struct settings *settings, char *out, size_t size)
{
    listen_text(&settings->listen_mtls, out, size);
}

void settings_proxy_listen_text(const struct settings *settings, char *out, size_t size)
{
    listen_text(&settings->edge.listen_proxy, out, size);
}

void settings_public_url(const struct settings *settings, char *out, size_t size)
{
    char listen[64];

    settings_listen_text(settings, listen, sizeof(listen));
    if (settings->public_url != NULL)
        snprintf(out, size, "%s", settings->public_url);
    else
        snprintf(out, size, "https://%s", listen);
}

/* Where the host of a URL ends: at its port, its path or its end. */
static size_t host_end(const char *url)
{
    const char *host = strstr(url, "://");
    size_t start = host == NULL ? 0 : (size_t)(host + 3 - url);

    if (url[start] == '[')
        start += strcspn(url + start, "]");
    return start + strcspn(url + start, ":/");
}

void settings_mtls_url(const struct settings *settings, char *out, size_t size)
{
    char url[1024];

    out[0] = '\0';
    if (settings->listen_mtls.port == 0)
        return;
    settings_public_url(settings, url, sizeof(url));
    snprintf(out, size, "%.*s:%u", (int)host_end(url), url, settings->listen_mtls.port);
}
