/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as Kubernetes uses it (the core schema of YAML 1.2 over libyaml) to and from jansson values.
 * Errors have line and column. Refused: duplicate names, names that are not strings, anchors that
 * expand beyond CODEC_YAML_NODES_MAX nodes, unknown tags, nesting over CODEC_DEPTH_MAX.
 */
#ifndef DRUN_CODEC_YAML_H
#define DRUN_CODEC_YAML_H

#include "codec/json.h"

enum { CODEC_YAML_NODES_MAX = 200000 };

/* Every document of the stream, as one array; empty documents are left out. JSON is YAML, so this
 * reads both. */
int codec_yaml_parse(struct span text, const char *what, json_t **out_documents,
                     struct err *err) MUST_USE;
/* Block style, strings quoted only where they need it. */
void codec_yaml_put(const json_t *value, struct buf *out);

#endif
