/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kms has to report until the audit role fetches it (keys/keys.h, keys_events()). Bounded:
 * equal events are counted in one, and when the list is full the newest are lost and counted, so
 * that a flood cannot push out how it began.
 */
#ifndef DRUN_KMS_EVENTS_H
#define DRUN_KMS_EVENTS_H

#include "keys/keys.h"

enum { EVENTS_MAX = 1024 };

struct events;

int events_new(struct events **out, struct err *err) MUST_USE;
void events_free(struct events *events);
/* `peer` is a role or KEYS_EVENT_NOBODY; of `subject` what fits is kept. */
void events_add(struct events *events, enum keys_event_kind kind, unsigned peer,
                const char *subject);
/* Forgets what the mark acknowledges; puts the new mark, a count and up to KEYS_EVENTS_MAX events.
 */
void events_fetch(struct events *events, struct keys_mark mark, struct buf *out);
uint64_t events_lost(const struct events *events);

#endif
