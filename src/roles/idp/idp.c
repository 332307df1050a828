/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: accounts, password hashes, sessions, what tokens and
 * keys are good for; no signing key. Who may speak to me: everybody over HTTP on my socket, behind
 * the gateway; whoever runs the platform at the operator's socket; the posture role by a message.
 */
#include "idp/idp.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "crypto/mac.h"
#include "egress/egress.h"
#include "idp/factors/sms.h"
#include "idp/federation/federation.h"
#include "idp/oauth/logout.h"
#include "idp/oauth/remote_keys.h"
#include "idp/programs/namespaces.h"
#include "idp/programs/table.h"
#include "idp/scim/scim_api.h"
#include "role/settings.h"
#include "webauthn/webauthn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { REMEMBERED_TOKENS = 4096 };

static const struct kube_kind *const kinds[] = {
    &kube_user,    &kube_group,          &kube_oidc_client,
    &kube_api_key, &kube_trusted_issuer, &kube_identity_provider,
    NULL};

int idp_admit(void *ctx, struct kube_change *change, struct kube_causes *causes UNUSED,
              struct err *err)
{
    struct idp *idp = ctx;

    if (change->kind == &kube_user)
        return account_admit(idp, change, err);
    if (change->kind == &kube_group)
        return group_admit(idp, change, err);
    if (change->kind == &kube_oidc_client)
        return client_admit(idp, change, err);
    if (change->kind == &kube_trusted_issuer)
        return trusted_admit(idp, change, err);
    if (change->kind == &kube_identity_provider)
        return provider_admit(idp, change, err);
    return apikey_admit(idp, change, err);
}

void idp_changed(void *ctx, const struct kube_change *change)
{
    struct idp *idp = ctx;

    if (change->kind == &kube_user)
        account_changed(idp, change);
    else if (change->kind == &kube_group)
        group_changed(idp, change);
    else if (change->kind == &kube_oidc_client)
        client_changed(idp, change);
    else if (change->kind == &kube_api_key)
        apikey_changed(idp, change);
    else if (change->kind == &kube_identity_provider)
        provider_changed(idp, change);
}

static void prepare(void *ctx)
{
    struct idp *idp = ctx;

    signer_run(idp->signer);
}

static void after_flush(void *ctx)
{
    struct idp *idp = ctx;

    publish_settle(idp->publish);
    publish_follow(idp->publish);
}

static void after_discard(void *ctx)
{
    struct idp *idp = ctx;

    publish_undo(idp->publish);
}

static void on_peer(void *ctx, enum role_id peer)
{
    struct idp *idp = ctx;

    if (peer == ROLE_EXPORTER)
        egress_reconnected(idp->egress);
}

/* The key of the hashes of API keys and client secrets; made at the first start. */
static int load_pepper(struct idp *idp, struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;
    char hex[2 * IDENTITY_PEPPER_LEN + 1];

    if (record_get(idp, "meta", "pepper", &record, err) == 0)
        return enc_unhex(span_str(codec_json_text(record, "pepper", "")), idp->pepper,
                         sizeof(idp->pepper), err);
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    TRY(crypto_random(idp->pepper, sizeof(idp->pepper), err));
    enc_hex(span_of(idp->pepper, sizeof(idp->pepper)), hex);
    record = json_pack("{s:s}", "pepper", hex);
    mem_wipe(hex, sizeof(hex));
    TRY(record_put(idp, "meta", "pepper", record, NULL, err));
    return store_flush(idp->store, err);
}

/* What an operator's settings name lies outside of what the role may open later. */
static int read_files(struct idp *idp, struct err *err)
{
    settings_public_url(role_settings(idp->role), idp->url, sizeof(idp->url));
    TRY(passkeys_start(idp, err));
    TRY(password_policy_start(idp, err));
    TRY(breached_service_start(idp, err));
    return sms_start(idp, err);
}

static int start(struct idp *idp, struct err *err)
{
    struct serve_config config = {
        .role = idp->role,
        .route = idp_route,
        .kinds = kinds,
        .admit = idp_admit,
        .changed = idp_changed,
        .narrow = apikey_narrow,
        .emptied = namespace_emptied,
        .owner_is_gone = idp_owner_is_gone,
        .prepare = prepare,
        .failed = idp_failed,
        .after_flush = after_flush,
        .after_discard = after_discard,
        .ctx = idp,
    };
    CLEANUP_FD int run_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(idp->role), err);

    TRY(run_fd);
    settings_mtls_url(role_settings(idp->role), idp->mtls_url, sizeof(idp->mtls_url));
    idp->replay = auth_replay_new();
    TRY(crypto_random(idp->nonce_key, sizeof(idp->nonce_key), err));
    TRY(serve_store_open(idp->role, &idp->store, err));
    TRY(load_pepper(idp, err));
    idp->digests = crypto_mac_new(span_of(idp->pepper, sizeof(idp->pepper)));
    idp->objects = kube_store_new(idp->store);
    idp->auth = auth_new(&run_fd, REMEMBERED_TOKENS);
    idp->throttle = throttle_new();
    idp->clients = clients_new(idp);
    idp->members = members_new(idp);
    TRY(egress_new(role_loop(idp->role), role_waiting_peer(idp->role, ROLE_EXPORTER), &idp->egress,
                   err));
    role_on_peer(idp->role, on_peer, idp);
    idp->remote_keys = remote_keys_new(idp);
    idp->logout = logout_new(idp);
    idp->federation = federation_new(idp);
    TRY(publish_new(idp, &idp->publish, err));
    TRY(signer_new(idp, &idp->signer, err));
    config.store = idp->store;
    config.storage = kube_store_storage(idp->objects);
    TRY(serve_new(&config, &idp->serve, err));
    TRY(account_index_start(idp, err));
    TRY(publish_load(idp->publish, err));
    TRY(scim_index_start(idp, err));
    TRY(setup_start(idp, err));
    TRY(namespaces_start(idp, err));
    TRY(apikey_use_start(idp, err));
    return tidy_start(idp, err);
}

static void release(struct idp *idp)
{
    hasher_free(idp->hasher);
    serve_free(idp->serve);
    egress_free(idp->egress);
    remote_keys_free(idp->remote_keys);
    logout_free(idp->logout);
    federation_free(idp->federation);
    apikey_use_stop(idp);
    publish_free(idp->publish);
    signer_free(idp->signer);
    members_free(idp->members);
    clients_free(idp->clients);
    throttle_free(idp->throttle);
    auth_free(idp->auth);
    auth_replay_free(idp->replay);
    sms_free(idp->sms);
    breached_service_free(idp->breached_service);
    webauthn_roots_free(idp->passkey_roots);
    fd_close(&idp->breached_fd);
    kube_store_free(idp->objects);
    store_close(idp->store);
    free(idp->tidy_from);
    free(idp->tokens_from);
    free(idp->bound_from);
    crypto_mac_free(idp->digests);
    mem_wipe(idp->pepper, sizeof(idp->pepper));
}

int idp_main(struct role *role, struct err *err)
{
    /* Whoever started us operates the platform; afterwards we are somebody else. */
    struct idp idp = {.role = role, .operator_uid = getuid(), .breached_fd = -1};
    int result = read_files(&idp, err);

    if (result == 0)
        result = serve_lock_down(role, err);
    if (result == 0)
        result = start(&idp, err);
    if (result == 0)
        result = hasher_new(role_loop(role), &idp.hasher, err);
    if (result == 0)
        result = role_serve(role, &idp_table, &idp, err);
    if (result == 0)
        result = role_run(role, err);
    release(&idp);
    return result;
}
