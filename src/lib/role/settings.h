/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of `drun up`: one option table (settings.c) makes the parser of the file and of
 * --set, the sample file and the man page. Every role gets them, but no login of another role. */
#ifndef DRUN_ROLE_SETTINGS_H
#define DRUN_ROLE_SETTINGS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "opt/opt.h"
#include "role/role.h"

#include <stdbool.h>
#include <stdint.h>

enum settings_step_up { SETTINGS_STEP_UP_ENROLLED, SETTINGS_STEP_UP_ALWAYS };
enum settings_attestation { SETTINGS_ATTESTATION_NONE, SETTINGS_ATTESTATION_REQUIRED };
enum settings_waf { SETTINGS_WAF_ON, SETTINGS_WAF_OFF };
enum settings_waf_failure { SETTINGS_WAF_OPEN, SETTINGS_WAF_CLOSED };
enum settings_audit_failure { SETTINGS_AUDIT_CLOSED, SETTINGS_AUDIT_OPEN };

/* Where requests come from, and how many a source may send; settings_edge.c. 0: no limit. */
struct settings_edge {
    struct opt_list trusted_proxies;
    char *forwarded_header;
    struct opt_listen listen_proxy; /* port 0: none */
    struct opt_list unlimited_networks;
    struct opt_list cors_origins;
    uint64_t source_requests;
    uint64_t source_sign_ins;
    uint64_t source_handshakes;
    uint64_t source_bytes;
    uint64_t source_connections;
    uint64_t source_network;
    uint64_t source_ban_ms;
    bool kernel_bans;
    uint64_t answer_max_ms;
};

enum settings_breached_failure { SETTINGS_BREACHED_CLOSED, SETTINGS_BREACHED_OPEN };

/* Passwords that attackers know: a file, and a service to ask; settings_breached.c. */
struct settings_breached {
    char *file;    /* NULL: none */
    char *url;     /* NULL: nobody is asked */
    char *ca_file; /* NULL: the system's authorities */
    bool private_network;
    uint64_t timeout_ms;
    unsigned failure; /* an enum settings_breached_failure */
};

/* The texts are NULL where the table gives no default. */
struct settings {
    struct opt_listen listen;
    struct opt_listen listen_mtls; /* port 0: none */
    char *public_url;              /* NULL: https:// and the listen address */
    uint64_t workers;              /* 0: one a core */
    uint64_t certificate_ttl_ms;
    char *unseal_key_file; /* NULL: chosen beside the user's other settings */
    char *store;           /* "sqlite", or a PostgreSQL connection string */
    char *store_api;       /* the same of one role alone, with its own login; NULL: `store` */
    char *store_idp;
    char *store_secrets;
    uint64_t store_history_ms;
    char *run_dir;   /* NULL: chosen */
    char *share_dir; /* the console and the nginx module; NULL: beside the binary */
    char *nginx;
    unsigned runtime; /* a place in settings_runtimes */
    struct opt_list model_dirs;
    struct opt_list engine_dirs;
    struct opt_list egress_networks;
    unsigned log_level; /* an enum log_level */
    uint64_t uid_base;
    uint64_t posture_period_ms;
    unsigned audit_failure; /* an enum settings_audit_failure */
    uint64_t answer_cache;  /* bytes; 0: no answers are kept */
    struct opt_list waf_dirs;
    unsigned waf;         /* an enum settings_waf */
    unsigned waf_failure; /* an enum settings_waf_failure */
    struct opt_list mfa_groups;
    uint64_t mfa_grace_ms;
    unsigned step_up; /* an enum settings_step_up */
    uint64_t step_up_age_ms;
    unsigned passkey_attestation; /* an enum settings_attestation */
    char *passkey_roots;          /* NULL: none */
    uint64_t password_min_length;
    char *sms_url; /* NULL: no text messages */
    char *sms_body;
    char *sms_authorization_file;
    char *sms_ca_file;
    bool sms_private_network;
    struct opt_list sms_prefixes;
    uint64_t sms_per_hour;
    struct settings_breached breached;
    struct settings_edge edge;
};

extern const char *const settings_runtimes[]; /* "auto", "crun", "runc", "runsc", NULL */

/* Defaults, then what the text says (empty is allowed). `what` names it in errors. */
int settings_load(struct span text, const char *what, struct settings **out,
                  struct err *err) MUST_USE;
/* "name=value" */
int settings_set(struct settings *settings, const char *assignment, struct err *err) MUST_USE;
/* A text that settings_load() reads back to the same. */
void settings_put(const struct settings *settings, struct buf *out);
/* The same as one role may know it: its `store` is its own, and a login that is not its own is left
 * out ("postgresql" says only that there is one). */
void settings_put_for(const struct settings *settings, enum role_id role, struct buf *out);
void settings_put_sample(struct buf *out);
void settings_put_man(struct buf *out);
void settings_free(struct settings *settings);
void settings_free_ptr(struct settings **settings);
/* How many gateways share limits and budgets. */
unsigned settings_gateways(const struct settings *settings);
/* "127.0.0.1:8443", "[::1]:8443" */
void settings_listen_text(const struct settings *settings, char *out, size_t size);
/* "https://127.0.0.1:8443" unless public-url says otherwise. */
void settings_public_url(const struct settings *settings, char *out, size_t size);
/* The same for the listener that asks for client certificates: the public host and its own port; ""
 * without one. */
void settings_proxy_listen_text(const struct settings *settings, char *out, size_t size);
void settings_mtls_listen_text(const struct settings *settings, char *out, size_t size);
void settings_mtls_url(const struct settings *settings, char *out, size_t size);

#endif
