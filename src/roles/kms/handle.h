/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of the message table. Each decodes all of the body, asks the tables, acts, answers.
 */
#ifndef DRUN_KMS_HANDLE_H
#define DRUN_KMS_HANDLE_H

#include "events.h"
#include "ipc/ipc.h"
#include "keyring.h"
#include "kms.h"

struct kms {
    struct keyring_place place;
    const struct unseal_provider *provider;
    struct keyring *keyring; /* NULL while sealed */
    struct events *events;
    struct loop_source *timer;
    struct keys_status counts; /* only the counters of the run are kept here */
};

ipc_handler_fn handle_status;
ipc_handler_fn handle_data_new;
ipc_handler_fn handle_data_open;
ipc_handler_fn handle_data_rewrap;
ipc_handler_fn handle_sign;
ipc_handler_fn handle_public;
ipc_handler_fn handle_list_public;
ipc_handler_fn handle_certify;
ipc_handler_fn handle_ca_pem;
ipc_handler_fn handle_rotate;
ipc_handler_fn handle_unseal;
ipc_handler_fn handle_seal;
ipc_handler_fn handle_events;
ipc_handler_fn handle_withdraw;
ipc_handler_fn handle_reseal;
ipc_refused_fn handle_refused;

/* ERR_UNAVAILABLE while the keyring is sealed. */
int kms_need_keys(const struct kms *kms, struct err *err) MUST_USE;
/* Notes a refusal or a damage for the audit log and counts it; returns -1. `message` is the
 * message's name, `what` what it asked for. */
int kms_refuse(struct kms *kms, unsigned peer, const char *message, const char *what,
               const struct err *err);
/* Notes and logs that the keyring could not be written; returns -1. */
int kms_fail(struct kms *kms, const char *event, const struct err *err);
void kms_note(struct kms *kms, enum keys_event_kind kind, unsigned peer, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
