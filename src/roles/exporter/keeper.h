/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper of this role's nginx, which runs only while there is an outside engine. It listens on
 * no network: for each engine on one Unix socket, RUN/exporter/up/ID.sock, where the gateway speaks
 * to it like to an engine in a sandbox. "up" is a link to the folder of the nginx that runs, so
 * that one that dies late takes nothing of the next one's away.
 */
#ifndef DRUN_EXPORTER_KEEPER_H
#define DRUN_EXPORTER_KEEPER_H

#include "exporter/exporter_internal.h"

struct keeper;

int keeper_new(struct upstreams *upstreams, struct keeper **out, struct err *err) MUST_USE;
/* Ends nginx and waits for it. */
void keeper_stop(struct keeper *keeper);
void keeper_free(struct keeper *keeper);
/* Something of what is served may have changed: nginx follows in a moment. */
void keeper_touch(struct keeper *keeper);
/* Calls arrive. When that changes, upstream_tell() runs. */
bool keeper_is_live(const struct keeper *keeper, const char *id);

/* ------------------------------------------------------------------ nginx_conf.c */

enum { NGINX_CONF_MAX = 16 * 1024 * 1024 };

/* `dir` is where the sockets are, among them one that is named by the generation. Authorities of an
 * upstream's own are in RUN/exporter/ca-ID.pem, which this writes. False when there is none to
 * serve. */
bool nginx_conf_put(const struct upstreams *upstreams, const char *own_dir, const char *dir,
                    uint64_t generation, struct buf *out);
/* A value as it may stand anywhere in the configuration; printable ASCII. */
void nginx_conf_put_value(struct span value, struct buf *out);

#endif
