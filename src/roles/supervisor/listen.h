/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, made by the supervisor because it may, and handed to who serves them. */
#ifndef DRUN_SUPERVISOR_LISTEN_H
#define DRUN_SUPERVISOR_LISTEN_H

#include "base/attr.h"
#include "base/err.h"
#include "opt/opt.h"

#include <sys/types.h>

/* An old socket file in the way is removed. */
int listen_unix(const char *path, mode_t mode, struct err *err) MUST_USE;
/* The same for SOCK_SEQPACKET. */
int listen_packets(const char *path, mode_t mode, struct err *err) MUST_USE;
/* `setting` names it in errors. */
int listen_tcp(const struct opt_listen *at, const char *setting, struct err *err) MUST_USE;
/* Refuses whom it has not accepted yet and whoever comes, in every process that has the socket, and
 * keeps the address from others; listen_again() takes connections as before. Both do nothing to
 * what is in that state already. */
int listen_refuse(int fd, struct err *err) MUST_USE;
int listen_again(int fd, struct err *err) MUST_USE;

#endif
