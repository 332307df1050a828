/* SPDX-License-Identifier: Apache-2.0 */
/* sd_notify(3): a datagram to the socket that systemd names; nothing when there is no systemd. */
#ifndef DRUN_SUPERVISOR_NOTIFY_H
#define DRUN_SUPERVISOR_NOTIFY_H

#include "base/attr.h"
#include "base/err.h"

int notify_systemd(const char *state, struct err *err) MUST_USE;

#endif
