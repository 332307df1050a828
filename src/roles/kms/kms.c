/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Started by the supervisor, first of all roles, with the keyring's directory and one end of a
 * channel to each other role. Holds every private key and KEK of the instance.
 * Any role may speak to it, within the message table (table.c); it calls nobody.
 */
#include "kms.h"

#include "base/clock.h"
#include "base/mem.h"
#include "handle.h"
#include "log/log.h"
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>

enum { HOUR_MS = 3600 * 1000, NAMES_MAX = 160 };

void kms_free(struct kms *kms)
{
    if (kms == NULL)
        return;
    keyring_free(kms->keyring);
    events_free(kms->events);
    free(kms);
}

void kms_free_ptr(struct kms **kms)
{
    kms_free(*kms);
}

static int open_or_make(struct kms *kms, const struct secret *material, struct err *err)
{
    int found = keyring_provider(&kms->place, &kms->provider, err);

    if (found < 0 && (err->code != ERR_NOT_FOUND || material == NULL))
        return -1;
    if (material == NULL)
        return 0;
    if (found == 0)
        return kms_unseal(kms, material, KEYS_EVENT_NOBODY, err);
    err_clear(err);
    TRY(keyring_create(&kms->place, kms->provider, material, clock_wall_sec(), &kms->keyring, err));
    kms_note(kms, KEYS_EVENT_UNSEALED, KEYS_EVENT_NOBODY, "a new keyring");
    return 0;
}

int kms_new(const struct keyring_place *place, const struct unseal_provider *provider,
            const struct secret *material, struct kms **out, struct err *err)
{
    CLEANUP(kms_free_ptr) struct kms *kms = mem_new(sizeof(*kms));

    kms->place = *place;
    kms->provider = provider;
    TRY(events_new(&kms->events, err));
    TRY(open_or_make(kms, material, err));
    *out = kms;
    kms = NULL;
    return 0;
}

int kms_serve(struct kms *kms, struct loop *loop, int *fd, unsigned peer, struct err *err)
{
    return ipc_server_add(loop, fd, peer, &kms_table, kms, err);
}

static void on_timer(void *ctx)
{
    kms_rotate_due(ctx);
}

int kms_schedule(struct kms *kms, struct loop *loop, struct err *err)
{
    kms_rotate_due(kms);
    return loop_add_timer(loop, HOUR_MS, HOUR_MS, on_timer, kms, &kms->timer, err);
}

int kms_unseal(struct kms *kms, const struct secret *material, unsigned peer, struct err *err)
{
    if (keyring_load(&kms->place, material, &kms->keyring, err) < 0) {
        kms_note(kms, KEYS_EVENT_UNSEAL_FAILED, peer, "%s", err->msg);
        log_error("kms.unseal", err);
        return -1;
    }
    kms_note(kms, KEYS_EVENT_UNSEALED, peer, "%s", kms->provider->name);
    kms_rotate_due(kms);
    return 0;
}

void kms_rotate_due(struct kms *kms)
{
    CLEANUP(buf_free) struct buf names = BUF_INIT(NAMES_MAX);
    struct err err = ERR_INIT;

    if (kms->keyring == NULL)
        return;
    int made = keyring_rotate_due(kms->keyring, clock_wall_sec(), &names, &err);
    if (names.len > 0)
        kms_note(kms, KEYS_EVENT_ROTATED, KEYS_EVENT_NOBODY, "%s", buf_text(&names));
    if (made < 0)
        (void)kms_fail(kms, "kms.rotate", &err);
}

/* ------------------------------------------------------------------ for the handlers */

int kms_need_keys(const struct kms *kms, struct err *err)
{
    if (kms->keyring == NULL)
        return err_set(err, ERR_UNAVAILABLE, "kms is sealed; an operator must unseal it");
    return 0;
}

void kms_note(struct kms *kms, enum keys_event_kind kind, unsigned peer, const char *fmt, ...)
{
    char subject[sizeof(((struct keys_event *)0)->subject)];
    va_list args;

    va_start(args, fmt);
    vsnprintf(subject, sizeof(subject), fmt, args);
    va_end(args);
    events_add(kms->events, kind, peer, subject);
}

int kms_fail(struct kms *kms, const char *event, const struct err *err)
{
    kms_note(kms, KEYS_EVENT_FAILED, KEYS_EVENT_NOBODY, "%s", err->msg);
    log_error(event, err);
    return -1;
}

int kms_refuse(struct kms *kms, unsigned peer, const char *message, const char *what,
               const struct err *err)
{
    if (err->code == ERR_DENIED) {
        kms->counts.denied++;
        kms_note(kms, KEYS_EVENT_DENIED, peer, "%s %s", message, what);
    } else if (err->code == ERR_CORRUPT) {
        kms_note(kms, KEYS_EVENT_CORRUPT, peer, "%s %s", message, what);
    }
    return -1;
}

void handle_refused(void *ctx, unsigned peer, uint16_t type UNUSED, const struct err *why)
{
    struct kms *kms = ctx;

    kms->counts.denied++;
    kms_note(kms, KEYS_EVENT_DENIED, peer, "%s", why->msg);
}
